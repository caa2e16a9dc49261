//! Who drives a connection: a task of its own, or whoever reads a body from it.
//!
//! hyper reads the socket in the connection's task and passes each chunk to the reader's, which is two switches of tasks for a
//! delta. With a [`Lease`] the reader polls the connection itself; the task rests until the lease ends.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use hyper::rt::Executor;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts a task for each connection of a pool, and for what else the pool does.
#[derive(Clone, Debug)]
pub(super) struct Tasks;

impl Executor<Work> for Tasks {
    fn execute(&self, work: Work) {
        let shared = Shared { work: Some(work), is_lent: false, task: None };
        tokio::spawn(Task { shared: Arc::new(Mutex::new(shared)), is_known: false });
    }
}

struct Shared {
    /// `None` while it is lent, and when it is done.
    work: Option<Work>,
    is_lent: bool,
    /// What wakes the task.
    task: Option<Waker>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Every change leaves it whole; only the work itself may panic, and is then as it is.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Task {
    shared: Arc<Mutex<Shared>>,
    /// The connection has asked for its handle.
    is_known: bool,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { shared, is_known } = &mut *self;
        let handle = (!*is_known).then(|| Handle(Arc::downgrade(shared)));
        let Shared { work, is_lent, task } = &mut *lock(shared);
        match task {
            Some(task) => task.clone_from(cx.waker()),
            None => *task = Some(cx.waker().clone()),
        }
        let Some(work) = work else { return if *is_lent { Poll::Pending } else { Poll::Ready(()) } };
        if handle.is_none() {
            return work.as_mut().poll(cx);
        }
        POLLED.set(handle);
        let polled = work.as_mut().poll(cx);
        *is_known = POLLED.take().is_none();
        polled
    }
}

thread_local! {
    /// The connection whose task is being polled, until it has been asked for.
    static POLLED: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// A connection that can be lent.
#[derive(Clone)]
pub(super) struct Handle(Weak<Mutex<Shared>>);

impl Handle {
    /// That of the connection which is being polled, for the socket below it.
    pub(super) fn of_polled() -> Option<Self> {
        POLLED.take()
    }

    /// Lets the caller drive the connection; `None` when it has ended or somebody else does.
    pub(super) fn lend(&self) -> Option<Lease> {
        let shared = self.0.upgrade()?;
        let work = {
            let mut shared = lock(&shared);
            let work = shared.work.take()?;
            shared.is_lent = true;
            work
        };
        let task = Waker::noop().clone();
        let relay = Arc::new(Relay { state: AtomicU8::new(IDLE), task: Mutex::new(task.clone()) });
        Some(Lease { work: Some(work), shared, waker: Waker::from(Arc::clone(&relay)), relay, task })
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The right to drive a connection. Dropped, it gives the connection back to its task.
pub(super) struct Lease {
    work: Option<Work>,
    shared: Arc<Mutex<Shared>>,
    relay: Arc<Relay>,
    /// Wakes through `relay`.
    waker: Waker,
    /// What `relay` wakes.
    task: Waker,
}

impl Lease {
    /// Polls `read`, and the connection for as long as that gives `read` something new.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(work) = &mut self.work else { return read(cx) };
        if !self.task.will_wake(cx.waker()) {
            self.task.clone_from(cx.waker());
            self.relay.wakes(cx.waker());
        }
        let mut inner = Context::from_waker(&self.waker);
        self.relay.begin();
        for round in 0..ROUNDS {
            if let Poll::Ready(read) = read(&mut inner) {
                self.relay.rest();
                return Poll::Ready(read);
            }
            if round > 0 {
                // What woke us until now is answered by the poll that follows.
                self.relay.begin();
            }
            if work.as_mut().poll(&mut inner).is_ready() {
                // Nothing comes any more, and nobody wakes through the relay.
                self.work = None;
                self.relay.rest();
                return read(cx);
            }
            if self.relay.end() {
                return Poll::Pending;
            }
        }
        // As when the runtime makes a task that reads for too long wait for its next turn.
        self.relay.rest();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.work = self.work.take();
        shared.is_lent = false;
        if let Some(task) = &shared.task {
            task.wake_by_ref();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

/// Passes on who wakes the reader, unless the reader is just polling: then it is told to go round once more, and the runtime
/// needs not know.
#[derive(Debug)]
struct Relay {
    state: AtomicU8,
    task: Mutex<Waker>,
}

/// Nobody polls; a wake is passed on.
const IDLE: u8 = 0;
/// The reader polls.
const POLLING: u8 = 1;
/// It was woken, or waits for nothing: a wake is not passed on.
const WOKEN: u8 = 2;

impl Relay {
    fn wakes(&self, waker: &Waker) {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(waker);
    }

    /// From here on a wake is kept. Who woke before is seen by the polls that follow: hence the swap.
    fn begin(&self) {
        self.state.swap(POLLING, Ordering::AcqRel);
    }

    fn rest(&self) {
        self.state.store(WOKEN, Ordering::Release);
    }

    /// Whether nobody woke it since it began to poll: then a wake is passed on.
    fn end(&self) -> bool {
        self.state.load(Ordering::Relaxed) == POLLING
            && self.state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == IDLE {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

/// The connection reads, the reader takes what it read: two. More means that somebody wants it to stop for a moment.
const ROUNDS: usize = 4;
