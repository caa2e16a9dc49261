//! The one place where a panic of a plugin becomes a status.

use crate::failure::Failure;
use crate::guest::sink::{Ending, Phase};
use crate::types::{E_FAILED, E_PANIC, Error, OK, PENDING, Status, Str};
use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a failure or a panic goes to `error`.
///
/// # Safety
/// `error` is NULL or points to a record of the size that it states.
pub(super) unsafe fn guard(error: *mut Error, work: impl FnOnce() -> Result<Status, Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(payload) => panicked(payload),
    };
    // SAFETY: promised by the caller.
    unsafe { write_error(error, &failure) };
    failure.code
}

/// What a call returns whose work has come back: who holds the sink says whether it goes on. `unfinished` is the failure
/// of one that dropped its sink.
pub(super) fn settle(
    phase: &Phase,
    work: std::thread::Result<()>,
    unfinished: &'static str,
) -> Result<Status, Failure> {
    match (phase.end(), work) {
        (Ending::Finished, _) => Ok(OK),
        (Ending::Detached, _) => Ok(PENDING),
        (Ending::Dropped, Err(payload)) => Err(panicked(payload)),
        (Ending::Dropped, Ok(())) => Err(Failure::new(E_FAILED, unfinished)),
    }
}

/// What a panic says.
fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let text = if let Some(text) = payload.downcast_ref::<&str>() {
        format!("the plugin panicked: {text}")
    } else if let Some(text) = payload.downcast_ref::<String>() {
        format!("the plugin panicked: {text}")
    } else {
        // Its destructor may panic again, outside of any guard; a leak is the lesser evil.
        core::mem::forget(payload);
        "the plugin panicked".to_owned()
    };
    Failure::new(E_PANIC, text)
}

/// # Safety
/// As [`guard`].
unsafe fn write_error(error: *mut Error, failure: &Failure) {
    if error.is_null() {
        return;
    }
    // SAFETY: the record has at least its size.
    let room = unsafe { (*error).struct_size } as usize;
    if room >= size_of::<Error>() {
        let mut record = Error::from(failure);
        record.struct_size = room as u32;
        // SAFETY: there is room for it.
        unsafe { error.write(record) };
    }
}

/// The text behind an argument; NULL, NULL with a length, and bytes that are not UTF-8 are failures.
///
/// # Safety
/// `text` is NULL or points to a slice that is readable and unchanged for `'a`.
pub(super) unsafe fn text<'a>(text: *const Str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::invalid("a text is NULL"));
    }
    // SAFETY: not NULL, readable by contract.
    let text = unsafe { *text };
    if text.ptr.is_null() && text.len > 0 {
        return Err(Failure::invalid("a text is NULL but has a length"));
    }
    // SAFETY: readable for `'a` by contract.
    let bytes = unsafe { text.as_bytes() };
    core::str::from_utf8(bytes).map_err(|_| Failure::invalid("a text is not UTF-8"))
}
