//! A reply that is coming in.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use thalweg_abi::retry_hint::retry_after_ms;
use thalweg_abi::types::EVENT_ERROR;
use thalweg_agent::failure::{Failure, FailureKind};

use super::batch::Batch;

/// Gives the events of one reply.
pub trait ReplyEvents: Send {
    /// The next events, at least one; `None` once the body has ended in order. An error is the last that comes.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>>;
}

/// A reply that is coming in. Dropping it closes its socket, or tells its provider to stop.
pub struct ReplyStream {
    /// What was read ahead of the rest.
    ahead: VecDeque<Batch>,
    events: Box<dyn ReplyEvents>,
    provider: Option<String>,
    is_over: bool,
}

impl ReplyStream {
    /// A reply of `events`.
    #[must_use]
    pub fn new(provider: Option<String>, events: impl ReplyEvents + 'static) -> Self {
        Self { ahead: VecDeque::new(), events: Box::new(events), provider, is_over: false }
    }

    /// A reply that is there already.
    #[must_use]
    pub fn ready(provider: Option<String>, batch: Batch) -> Self {
        Self { ahead: VecDeque::from([batch]), ..Self::new(provider, Nothing) }
    }

    /// The provider that gives it, by its id.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// The next events, at least one; `None` once the reply has ended. Whether it is complete say its events alone.
    /// Cancel-safe.
    ///
    /// # Errors
    /// What went wrong; nothing comes behind it.
    pub async fn next(&mut self) -> Option<Result<Batch, Failure>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`ReplyStream::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        if let Some(batch) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(batch)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = self.events.poll_next(cx);
        self.is_over = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    /// The same reply with its events going through `wrap`.
    #[must_use]
    pub fn map<E: ReplyEvents + 'static>(self, wrap: impl FnOnce(Self) -> E) -> Self {
        let provider = self.provider.clone();
        Self::new(provider, wrap(self))
    }

    /// Reads on until there is something that a reader may see. A reply that fails before is an error, so that it can be
    /// asked for again, or elsewhere.
    ///
    /// # Errors
    /// Why there is nothing to see.
    pub async fn until_content(mut self) -> Result<Self, Failure> {
        let mut ahead = VecDeque::new();
        loop {
            match self.next().await {
                Some(Ok(batch)) => {
                    let has_content = batch.has_content();
                    if !has_content && let Some(failure) = reported(&batch) {
                        return Err(failure);
                    }
                    ahead.push_back(batch);
                    if has_content {
                        self.ahead = ahead;
                        return Ok(self);
                    }
                }
                Some(Err(failure)) => return Err(failure),
                None => {
                    let message = "the stream ended before anything of the reply came; the provider or a proxy cut it";
                    return Err(Failure::new(FailureKind::Truncated, message));
                }
            }
        }
    }
}

/// The error that a batch tells of, if it does.
fn reported(batch: &Batch) -> Option<Failure> {
    let event = batch.iter().find(|event| event.kind() == EVENT_ERROR)?;
    let text = String::from_utf8_lossy(event.text());
    let message = if text.is_empty() { "the provider reports an error without saying which".into() } else { text };
    let mut failure = Failure::new(FailureKind::from_num(event.num()), message);
    failure.details = serde_json::from_slice(event.aux()).ok();
    failure.retry_after_ms = retry_after_ms(event.text(), event.aux());
    Some(failure)
}

impl fmt::Debug for ReplyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyStream").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// No more events.
struct Nothing;

impl ReplyEvents for Nothing {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        Poll::Ready(None)
    }
}
