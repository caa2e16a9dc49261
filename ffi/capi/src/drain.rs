//! One consumer for the runs of a whole engine: `thalweg::Drain`, whose entries are lent out as arrays.
//!
//! What was lent out in one call is taken back in the next.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Waker};

use thalweg::drain::Source;
use thalweg::{Cursor, Drain as Runs, Feed};
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
    feed: Feed<Lent>,
    consumer: Mutex<Consumer>,
    signal: Mutex<Option<Arc<Signal>>>,
}

struct Consumer {
    runs: Runs<Lent>,
    batches: Vec<Batch>,
}

/// What goes with a run.
struct Lent {
    user: *mut c_void,
    /// Lent to the caller until the next call; see `reader::State`.
    events: Vec<Event>,
}

// SAFETY: the addresses in it are the program's own, and those of a log that may be read from any thread.
unsafe impl Send for Lent {}
// SAFETY: as above; a batch is only an array of such addresses.
unsafe impl Send for Consumer {}

/// Lends out what is there of a run.
fn lend_out(source: &mut Source<Lent>) -> Batch {
    let (lent, cursor) = source.parts();
    lent.events.clear();
    lent.events.extend(cursor.batch().map(|entry| lend(&entry)));
    // Asked behind the reading, and of the source, which is gone then.
    let status = if source.is_over() { EOF } else { OK };
    let Lent { user, events } = source.tag();
    let start = if events.is_empty() { std::ptr::null() } else { events.as_ptr() };
    Batch { user: *user, events: start, count: events.len(), status, reserved: 0 }
}

impl Consumer {
    /// Takes back what was lent out, and lends out of each run that has something.
    fn fill(&mut self) {
        let Self { runs, batches } = self;
        batches.clear();
        runs.for_each(|source| batches.push(lend_out(source)));
    }
}

impl Drain {
    pub(crate) fn new() -> Self {
        let runs = Runs::new();
        let feed = runs.feed();
        Self { feed, consumer: Mutex::new(Consumer { runs, batches: Vec::new() }), signal: Mutex::default() }
    }

    /// A run whose events are wanted.
    pub(crate) fn add(&self, cursor: Cursor, user: *mut c_void) {
        self.feed.add_cursor(cursor, Lent { user, events: Vec::new() });
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
        loop {
            consumer.fill();
            if !consumer.batches.is_empty() {
                show(&consumer.batches);
                return Ok(OK);
            }
            if !consumer.runs.wait_until(deadline) && !self.arm(&mut consumer.runs) {
                return Ok(PENDING);
            }
        }
    }

    /// Sets the descriptor back, and has it raised by what comes next. True when something has come meanwhile.
    fn arm(&self, runs: &mut Runs<Lent>) -> bool {
        let Some(signal) = self.signal().clone() else { return false };
        signal.clear();
        let waker = Waker::from(Arc::clone(&signal));
        let has_come = runs.poll_more(&mut Context::from_waker(&waker)).is_ready();
        if has_come {
            signal.raise();
        }
        has_come
    }

    fn signal(&self) -> MutexGuard<'_, Option<Arc<Signal>>> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor that is readable when there is something.
    pub(crate) fn fd(&self) -> Result<c_int, Fault> {
        let mut known = self.signal();
        if known.is_none() {
            let signal = Signal::new()?;
            // What is lent out may have more behind it: the first look is free.
            signal.raise();
            *known = Some(signal);
        }
        Ok(known.as_ref().map_or(-1, |signal| signal.fd()))
    }
}
