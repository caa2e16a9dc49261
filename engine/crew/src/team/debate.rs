//! Members that take turns over one transcript, and an arbiter that decides.

use std::fmt::Write as _;

use thalweg::failure::Failure;

use super::member::Member;
use super::question::Question;
use super::voice::Voice;

pub(super) async fn answer(
    arbiter: Member,
    debaters: Vec<Member>,
    rounds: u32,
    question: Question,
    voice: Voice,
) -> Result<String, Failure> {
    let mut transcript = format!("Topic: {}", question.text());
    for round in 1..=rounds {
        for (place, debater) in debaters.iter().enumerate() {
            let said = debater.answer(question.ending(&transcript), voice.at_work(debater.name())).await?;
            // Into a string: it cannot fail.
            let _ = write!(transcript, "\n\nDebater {} (turn {round}): {said}", place + 1);
        }
    }
    let question = question.ending(&(transcript + VERDICT));
    arbiter.answer(question, voice.pass_to(arbiter.name())).await
}

/// What the arbiter is asked behind the transcript.
const VERDICT: &str = "\n\nAs the arbiter, analyze the debate and declare a verdict.";
