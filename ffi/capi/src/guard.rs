//! The boundary of every function: errors go to the caller's record, panics become `THW_E_PANIC`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_PANIC, Error, Status};

use crate::fault::Fault;

/// Runs the body of a function that gives a status.
///
/// # Safety
/// `error` is NULL or a record of the size that it states.
pub(crate) unsafe fn status(error: *mut Error, body: impl FnOnce() -> Result<Status, Fault>) -> Status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        // SAFETY: promised by the caller.
        Ok(Err(fault)) => unsafe { fault.report(error) },
        // SAFETY: as above.
        Err(_) => unsafe { panicked().report(error) },
    }
}

/// Runs the body of a function that gives a pointer; NULL when it fails.
///
/// # Safety
/// As [`status`].
pub(crate) unsafe fn pointer<T>(error: *mut Error, body: impl FnOnce() -> Result<*mut T, Fault>) -> *mut T {
    let mut result = std::ptr::null_mut();
    let body = || {
        body().map(|pointer| {
            result = pointer;
            0
        })
    };
    // SAFETY: promised by the caller.
    unsafe { status(error, body) };
    result
}

/// Runs the body of a function that cannot fail.
pub(crate) fn quiet(body: impl FnOnce()) {
    // Nobody can be told; what was to be freed may be lost, and nothing else is wrong.
    let _ = catch_unwind(AssertUnwindSafe(body));
}

fn panicked() -> Fault {
    Failure::new(E_PANIC, "a panic was stopped at the boundary; please report it with what was called").into()
}
