//! A value that will be there, and the pieces that it is made of.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::Poll;

use thalweg_actor::Failure;
use tokio::sync::Notify;

use crate::crew::Crew;
use crate::pieces::{Appender, Cancelled, Piece, Reader, Shared, lock, pieces};
use crate::task::Task;

/// Pieces that stream, and a value that is made once. Cheap to clone; all clones are the same promise.
///
/// A producer writes the pieces, and a resolver makes the value of them. Each is an async function that runs once,
/// however many read. Whatever becomes of them, an error, a panic, a cancel or the end of the runtime, no reader hangs.
pub struct Promise<P: Piece, T>(pub(crate) Arc<Inner<P, T>>);

pub(crate) struct Inner<P: Piece, T> {
    pieces: Arc<Shared<P>>,
    value: OnceLock<Result<T, Failure>>,
    resolved: Notify,
    /// What makes it run, until it does.
    start: Mutex<Start>,
}

enum Start {
    Waits(Box<dyn FnOnce() -> Task + Send>),
    Runs(Task),
    /// Nothing ever runs: pieces and value were there from the start.
    Made,
}

impl<P: Piece, T: Clone + Send + Sync + 'static> Promise<P, T> {
    /// A promise of what `producer` writes and `resolver` makes of it, started as the crew does by default.
    pub fn new<A, B>(
        crew: &Crew,
        producer: impl FnOnce(Appender<P>) -> A + Send + 'static,
        resolver: impl FnOnce(Reader<P>) -> B + Send + 'static,
    ) -> Self
    where
        A: Future<Output = Result<(), Failure>> + Send + 'static,
        B: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Self::with_window(crew, 0, producer, resolver)
    }

    /// As [`Promise::new`], but a producer that asks for [`Appender::room`] waits while `window` pieces are unread.
    pub fn with_window<A, B>(
        crew: &Crew,
        window: u64,
        producer: impl FnOnce(Appender<P>) -> A + Send + 'static,
        resolver: impl FnOnce(Reader<P>) -> B + Send + 'static,
    ) -> Self
    where
        A: Future<Output = Result<(), Failure>> + Send + 'static,
        B: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let shared = pieces(window);
        let promise = Self::waiting(shared.clone());
        // Dropped with the task, or with a promise that was never started: whatever becomes of them, readers see an end.
        let settle = Settle { inner: Arc::downgrade(&promise.0), shared };
        let crew_of_task = crew.clone();
        let task = move || {
            crew_of_task.spawn(async move {
                let shared = &settle.shared;
                let produced = guarded(|| producer(Appender(shared.clone()))).await.and_then(|outcome| outcome);
                if let Err(failure) = produced {
                    // Closed by the producer itself: then the pieces had their end, and only the value can say so.
                    let _ = shared.append_error(failure);
                }
                shared.close();
                let value = guarded(|| resolver(shared.reader())).await.and_then(|outcome| outcome);
                settle.resolve(value);
            })
        };
        *lock(&promise.0.start) = if crew.starts_soon() { Start::Runs(task()) } else { Start::Waits(Box::new(task)) };
        promise
    }

    /// A promise that is kept: its pieces and value are there.
    pub fn made(fill: impl FnOnce(&Appender<P>), value: Result<T, Failure>) -> Self {
        let shared = pieces(0);
        let appender = Appender(shared.clone());
        fill(&appender);
        appender.close();
        let promise = Self::waiting(shared);
        promise.0.resolve(value);
        promise
    }

    /// A promise that is written and settled from outside, and what does so.
    pub(crate) fn open() -> (Settle<P, T>, Self) {
        let shared = pieces(0);
        let promise = Self::waiting(shared.clone());
        (Settle { inner: Arc::downgrade(&promise.0), shared }, promise)
    }

    fn waiting(pieces: Arc<Shared<P>>) -> Self {
        Self(Arc::new(Inner {
            pieces,
            value: OnceLock::new(),
            resolved: Notify::new(),
            start: Mutex::new(Start::Made),
        }))
    }

    /// Starts what was to start on request.
    pub fn start(&self) {
        if self.0.value.get().is_some() {
            return;
        }
        let mut start = lock(&self.0.start);
        if let Start::Waits(_) = *start
            && let Start::Waits(task) = std::mem::replace(&mut *start, Start::Made)
        {
            *start = Start::Runs(task());
        }
    }

    /// A reader of all pieces, from the first one on. Starts what was to start on request.
    pub fn reader(&self) -> Reader<P> {
        self.start();
        self.0.pieces.reader()
    }

    /// The value, the same for all.
    ///
    /// # Errors
    /// The failure of the producer or the resolver, the same for all.
    pub async fn value(&self) -> Result<T, Failure> {
        self.start();
        loop {
            let mut resolved = pin!(self.0.resolved.notified());
            if self.0.value.get().is_none() {
                resolved.as_mut().enable();
            }
            if let Some(value) = self.0.value.get() {
                return value.clone();
            }
            resolved.await;
        }
    }

    /// The value if it is there by now.
    #[must_use]
    pub fn try_value(&self) -> Option<Result<T, Failure>> {
        self.0.value.get().cloned()
    }

    /// Stops the producer where it waits. Readers get [`Cancelled`] behind the pieces that there are, and so does who
    /// waits for the value. Does nothing to one that is kept.
    pub fn cancel(&self) {
        let mut start = lock(&self.0.start);
        match std::mem::replace(&mut *start, Start::Made) {
            Start::Runs(task) => task.abort(),
            // Its appender closes the log as it is dropped.
            Start::Waits(task) => {
                drop(start);
                drop(task);
            }
            Start::Made => {}
        }
    }
}

impl<P: Piece, T> Clone for Promise<P, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Piece, T> Inner<P, T> {
    /// The first value counts.
    fn resolve(&self, value: Result<T, Failure>) {
        if self.value.set(value).is_ok() {
            self.resolved.notify_waiters();
        }
    }
}

/// What a task leaves behind, even if it never ran.
pub(crate) struct Settle<P: Piece, T> {
    inner: Weak<Inner<P, T>>,
    pub(crate) shared: Arc<Shared<P>>,
}

impl<P: Piece, T> Settle<P, T> {
    pub(crate) fn resolve(&self, value: Result<T, Failure>) {
        if let Some(inner) = self.inner.upgrade() {
            inner.resolve(value);
        }
    }
}

impl<P: Piece, T> Drop for Settle<P, T> {
    fn drop(&mut self) {
        // Both do nothing if the task came to its end.
        let _ = self.shared.append_error(Cancelled.into());
        self.shared.close();
        self.resolve(Err(Cancelled.into()));
    }
}

/// Calls and awaits; a panic is a failure.
pub(crate) async fn guarded<F: Future>(call: impl FnOnce() -> F) -> Result<F::Output, Failure> {
    let called = catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Failure::from_panic(&*panic))?;
    let mut called: Pin<&mut F> = pin!(called);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| called.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(Failure::from_panic(&*panic))),
    })
    .await
}
