//! A provider that is an async function of the program.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use thalweg_agent::failure::{Failure, FailureKind};

use super::ask::Ask;
use super::batch::Batch;
use super::sink::ReplySink;
use super::stream::{ReplyEvents, ReplyStream};
use super::{Asking, Responder};

/// A provider that is an async function: it gets what is asked, and puts the events of the reply into the sink while it
/// runs. An error ends the reply; so does a panic, which is not spread. The function's future is dropped when nobody
/// waits for the reply any more. One that blocks belongs into `tokio::task::spawn_blocking`, with a clone of the sink.
pub fn from_fn<F, Fut>(name: impl Into<String>, function: F) -> Arc<dyn Responder>
where
    F: Fn(Ask, ReplySink) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Arc::new(Function { name: name.into(), function })
}

struct Function<F> {
    name: String,
    function: F,
}

impl<F, Fut> Responder for Function<F>
where
    F: Fn(Ask, ReplySink) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        let sink = ReplySink::default();
        let running = (self.function)(ask, sink.clone());
        let events = Running { future: Some(Box::pin(running)), end: None, sink };
        let reply = ReplyStream::new(Some(self.name.clone()), events);
        Box::pin(std::future::ready(Ok(reply)))
    }
}

type Giving = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

struct Running {
    future: Option<Giving>,
    end: Option<Failure>,
    sink: ReplySink,
}

impl ReplyEvents for Running {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        if let Some(future) = &mut self.future {
            let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.as_mut().poll(cx)));
            let polled = polled.unwrap_or_else(|_| {
                Poll::Ready(Err(Failure::new(FailureKind::Plugin, "the provider panicked while it gave its reply")))
            });
            if let Poll::Ready(result) = polled {
                self.future = None;
                self.end = result.err();
            }
        }
        if let Some(batch) = self.sink.take(cx) {
            return Poll::Ready(Some(Ok(batch)));
        }
        if self.future.is_some() {
            return Poll::Pending;
        }
        Poll::Ready(self.end.take().map(Err))
    }
}
