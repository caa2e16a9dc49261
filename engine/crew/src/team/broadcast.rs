//! All members at once, each with the whole question; the answer is all that they say.

use super::Answering;
use super::member::Member;
use super::question::Question;
use super::together::together;
use super::voice::Voice;

pub(super) fn answer(members: &[Member], question: &Question, mut voice: Voice) -> Answering {
    // Beside the answers of others there is room for one block, which then gets all of it at the end.
    let has_parts = voice.may_have_parts();
    let mut answering = Vec::new();
    for (place, member) in members.iter().enumerate() {
        if has_parts && place > 0 {
            voice.between(BETWEEN);
        }
        let own = if has_parts { voice.part(member.name()) } else { voice.at_work(member.name()) };
        answering.push(member.answer(question.clone(), own));
    }
    Box::pin(async move {
        let answer = together(answering).await?.join(BETWEEN);
        if !has_parts {
            voice.finish(&answer);
        }
        Ok(answer)
    })
}

/// What stands between two answers.
const BETWEEN: &str = "\n---\n";
