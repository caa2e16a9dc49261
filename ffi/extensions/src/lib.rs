//! What the engine offers to plugins beyond the table of services, each by its id: `thw.json/1`, whose lookups in Rust are in
//! [`mod@pointer`], and `thw.http/1`, whose client is set by [`http::offer`].

pub mod http;
mod json;
pub mod pointer;

use core::ffi::{CStr, c_void};

use thalweg_abi::host;
use thalweg_abi::table::{EXTENSION_HTTP, EXTENSION_JSON};

/// Offers the extensions to all plugins that are started from here on. Doing it again changes nothing.
pub fn offer() {
    host::offer_extensions(find);
}

fn find(id: &CStr) -> *const c_void {
    let id = id.to_bytes();
    if id == EXTENSION_JSON.as_bytes() {
        (&raw const json::TABLE).cast()
    } else if id == EXTENSION_HTTP.as_bytes() {
        http::table().map_or(core::ptr::null(), |table| (&raw const *table).cast())
    } else {
        core::ptr::null()
    }
}
