//! Batches handed to a function of the program, on a thread of the engine.

use std::cell::Cell;
use std::ffi::c_void;
use std::future::poll_fn;
use std::ptr;

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{EOF, Error, Event, OK, Status};

use crate::events::lend;
use crate::fault::Fault;
use crate::guard;
use crate::handle;
use crate::run::{Run, RunObject};

/// Gets the events of a run, batch by batch, one call at a time; they are valid during the call. The last call has
/// `status` `THW_EOF` and no events: the run is over. Give `THW_OK` to go on, or a status below 0 to be called no more. It
/// must not block: other streams wait. `[engine-thread]`
pub type OnBatch =
    Option<unsafe extern "C" fn(user: *mut c_void, events: *const Event, count: usize, status: Status) -> Status>;

/// Gives back what was handed over with a callback; called once, when the callback will not be called any more.
/// `[any-thread]`
pub type Drop = Option<unsafe extern "C" fn(user: *mut c_void)>;

thread_local! {
    /// Whether this thread is inside of a batch callback, where waiting for the engine would wait for itself.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Refuses to wait inside of a batch callback.
pub(crate) fn check_may_wait(timeout_ms: u32) -> Result<(), Fault> {
    if timeout_ms > 0 && INSIDE.get() {
        return Err(Fault::state("a batch callback must not wait; pass a timeout of 0, or do it on another thread"));
    }
    Ok(())
}

/// The program's pointer; given back when dropped.
struct User {
    user: *mut c_void,
    drop: Drop,
}

// SAFETY: by contract the callbacks may be called on any thread.
unsafe impl Send for User {}

impl std::ops::Drop for User {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: taken over for this one call.
            unsafe { drop(self.user) };
        }
    }
}

/// Hands all events of a run, from its first, to `callback` on a thread of the engine. `user` is yours until `drop`, which
/// may be NULL, is called with it: after the last call, when the engine is freed, or at once when this fails.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_on_batch(
    run: *mut Run,
    callback: OnBatch,
    user: *mut c_void,
    drop: Drop,
    error: *mut Error,
) -> Status {
    let user = User { user, drop };
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        let Some(callback) = callback else { return Err(Failure::invalid("`callback` is NULL").into()) };
        let mut cursor = run.cursor();
        engine.handle()?.spawn(async move {
            // Whole, so that its `Drop` runs with the task.
            let user = user;
            while poll_fn(|cx| cursor.poll_ready(cx)).await {
                let events = Events(cursor.batch().map(|entry| lend(&entry)).collect());
                if call(callback, &user, &events, OK) < OK {
                    return;
                }
                // A log that is always full would keep the thread from everything else.
                tokio::task::yield_now().await;
            }
            call(callback, &user, &Events(Vec::new()), EOF);
        });
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Addresses of what a cursor keeps.
struct Events(Vec<Event>);

// SAFETY: the log they point to may be read from any thread.
unsafe impl Send for Events {}

fn call(
    callback: unsafe extern "C" fn(*mut c_void, *const Event, usize, Status) -> Status,
    user: &User,
    events: &Events,
    status: Status,
) -> Status {
    let Events(events) = events;
    let start = if events.is_empty() { ptr::null() } else { events.as_ptr() };
    INSIDE.set(true);
    // SAFETY: the program's own function, called as the header says; the cursor stands still meanwhile.
    let answer = unsafe { callback(user.user, start, events.len(), status) };
    INSIDE.set(false);
    answer
}
