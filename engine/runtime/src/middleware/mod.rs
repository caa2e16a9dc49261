//! What stands between those who ask for replies and those who give them: retries, fallbacks, limits, records, a cache.
//!
//! A [`Middleware`] gets what is asked and the [`Responder`] behind it. The first of several is the outermost: in
//! `[Fallback, Retry]` each provider of the fallback is tried once and the first one several times. They work for streams
//! and for whole replies, for agents and for clients, and for any responder.
//!
//! ```
//! use thalweg::middleware::{Observe, RateLimit, Retry};
//!
//! let agent = thalweg::Agent::builder()
//!     .model("openai/gpt-5-mini")
//!     .middleware(Observe::new(|record| eprintln!("{record}")))
//!     .middleware(RateLimit::per_minute(60).tokens(100_000))
//!     .middleware(Retry::default());
//! # drop(agent);
//! ```
//!
//! An agent or client without middleware does not pass through any of this; it sends again by itself, as its
//! [`http::Retry`](crate::http::Retry) says, and goes on doing so behind middleware unless there is a [`Retry`] among it.

mod cache;
mod compact;
mod fallback;
mod markdown_log;
mod observe;
mod rate_limit;
mod retry;

use std::sync::Arc;

use crate::responder::{Ask, Asking, Responder};

pub use cache::Cache;
pub use compact::Compact;
pub use fallback::Fallback;
pub use markdown_log::MarkdownLog;
pub use observe::{Observe, Record};
pub use rate_limit::{RateLimit, WhenFull};
pub use retry::{Retry, RetryNotice};

/// Something that stands before a responder.
pub trait Middleware: Send + Sync {
    /// Asks `next`, or does something else. Everything of `next` may be asked, not at all, once or several times.
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a>;

    /// Whether it asks again by itself after failures that pass, so that nobody else needs to.
    fn retries(&self) -> bool {
        false
    }
}

/// `responder` with `middleware` before it, of which the first is the outermost.
#[must_use]
pub fn stack(
    responder: Arc<dyn Responder>,
    middleware: impl IntoIterator<Item = Arc<dyn Middleware>, IntoIter: DoubleEndedIterator>,
) -> Arc<dyn Responder> {
    middleware.into_iter().rev().fold(responder, |next, first| Arc::new(Stacked { first, next }))
}

struct Stacked {
    first: Arc<dyn Middleware>,
    next: Arc<dyn Responder>,
}

impl Responder for Stacked {
    fn name(&self) -> &str {
        self.next.name()
    }

    fn provider(&self) -> Option<&str> {
        self.next.provider()
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        self.first.ask(ask, &*self.next)
    }
}
