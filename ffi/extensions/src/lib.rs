//! What the engine offers to plugins beyond the table of services, each by its id; there is `thw.json/1`, and its lookups in Rust are in [`mod@pointer`].

mod json;
pub mod pointer;

use core::ffi::{CStr, c_void};

use thalweg_abi::host;
use thalweg_abi::table::EXTENSION_JSON;

/// Offers the extensions to all plugins that are started from here on. Doing it again changes nothing.
pub fn offer() {
    host::offer_extensions(find);
}

fn find(id: &CStr) -> *const c_void {
    if id.to_bytes() == EXTENSION_JSON.as_bytes() { (&raw const json::TABLE).cast() } else { core::ptr::null() }
}
