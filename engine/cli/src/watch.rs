//! Follows a run to its end, and stops it on Ctrl-C.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use thalweg::run::Event;
use thalweg::{Events, Run};

use crate::failure::INTERRUPTED;

/// A reader of a run's events that also listens for Ctrl-C: the first one aborts the run, whose end is still read; the
/// second one ends the process.
pub(crate) struct Watch<'r> {
    run: &'r Run,
    events: Events,
    interrupt: Interrupt,
}

impl<'r> Watch<'r> {
    /// From the run's first event.
    pub(crate) fn new(run: &'r Run) -> Self {
        Self { run, events: run.events(), interrupt: Interrupt::new() }
    }

    /// The next event. `idle` is called whenever it has to be waited for: output that is held back goes out then, so that
    /// a burst of events is one write.
    pub(crate) async fn next(&mut self, mut idle: impl FnMut() -> io::Result<()>) -> io::Result<Option<Event<'_>>> {
        let Self { run, events, interrupt } = self;
        let mut next = pin!(events.next());
        poll_fn(|context| {
            if interrupt.poll(context) {
                run.abort();
            }
            match next.as_mut().poll(context) {
                Poll::Ready(event) => Poll::Ready(Ok(event)),
                Poll::Pending => idle().map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending),
            }
        })
        .await
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) const fn was_interrupted(&self) -> bool {
        self.interrupt.seen
    }
}

struct Interrupt {
    next: Pin<Box<dyn Future<Output = ()> + Send>>,
    seen: bool,
}

impl Interrupt {
    fn new() -> Self {
        Self { next: Box::pin(next_interrupt()), seen: false }
    }

    /// Whether Ctrl-C was pressed since the last call.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let mut now = false;
        while self.next.as_mut().poll(context).is_ready() {
            if self.seen {
                std::process::exit(INTERRUPTED.into());
            }
            (self.seen, now) = (true, true);
            self.next = Box::pin(next_interrupt());
        }
        now
    }
}

async fn next_interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Where Ctrl-C cannot be listened to, it ends the process, as everywhere.
        pending::<()>().await;
    }
}
