//! Tasks without a runtime: for a program that has an event loop of its own, on whose thread everything is to run.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Wake, Waker};

use crate::pieces::lock;

/// A place where tasks run when its owner says so, in the order in which they became ready. Cheap to clone.
#[derive(Clone)]
pub struct Turns(Arc<Shared>);

struct Shared {
    ready: Mutex<VecDeque<Arc<Job>>>,
    notify: Box<dyn Fn() + Send + Sync>,
}

/// A task of it.
pub(crate) struct Job {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    is_queued: AtomicBool,
    is_over: AtomicBool,
    turns: Weak<Shared>,
}

impl Turns {
    /// `notify` is called when there is something to run where there was nothing; by whoever made it ready, on any
    /// thread, so it had better only leave a note.
    pub fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { ready: Mutex::default(), notify: Box::new(notify) }))
    }

    /// Runs what is ready, and what becomes so meanwhile, but not more than so many steps. Gives whether more is ready.
    pub fn run(&self, steps_max: usize) -> bool {
        for _ in 0..steps_max {
            let job = lock(&self.0.ready).pop_front();
            let Some(job) = job else { return false };
            job.step();
        }
        !lock(&self.0.ready).is_empty()
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Arc<Job> {
        let job = Arc::new(Job {
            future: Mutex::new(Some(Box::pin(task))),
            is_queued: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            turns: Arc::downgrade(&self.0),
        });
        job.wake_by_ref();
        job
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turns({} ready)", lock(&self.0.ready).len())
    }
}

impl Job {
    fn step(self: Arc<Self>) {
        self.is_queued.store(false, Ordering::Release);
        let mut held = lock(&self.future);
        let Some(future) = &mut *held else { return };
        let waker = Waker::from(self.clone());
        // A panic ends the task, as in a runtime; what it held says so to its readers as it is dropped.
        let pending = !self.is_over()
            && catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()))
                .unwrap_or(false);
        // It may have been aborted meanwhile, by itself too.
        if pending && !self.is_over() {
            return;
        }
        self.is_over.store(true, Ordering::Release);
        let future = held.take();
        drop(held);
        drop(future);
    }

    /// Drops it where it waits; if it runs at this moment, then when it waits next.
    pub(crate) fn abort(&self) {
        self.is_over.store(true, Ordering::Release);
        let future = self.future.try_lock().ok().and_then(|mut held| held.take());
        drop(future);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_over() || self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(turns) = self.turns.upgrade() else { return };
        let was_empty = {
            let mut ready = lock(&turns.ready);
            ready.push_back(self.clone());
            ready.len() == 1
        };
        if was_empty {
            (turns.notify)();
        }
    }
}
