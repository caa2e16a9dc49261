//! Records of requests: for a log, for the bill, for a budget.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use thalweg_agent::assembly::{Assembly, End};
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::message::AssistantMessage;

use super::Middleware;
use crate::responder::{Ask, Asking, Batch, ReplyEvents, ReplyStream, Responder};

type After = dyn Fn(&Record) + Send + Sync;
type Before = dyn Fn(&Ask) -> Result<(), Failure> + Send + Sync;

/// Calls a function with the [`Record`] of each request once its reply has ended, was stopped or failed; and another one
/// before, which may refuse the request. What a reply costs is reckoned from its usage there, and a budget is kept.
#[derive(Clone)]
pub struct Observe {
    before: Option<Arc<Before>>,
    after: Arc<After>,
}

/// How one request went. It holds no key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// Who was asked.
    pub responder: String,
    /// The provider that answered, by its id, if one did and has one.
    pub provider: Option<String>,
    /// The model that was asked for.
    pub model: String,
    /// The turn of the run.
    pub turn: u32,
    /// Number of messages that were sent.
    pub messages: usize,
    /// From the request to the first content.
    pub first_content: Option<Duration>,
    /// From the request to the end of the reply.
    pub duration: Duration,
    /// The reply, complete or as far as it came, with its usage and its end; none when there was none.
    pub reply: Option<AssistantMessage>,
    /// Why there was none, or no complete one.
    pub failure: Option<Failure>,
}

impl Observe {
    /// Records go to `after`.
    #[must_use]
    pub fn new(after: impl Fn(&Record) + Send + Sync + 'static) -> Self {
        Self { before: None, after: Arc::new(after) }
    }

    /// Asked before each request is sent; an error refuses it.
    #[must_use]
    pub fn before(mut self, before: impl Fn(&Ask) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        self.before = Some(Arc::new(before));
        self
    }
}

impl Middleware for Observe {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            if let Some(before) = &self.before {
                before(&ask)?;
            }
            let record = Record {
                responder: next.name().to_owned(),
                provider: None,
                model: ask.request().model.clone(),
                turn: ask.turn(),
                messages: ask.messages_json().len(),
                first_content: None,
                duration: Duration::ZERO,
                reply: None,
                failure: None,
            };
            // From here on the record is told on every way out, also when the future or the stream is dropped.
            let mut open =
                Open { record: Some(record), started: Instant::now(), after: Arc::clone(&self.after), assembly: None };
            match next.ask(ask).await {
                Ok(reply) => {
                    if let Some(record) = &mut open.record {
                        record.provider = reply.provider().map(str::to_owned);
                    }
                    open.assembly = Some(Assembly::new());
                    Ok(reply.map(|inner| Watched { inner, open }))
                }
                Err(failure) => {
                    open.tell(End::Error(failure.clone()));
                    Err(failure)
                }
            }
        })
    }
}

struct Open {
    record: Option<Record>,
    started: Instant,
    after: Arc<After>,
    assembly: Option<Assembly>,
}

impl Open {
    fn tell(&mut self, end: End) {
        let Some(mut record) = self.record.take() else { return };
        record.duration = self.started.elapsed();
        match self.assembly.take() {
            Some(mut assembly) => {
                assembly.finish(end);
                let mut reply = assembly.into_message();
                reply.provider.clone_from(&record.provider);
                record.failure.clone_from(&reply.error);
                record.reply = Some(reply);
            }
            None => {
                record.failure = Some(match end {
                    End::Error(failure) => failure,
                    End::Reset(how) => Failure::new(FailureKind::Connection, how),
                    End::Aborted | End::Eof => Failure::new(FailureKind::Aborted, "the caller stopped the request"),
                });
            }
        }
        (self.after)(&record);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tell(End::Aborted);
    }
}

struct Watched {
    inner: ReplyStream,
    open: Open,
}

impl ReplyEvents for Watched {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let polled = self.inner.poll_next(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(batch))) => {
                if let Some(assembly) = &mut self.open.assembly {
                    for event in batch.iter() {
                        assembly.handle_event(&event);
                    }
                }
                if let Some(record) = &mut self.open.record
                    && record.first_content.is_none()
                    && batch.has_content()
                {
                    record.first_content = Some(self.open.started.elapsed());
                }
            }
            Poll::Ready(None) => self.open.tell(End::Eof),
            Poll::Ready(Some(Err(failure))) => self.open.tell(End::Error(failure.clone())),
        }
        polled
    }
}

/// One line for a log.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} turn {} {} ms", self.responder, self.model, self.turn, self.duration.as_millis())?;
        if let Some(first) = self.first_content {
            write!(f, " first {} ms", first.as_millis())?;
        }
        if let Some(reply) = &self.reply {
            let count = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
            write!(f, " in {} out {}", count(reply.usage.input_tokens), count(reply.usage.output_tokens))?;
        }
        match &self.failure {
            Some(failure) => write!(f, " failed {}: {failure}", failure.kind.as_str()),
            None => write!(f, " ok"),
        }
    }
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe").finish_non_exhaustive()
    }
}
