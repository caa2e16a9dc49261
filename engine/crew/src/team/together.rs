//! Several members at once.

use std::panic::resume_unwind;

use thalweg::failure::{Failure, FailureKind};
use tokio::task::JoinSet;

use super::Answering;

/// What all of them say, in their order. The first that fails ends the others, and they have ended when this returns; so do all of
/// them when it is dropped.
pub(super) async fn together(members: Vec<Answering>) -> Result<Vec<String>, Failure> {
    let mut answers = vec![String::new(); members.len()];
    let mut tasks = JoinSet::new();
    for (place, member) in members.into_iter().enumerate() {
        tasks.spawn(async move { (place, member.await) });
    }
    while let Some(joined) = tasks.join_next().await {
        let failure = match joined {
            Ok((place, Ok(answer))) => {
                answers[place] = answer;
                continue;
            }
            Ok((_, Err(failure))) => failure,
            Err(error) => match error.try_into_panic() {
                // As it would go on without tasks: whoever asked the team catches it.
                Ok(panic) => resume_unwind(panic),
                Err(_) => Failure::new(FailureKind::Aborted, "the runtime of a member was shut down"),
            },
        };
        tasks.shutdown().await;
        return Err(failure);
    }
    Ok(answers)
}
