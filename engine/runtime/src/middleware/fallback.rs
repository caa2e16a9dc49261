//! Asks another provider when one fails.

use std::fmt;
use std::sync::Arc;

use thalweg_agent::failure::{Failure, FailureKind};

use super::Middleware;
use crate::responder::{Ask, Asking, Responder};

type Wanted = dyn Fn(&Failure) -> bool + Send + Sync;

/// Asks other providers, one after the other, when one fails before anything of its reply came: no connection, an error,
/// a stream that ends at once. Each has its own model and dialect; messages are made fit for it. Give it
/// [`Client`](crate::Client)s, which are responders.
pub struct Fallback {
    others: Vec<Arc<dyn Responder>>,
    wanted: Arc<Wanted>,
}

impl Fallback {
    /// Falls back to `others`, in this order.
    #[must_use]
    pub fn to(others: impl IntoIterator<Item = Arc<dyn Responder>>) -> Self {
        Self { others: others.into_iter().collect(), wanted: Arc::new(|failure| failure.kind != FailureKind::Aborted) }
    }

    /// Falls back only after failures for which `wanted` says so; after all unless set.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        self.wanted = Arc::new(wanted);
        self
    }
}

impl Middleware for Fallback {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let mut failures: Vec<(String, Failure)> = Vec::new();
            let all = std::iter::once(next).chain(self.others.iter().map(|other| &**other));
            for responder in all {
                let outcome = match responder.ask(ask.clone()).await {
                    Ok(reply) => reply.until_content().await,
                    Err(failure) => Err(failure),
                };
                match outcome {
                    Ok(reply) => return Ok(reply),
                    Err(failure) => {
                        let is_last = !(self.wanted)(&failure);
                        failures.push((responder.name().to_owned(), failure));
                        if is_last {
                            break;
                        }
                    }
                }
            }
            Err(joined(failures))
        })
    }
}

/// The last failure, with the words of those before.
fn joined(mut failures: Vec<(String, Failure)>) -> Failure {
    let Some((_, mut last)) = failures.pop() else {
        return Failure::new(FailureKind::Other, "there is nobody to ask");
    };
    for (name, failure) in failures.iter().rev() {
        last.message.push_str(&format!("; before, {name}: {}", failure.message));
    }
    last
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.others.iter().map(Responder::name).collect();
        f.debug_struct("Fallback").field("others", &names).finish_non_exhaustive()
    }
}
