//! One consumer for the runs of a whole engine.
//!
//! A run that has something new puts its number into a queue, once; the consumer looks only at those. What was lent out
//! in one call is armed again in the next.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use thalweg::Cursor;
use thalweg_abi::types::{EOF, Event, OK, PENDING, Status};

use crate::callback;
use crate::events::lend;
use crate::fault::Fault;
use crate::reader::deadline;
use crate::signal::Signal;

/// New events of one run.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// As given in `thw_run_options`.
    pub user: *mut c_void,
    /// `count` events. NULL if there are none.
    pub events: *const Event,
    /// Number of events; 0 only with `THW_EOF`.
    pub count: usize,
    /// `THW_OK`: more may come. `THW_EOF`: the run is over, and this is its last batch.
    pub status: Status,
    /// Zero.
    pub reserved: u32,
}

/// What the consumer and the runs share.
pub(crate) struct Drain {
    queue: Mutex<Queue>,
    came: Condvar,
    consumer: Mutex<Consumer>,
}

#[derive(Default)]
struct Queue {
    /// Numbers of runs that have something new.
    ready: Vec<u64>,
    /// Runs that the consumer does not know yet.
    fresh: Vec<Source>,
    signal: Option<Arc<Signal>>,
    next_number: u64,
}

#[derive(Default)]
struct Consumer {
    sources: HashMap<u64, Source>,
    /// Numbers of the runs that something was lent out of.
    lent: Vec<u64>,
    batches: Vec<Batch>,
}

/// One run.
struct Source {
    number: u64,
    user: *mut c_void,
    cursor: Cursor,
    /// Lent to the caller until the next call; see `reader::State`.
    events: Vec<Event>,
    waker: Waker,
    is_over: bool,
}

// SAFETY: the addresses in it are the program's own, and those of a log that may be read from any thread.
unsafe impl Send for Source {}
// SAFETY: as above; a batch is only an array of such addresses.
unsafe impl Send for Consumer {}

/// Wakes the consumer for one run.
struct Ticket {
    number: u64,
    drain: Weak<Drain>,
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(drain) = self.drain.upgrade() {
            drain.put(|queue| queue.ready.push(self.number));
        }
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.fresh.is_empty()
    }
}

impl Source {
    /// Lends out what is there. False when there is nothing, and the run will come back by itself when there is.
    fn fill(&mut self) -> bool {
        loop {
            self.events.clear();
            self.events.extend(self.cursor.batch().map(|entry| lend(&entry)));
            self.is_over = self.cursor.is_drained();
            if self.is_over || !self.events.is_empty() {
                return true;
            }
            if self.cursor.poll_ready(&mut Context::from_waker(&self.waker)).is_pending() {
                return false;
            }
        }
    }

    fn batch(&self) -> Batch {
        let events = if self.events.is_empty() { std::ptr::null() } else { self.events.as_ptr() };
        let status = if self.is_over { EOF } else { OK };
        Batch { user: self.user, events, count: self.events.len(), status, reserved: 0 }
    }
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::default(), came: Condvar::new(), consumer: Mutex::default() }
    }

    /// A run whose events are wanted.
    pub(crate) fn add(self: &Arc<Self>, cursor: Cursor, user: *mut c_void) {
        self.put(|queue| {
            let number = queue.next_number;
            queue.next_number += 1;
            let waker = Waker::from(Arc::new(Ticket { number, drain: Arc::downgrade(self) }));
            queue.fresh.push(Source { number, user, cursor, events: Vec::new(), waker, is_over: false });
        });
    }

    /// Puts something into the queue, and wakes the consumer if it was empty.
    fn put(&self, put: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue();
        let was_empty = queue.is_empty();
        put(&mut queue);
        if was_empty {
            self.came.notify_one();
            if let Some(signal) = &queue.signal {
                signal.raise();
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for batches and shows them.
    pub(crate) fn next(&self, timeout_ms: u32, show: impl FnOnce(&[Batch])) -> Result<Status, Fault> {
        callback::check_may_wait(timeout_ms)?;
        let mut consumer = self.consumer.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                Fault::state("another thread is in thw_engine_next; an engine has one consumer")
            }
            TryLockError::Poisoned(_) => Fault::state("the consumer of the engine panicked earlier"),
        })?;
        let deadline = deadline(timeout_ms);
        let mut ready = consumer.arm();
        loop {
            let fresh = {
                let mut queue = self.queue();
                ready.append(&mut queue.ready);
                std::mem::take(&mut queue.fresh)
            };
            for source in fresh {
                ready.push(source.number);
                consumer.sources.insert(source.number, source);
            }
            consumer.collect(&mut ready);
            if !consumer.batches.is_empty() {
                show(&consumer.batches);
                return Ok(OK);
            }
            if !self.wait(deadline) {
                return Ok(PENDING);
            }
        }
    }

    /// Waits until the queue holds something; false when the time is up, with the descriptor set back.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut queue = self.queue();
        while queue.is_empty() {
            let Some(deadline) = deadline else {
                queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Under the lock, so that what comes next raises it again.
                if let Some(signal) = &queue.signal {
                    signal.clear();
                }
                return false;
            }
            queue = self.came.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The descriptor that is readable when there is something.
    pub(crate) fn fd(&self) -> Result<c_int, Fault> {
        let mut queue = self.queue();
        if queue.signal.is_none() {
            let signal = Signal::new()?;
            // What is lent out may have more behind it: the first look is free.
            signal.raise();
            queue.signal = Some(signal);
        }
        Ok(queue.signal.as_ref().map_or(-1, |signal| signal.fd()))
    }
}

impl Consumer {
    /// Takes back what was lent out, and gives the numbers of the runs that have more already.
    fn arm(&mut self) -> Vec<u64> {
        let mut ready = Vec::new();
        for number in std::mem::take(&mut self.lent) {
            let Some(source) = self.sources.get_mut(&number) else { continue };
            if source.is_over {
                self.sources.remove(&number);
            } else if source.cursor.poll_ready(&mut Context::from_waker(&source.waker)).is_ready() {
                ready.push(number);
            }
        }
        self.batches.clear();
        ready
    }

    /// Lends out of each run that has something.
    fn collect(&mut self, ready: &mut Vec<u64>) {
        // A wake for nothing may have put a number there twice.
        ready.sort_unstable();
        ready.dedup();
        for number in ready.drain(..) {
            let Some(source) = self.sources.get_mut(&number) else { continue };
            if source.fill() {
                self.batches.push(source.batch());
                self.lent.push(number);
            }
        }
    }
}
