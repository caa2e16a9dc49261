//! One member after the other, each with the answer of the one before as its question.

use thalweg::failure::Failure;

use super::member::Member;
use super::question::Question;
use super::voice::Voice;

pub(super) async fn answer(stages: Vec<Member>, question: Question, voice: Voice) -> Result<String, Failure> {
    let Some((last, before)) = stages.split_last() else { return Ok(String::new()) };
    let mut question = question;
    for stage in before {
        let answer = stage.answer(question.clone(), voice.at_work(stage.name())).await?;
        question = question.only(&answer);
    }
    last.answer(question, voice.pass_to(last.name())).await
}
