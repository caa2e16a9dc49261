//! The running call of a tool or a provider: progress, cancellation and the answer.

use crate::failure::Failure;
use crate::guest::services::Services;
use crate::guest::{HttpRequest, HttpResponse};
use crate::table::{Cancel, Sink as RawSink};
use crate::types::{
    E_CANCELLED, E_FAILED, E_PANIC, E_UNSUPPORTED, EVENT_TOOL_PROGRESS, EVENT_TOOL_RESULT, Error, Event, OK, Status,
    StreamEvent,
};
use core::ffi::c_void;
use core::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Takes the progress and the answer of one call. Finished exactly once: dropped without an answer, it says so.
pub struct Sink {
    raw: *mut RawSink,
    cancel: *mut Cancel,
    services: Services,
    phase: Arc<Phase>,
    done: bool,
}

// SAFETY: the engine takes pushes from any thread, one at a time, which `&mut self` and `self` ensure; cancellation is
// any-thread.
unsafe impl Send for Sink {}
// SAFETY: what takes `&self` (`is_cancelled`, `on_cancel`) is any-thread by contract.
unsafe impl Sync for Sink {}

/// Who answers for the call: the function that runs it, or the sink that outlived that function.
#[derive(Debug)]
pub(crate) struct Phase(AtomicU8);

/// The call of the tool is running.
const RUNNING: u8 = 0;
/// It has returned and the sink lives on elsewhere.
const DETACHED: u8 = 1;
/// The sink was finished.
const FINISHED: u8 = 2;
/// The sink was dropped without an answer while the call was running.
const DROPPED: u8 = 3;

/// How a call of a tool ended on the side of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Finished,
    Detached,
    Dropped,
}

impl Phase {
    /// The call has returned: says who finishes the sink from here on.
    pub(crate) fn end(&self) -> Ending {
        match self.0.compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ending::Detached,
            Err(FINISHED) => Ending::Finished,
            Err(_) => Ending::Dropped,
        }
    }
}

impl Sink {
    /// A sink and the record of who finishes it.
    ///
    /// # Safety
    /// Both pointers come from the engine for a call that is running now.
    pub(crate) unsafe fn new(raw: *mut RawSink, cancel: *mut Cancel, services: Services) -> (Self, Arc<Phase>) {
        let phase = Arc::new(Phase(AtomicU8::new(RUNNING)));
        (Self { raw, cancel, services, phase: Arc::clone(&phase), done: false }, phase)
    }

    /// Tells whoever waits how far the work is, in permille where that is known.
    pub fn progress(&mut self, text: &str, permille: Option<u16>) {
        let num = permille.map_or(-1, |permille| i64::from(permille.min(1000)));
        // That nobody listens any more is no concern of the tool's: it is told by the cancellation.
        self.push(&[StreamEvent::new(EVENT_TOOL_PROGRESS).with_text(text.as_bytes()).with_num(num)]);
    }

    /// Adds a part of the answer; parts are joined.
    pub fn part(&mut self, text: &str) {
        self.push(&[StreamEvent::new(EVENT_TOOL_RESULT).with_text(text.as_bytes())]);
    }

    /// Ends the call with its answer, or with why it failed.
    pub fn finish(mut self, answer: Result<String, String>) {
        match answer {
            Ok(text) => {
                if !text.is_empty() {
                    self.part(&text);
                }
                self.close(OK, None);
            }
            Err(message) => self.fail(Failure::new(E_FAILED, message)),
        }
    }

    /// Ends the call as cancelled: nobody waits for an answer any more.
    pub fn finish_cancelled(mut self) {
        self.fail(Failure::new(E_CANCELLED, "the tool was cancelled"));
    }

    /// Whether the work was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: `cancel` lives until the sink is finished, which consumes `self`.
        self.services.table.is_cancelled.is_some_and(|f| unsafe { f(self.cancel) } != 0)
    }

    /// Has `callback` called once when the work is cancelled, on any thread, at once if it already is. It is not called
    /// any more, and not running, when the returned guard is gone. The guard goes before the sink.
    pub fn on_cancel<F: FnOnce() + Send + 'static>(&self, callback: F) -> CancelGuard<'_> {
        let callback: Box<Callback> = Box::new(Mutex::new(Some(Box::new(callback))));
        let user = Box::into_raw(callback);
        let registration = match (self.services.table.on_cancel, self.services.table.off_cancel) {
            // SAFETY: `user` stays valid until the guard has taken the registration back, which it can.
            (Some(f), Some(_)) => unsafe { f(self.cancel, Some(run_callback), user.cast()) },
            _ => 0,
        };
        CancelGuard { sink: self, registration, user }
    }

    /// Sends an HTTP request by the engine's client and waits for the head of its reply. Only hosts that the user allowed for
    /// this plugin are asked; the exchange ends with this call.
    ///
    /// # Errors
    /// When the engine has no HTTP, does not allow the host or the key, or gets no reply.
    pub fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        let http = self.services.http().ok_or(Failure::unsupported("the engine does not offer thw.http/1"))?;
        // SAFETY: the call is running, since the sink is not finished.
        unsafe { HttpResponse::open(http, self.cancel, request) }
    }

    /// Writes a line to the engine's log. `level`: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
    pub fn log(&self, level: i32, message: &str) {
        self.services.log(level, "tool", message);
    }

    /// Hands events over, which are copied.
    pub(crate) fn push(&mut self, events: &[StreamEvent<'_>]) -> Status {
        let Some(push) = self.services.table.sink_push else { return E_UNSUPPORTED };
        let mut status = OK;
        for events in events.chunks(u32::MAX as usize) {
            // SAFETY: the sink is not finished, since that consumes `self`; the events are readable for the call, and a
            // `StreamEvent` is an `Event`.
            status = unsafe { push(self.raw, events.as_ptr().cast::<Event>(), events.len() as u32) };
        }
        status
    }

    /// Waits until the engine has room.
    pub(crate) fn wait(&self) -> Status {
        match self.services.table.sink_wait {
            // SAFETY: the sink is not finished, since that consumes `self`.
            Some(wait) => unsafe { wait(self.raw, -1) },
            None => OK,
        }
    }

    /// Ends the call, with why it failed if it did.
    pub(crate) fn end(mut self, ended: Result<(), Failure>) {
        match ended {
            Ok(()) => self.close(OK, None),
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.close(failure.code, Some(&failure));
    }

    fn close(&mut self, status: Status, failure: Option<&Failure>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.phase.0.store(FINISHED, Ordering::Release);
        self.close_raw(status, failure);
    }

    fn close_raw(&self, status: Status, failure: Option<&Failure>) {
        if let Some(finish) = self.services.table.sink_finish {
            let error = failure.map(Error::from);
            let error = error.as_ref().map_or(core::ptr::null(), |error| &raw const *error);
            // SAFETY: called once for this sink, guarded by `done` and `phase`; `error` is NULL or readable.
            let _: Status = unsafe { finish(self.raw, status, error) };
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.done = true;
        let dropped = self.phase.0.compare_exchange(RUNNING, DROPPED, Ordering::AcqRel, Ordering::Acquire);
        if dropped.is_ok() {
            return; // The call is still running and will say so itself.
        }
        let failure = if thread::panicking() {
            Failure::new(E_PANIC, "the plugin panicked on a thread of its own")
        } else {
            Failure::new(E_FAILED, "the plugin ended without an answer")
        };
        self.close_raw(failure.code, Some(&failure));
    }
}

impl core::fmt::Debug for Sink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sink").field("done", &self.done).finish_non_exhaustive()
    }
}

type Callback = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// A registered callback; see [`Sink::on_cancel`].
pub struct CancelGuard<'s> {
    sink: &'s Sink,
    registration: u64,
    user: *mut Callback,
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        // Nothing is registered where it could not be taken back.
        if let Some(off) = self.sink.services.table.off_cancel
            && self.registration != 0
        {
            // SAFETY: the guard borrows the sink, so `cancel` still lives.
            unsafe { off(self.sink.cancel, self.registration) };
        }
        // SAFETY: from `Box::into_raw`; the callback is not registered, or is not running since `off` has returned.
        drop(unsafe { Box::from_raw(self.user) });
    }
}

impl core::fmt::Debug for CancelGuard<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CancelGuard").field("registration", &self.registration).finish_non_exhaustive()
    }
}

/// The C callback of [`Sink::on_cancel`].
///
/// # Safety
/// `user` is the callback that was registered, and its guard still lives.
unsafe extern "C" fn run_callback(user: *mut c_void) {
    // SAFETY: as above.
    let callback = unsafe { &*user.cast::<Callback>() };
    let callback = callback.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(callback) = callback {
        // A panic ends here: it must not reach the engine, which has nobody to tell.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback));
    }
}
