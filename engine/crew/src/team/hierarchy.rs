//! Workers at once, and a lead that makes one answer of theirs.

use std::fmt::Write as _;

use thalweg::failure::Failure;

use super::member::Member;
use super::question::Question;
use super::together::together;
use super::voice::Voice;

pub(super) async fn answer(
    lead: Member,
    workers: Vec<Member>,
    question: Question,
    voice: Voice,
) -> Result<String, Failure> {
    let answering =
        workers.iter().map(|worker| worker.answer(question.clone(), voice.at_work(worker.name()))).collect();
    let said = together(answering).await?;
    let question = question.ending(&synthesis(&question.text(), &said));
    lead.answer(question, voice.pass_to(lead.name())).await
}

/// What the lead is asked.
fn synthesis(question: &str, said: &[String]) -> String {
    let mut text = format!("Original question: {question}");
    for (worker, said) in said.iter().enumerate() {
        // Into a string: it cannot fail.
        let _ = write!(text, "\n\nWorker {} said:\n{said}", worker + 1);
    }
    text + "\n\nSynthesize a single coherent answer combining the workers' perspectives."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lead_is_told_the_question_and_what_each_worker_said() {
        assert_eq!(
            synthesis("Why?", &["So.".to_owned(), "Thus.".to_owned()]),
            "Original question: Why?\n\nWorker 1 said:\nSo.\n\nWorker 2 said:\nThus.\n\nSynthesize a single coherent \
             answer combining the workers' perspectives."
        );
    }
}
