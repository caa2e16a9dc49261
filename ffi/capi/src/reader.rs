//! Readers: each follows a run from its beginning, at its own pace.

use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use thalweg::Cursor;
use thalweg_abi::types::{EOF, Error, Event, OK, PENDING, Status};

use crate::callback;
use crate::engine::Shared;
use crate::events::lend;
use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::run::{FOREVER, Run, RunObject};
use crate::signal::Signal;
use crate::{guard, text};

/// One reader of the events of a run.
#[repr(C)]
pub struct Reader {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_reader`.
pub(crate) struct ReaderObject {
    pub(crate) engine: Arc<Shared>,
    state: Mutex<State>,
}

impl Class for ReaderObject {
    type Handle = Reader;
    const NAME: &'static str = "reader";
    const TAG: &'static [u8; 8] = b"thwreadr";
}

/// A place in the log, and what is lent out of it.
pub(crate) struct State {
    pub(crate) cursor: Cursor,
    /// Lent to the caller until the next call. Their texts lie in the segment of the log that the cursor keeps until it
    /// moves on, which is then as well.
    pub(crate) events: Vec<Event>,
    signal: Option<Signalled>,
}

/// The descriptor, and the same as a waker.
struct Signalled {
    signal: Arc<Signal>,
    waker: Waker,
}

/// What a look at the log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is something to read.
    Events,
    /// The run is over and all was read.
    End,
    /// Nothing in time.
    Nothing,
}

// SAFETY: the events are addresses of what the cursor keeps alive, and a cursor may go from thread to thread.
unsafe impl Send for State {}

impl State {
    fn new(cursor: Cursor) -> Self {
        Self { cursor, events: Vec::new(), signal: None }
    }

    /// Waits until there is something, without reading it.
    pub(crate) fn wait(&mut self, timeout_ms: u32) -> Found {
        let ready = |is_open| if is_open { Found::Events } else { Found::End };
        if self.cursor.peek().is_some() {
            return Found::Events;
        }
        if self.cursor.is_drained() {
            return Found::End;
        }
        if timeout_ms == FOREVER {
            return ready(self.cursor.wait());
        }
        if timeout_ms > 0
            && let Some(is_open) = self.cursor.wait_timeout(Duration::from_millis(timeout_ms.into()))
        {
            return ready(is_open);
        }
        self.arm().map_or(Found::Nothing, ready)
    }

    /// Sets the descriptor back, and has it raised by what comes next; `None` unless something came meanwhile.
    fn arm(&mut self) -> Option<bool> {
        let Signalled { signal, waker } = self.signal.as_ref()?;
        signal.clear();
        match self.cursor.poll_ready(&mut Context::from_waker(waker)) {
            Poll::Ready(is_open) => Some(is_open),
            Poll::Pending => None,
        }
    }

    /// Lends out what is there.
    pub(crate) fn fill(&mut self) {
        self.events.clear();
        self.events.extend(self.cursor.batch().map(|entry| lend(&entry)));
    }

    fn fd(&mut self) -> Result<c_int, Fault> {
        if self.signal.is_none() {
            let signal = Signal::new()?;
            self.signal = Some(Signalled { waker: Waker::from(Arc::clone(&signal)), signal });
            // Raised at once if something is there already: nobody else would do it.
            if self.arm().is_some()
                && let Some(Signalled { signal, .. }) = &self.signal
            {
                signal.raise();
            }
        }
        Ok(self.signal.as_ref().map_or(-1, |signalled| signalled.signal.fd()))
    }
}

impl ReaderObject {
    /// The reader, if nobody else uses it now.
    pub(crate) fn enter(&self) -> Result<MutexGuard<'_, State>, Fault> {
        self.engine.process.check()?;
        self.state.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Fault::state("another thread uses the reader; give each its own"),
            TryLockError::Poisoned(_) => Fault::state("the reader panicked earlier; free it"),
        })
    }
}

/// Has the run wait for this reader, down to the socket, until the reader is freed: nothing more is read from the server while it
/// is further behind than `ahead_bytes_max` of the `log` of `thw_agent_new`. It then misses nothing, whatever the log forgets. It
/// must go on reading, or be freed, or the run does not end. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_reader_hold_back(reader: *mut Reader, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let mut state = unsafe { handle::get::<ReaderObject>(reader) }?.enter()?;
        // What is lent out lies in a segment that the new cursor keeps as well.
        state.cursor = state.cursor.clone().hold_back();
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// A new reader of a run, before its first event; also of a run that is over. NULL on an error. It is the caller's, to be
/// freed with `thw_reader_free`, and outlives `thw_run_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_reader(run: *mut Run, error: *mut Error) -> *mut Reader {
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        let state = Mutex::new(State::new(run.cursor()));
        Ok(handle::new(ReaderObject { engine: Arc::clone(engine), state }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a reader, its descriptor, and what it lent out. NULL is accepted. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_reader_free(reader: *mut Reader) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(reader) = unsafe { handle::take::<ReaderObject>(reader) }
            && reader.engine.process.is_other()
        {
            std::mem::forget(reader);
        }
    });
}

/// The next events of a run, as many as lie side by side in the log. Waits up to `timeout_ms` for the first of them; 0
/// does not wait, `THW_FOREVER` waits as long as it takes.
///
/// `THW_OK`: `*events` points to `*count` events, at least one. They and their texts are the log's, valid until the next
/// call on this reader; nothing was copied. `THW_PENDING`: none came in time. `THW_EOF`: the run is over and all was read;
/// `thw_run_wait` says how it ended. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_reader_next(
    reader: *mut Reader,
    timeout_ms: u32,
    events: *mut *const Event,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let mut state = unsafe { handle::get::<ReaderObject>(reader) }?.enter()?;
        let (events, count) = (text::out(events, "events")?, text::out(count, "count")?);
        state.fill();
        if state.events.is_empty() {
            callback::check_may_wait(timeout_ms)?;
            match state.wait(timeout_ms) {
                Found::Events => state.fill(),
                Found::End => return Ok(EOF),
                Found::Nothing => return Ok(PENDING),
            }
        }
        // SAFETY: both were checked.
        unsafe { events.write(state.events.as_ptr()) };
        // SAFETY: as above.
        unsafe { count.write(state.events.len()) };
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// A file descriptor that is readable when `thw_reader_next` has something, the end included; for poll, epoll and event
/// loops. Read with a timeout of 0 until `THW_PENDING` or `THW_EOF`: only then is the descriptor set back, and one batch of
/// the network raises it once. It is the reader's: do not read, write or close it. -1 on an error; `THW_E_UNSUPPORTED`
/// where there is no such thing. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_reader_fd(reader: *mut Reader, error: *mut Error) -> c_int {
    let mut fd = -1;
    let body = || {
        // SAFETY: by contract.
        fd = unsafe { handle::get::<ReaderObject>(reader) }?.enter()?.fd()?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) };
    fd
}

/// A point in time, `None` for never.
pub(crate) fn deadline(timeout_ms: u32) -> Option<Instant> {
    (timeout_ms != FOREVER).then(|| Instant::now() + Duration::from_millis(timeout_ms.into()))
}
