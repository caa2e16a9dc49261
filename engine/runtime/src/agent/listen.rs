//! Functions that are called with every event of an agent's runs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{Agent, State};
use crate::run::{Event, Run};

struct Listener {
    is_wanted: AtomicBool,
    hear: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

/// The listeners of an agent.
pub(super) struct Listeners {
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// Where the run that is going on is driven.
    runtime: Mutex<Option<Handle>>,
    /// Tasks that have not told their listener all of a run yet.
    busy: watch::Sender<usize>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { listeners: Mutex::default(), runtime: Mutex::default(), busy: watch::Sender::new(0) }
    }
}

impl Listeners {
    /// A run begins on `runtime`.
    pub(super) fn follow(&self, run: &Run, runtime: &Handle) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| listener.is_wanted.load(Ordering::Acquire));
        for listener in &*listeners {
            self.tell(runtime, run, Arc::clone(listener));
        }
        *lock(&self.runtime) = Some(runtime.clone());
    }

    fn tell(&self, runtime: &Handle, run: &Run, listener: Arc<Listener>) {
        let busy = Busy::new(&self.busy);
        let mut events = run.events();
        runtime.spawn(async move {
            let _busy = busy;
            while let Some(event) = events.next().await {
                if !listener.is_wanted.load(Ordering::Acquire) {
                    return;
                }
                // A listener that panics hears the next event as if nothing had been: it is not the run's business.
                let _ = catch_unwind(AssertUnwindSafe(|| (listener.hear)(&event)));
            }
        });
    }

    /// Waits until all listeners have heard all.
    pub(super) async fn wait(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.busy.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One task of those that are counted.
struct Busy(watch::Sender<usize>);

impl Busy {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A listener of an agent, see [`Agent::subscribe`]. Dropping it changes nothing.
#[derive(Clone)]
pub struct Subscription(Arc<Listener>);

impl Subscription {
    /// Has the listener called no more; a call that is going on ends by itself.
    pub fn unsubscribe(&self) {
        self.0.is_wanted.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Agent {
    /// Has `hear` called with every event of this agent's runs, in their order, from now on; of a run that is going on, from
    /// its first event. It is called on the runtime of the run, beside it: a slow listener does not hold it up, and one that
    /// panics does not harm it. Several listeners are told independently of each other.
    pub fn subscribe(&self, hear: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Subscription {
        let listener = Arc::new(Listener { is_wanted: AtomicBool::new(true), hear: Box::new(hear) });
        // Under the lock of the state no run can begin in between and be told twice.
        let state = self.inner.lock();
        let listeners = &self.inner.listeners;
        lock(&listeners.listeners).push(Arc::clone(&listener));
        if let State::Running(run) = &*state
            && let Some(runtime) = &*lock(&listeners.runtime)
        {
            listeners.tell(runtime, run, Arc::clone(&listener));
        }
        Subscription(listener)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
