//! The table of models of a package.

use super::guard::guard;
use super::instance;
use crate::failure::Failure;
use crate::guest::Package;
use crate::table::Models as Table;
use crate::types::{Error, OK, Status, Str};
use core::ffi::c_void;
use core::marker::PhantomData;
use std::sync::PoisonError;

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table { struct_size: size_of::<Table>() as u32, flags: 0, list: Some(list::<P>) };
    }
    &Of::<P>::TABLE
}

/// # Safety
/// As [`Table::list`] says.
unsafe extern "C" fn list<P: Package>(context: *mut c_void, json: *mut Str, error: *mut Error) -> Status {
    let work = || {
        // SAFETY: by contract.
        let instance = unsafe { instance::<P>(context) }?;
        let models = instance.models.as_deref().ok_or(Failure::unsupported("the plugin lists no models"))?;
        if json.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        let list = models.list_json()?;
        let mut kept = instance.model_list.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = list;
        // SAFETY: not NULL, writable by contract. The text stays until the next call, or `deinit`.
        unsafe { json.write(Str::new(kept.as_bytes())) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}
