//! Asks again after failures that pass, while nothing of the reply was seen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thalweg_agent::failure::Failure;

use super::Middleware;
use crate::http;
use crate::responder::{Ask, Asking, Responder};

type Notice = dyn Fn(&RetryNotice) + Send + Sync;

/// Asks again after failures that pass: limits, overload, errors of the server, lost connections, streams that end before
/// anything came. A reply of which anything was given is never asked for again.
#[derive(Clone, Default)]
pub struct Retry {
    rules: http::Retry,
    notice: Option<Arc<Notice>>,
}

/// A retry that is about to be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetryNotice {
    /// Number of the retry, from 1.
    pub number: u32,
    /// Pause before it.
    pub delay: Duration,
    /// Why it is made.
    pub failure: Failure,
}

impl Retry {
    /// Retries by these rules: how many, with which pauses, and how long a server may ask to wait.
    #[must_use]
    pub const fn new(rules: http::Retry) -> Self {
        Self { rules, notice: None }
    }

    /// A function that hears of every retry before its pause.
    #[must_use]
    pub fn on_retry(mut self, notice: impl Fn(&RetryNotice) + Send + Sync + 'static) -> Self {
        self.notice = Some(Arc::new(notice));
        self
    }
}

impl Middleware for Retry {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let mut number = 0;
            loop {
                let outcome = match next.ask(ask.clone()).await {
                    Ok(reply) => reply.until_content().await,
                    Err(failure) => Err(failure),
                };
                let failure = match outcome {
                    Ok(reply) => return Ok(reply),
                    Err(failure) => failure,
                };
                number += 1;
                let asked = failure.retry_after_ms.map(Duration::from_millis);
                let Some(delay) = self.rules.pause(number, asked).filter(|_| failure.may_pass()) else {
                    return Err(failure);
                };
                if let Some(notice) = &self.notice {
                    notice(&RetryNotice { number, delay, failure });
                }
                tokio::time::sleep(delay).await;
            }
        })
    }

    fn retries(&self) -> bool {
        true
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("rules", &self.rules).finish_non_exhaustive()
    }
}
