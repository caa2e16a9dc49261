//! The provider table of a package.

use super::guard::{guard, settle, text};
use super::instance;
use crate::failure::Failure;
use crate::guest::services::Services;
use crate::guest::{Package, Provider, Reply, Sink};
use crate::table::{Cancel, Provider as Table, Sink as RawSink};
use crate::types::{Error, OK, Status, Str};
use core::ffi::c_void;
use core::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table {
            struct_size: size_of::<Table>() as u32,
            flags: 0,
            describe: Some(describe::<P>),
            start: Some(start::<P>),
        };
    }
    &Of::<P>::TABLE
}

/// # Safety
/// `context` is NULL or from `entry`, and not ended.
unsafe fn provider<'a, P: Package>(context: *mut c_void) -> Result<(&'a dyn Provider, Services), Failure> {
    // SAFETY: promised by the caller.
    let instance = unsafe { instance::<P>(context) }?;
    let provider = instance.provider.as_deref().ok_or(Failure::unsupported("the plugin has no provider"))?;
    Ok((provider, instance.services))
}

/// # Safety
/// As [`Table::describe`] says.
unsafe extern "C" fn describe<P: Package>(context: *mut c_void, json: *mut Str) -> Status {
    let work = || {
        // SAFETY: by contract.
        let (provider, _) = unsafe { provider::<P>(context) }?;
        if json.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: not NULL, writable by contract. The text lives as long as the provider, that is until `deinit`.
        unsafe { json.write(Str::new(provider.describe().as_bytes())) };
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard(core::ptr::null_mut(), work) }
}

/// # Safety
/// As [`Table::start`] says.
unsafe extern "C" fn start<P: Package>(
    context: *mut c_void,
    request: *const Str,
    sink: *mut RawSink,
    cancel: *mut Cancel,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let (provider, services) = unsafe { provider::<P>(context) }?;
        // SAFETY: borrowed for the call, by contract.
        let request = unsafe { text(request) }?;
        // SAFETY: both are from the engine, for this call.
        let (sink, phase) = unsafe { Sink::new(sink, cancel, services) };
        let ended = catch_unwind(AssertUnwindSafe(|| provider.start(request, Reply::new(sink))));
        settle(&phase, ended, "the provider returned without ending its reply")
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}
