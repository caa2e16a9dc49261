//! A provider in plain C that drives itself: a doctor of few words, after the program of 1966, which needs no network.
//!
//! The plugin is `eliza.c`. Building this crate gives the shared object `libthw_eliza_c.so` in the `deps` folder of the
//! profile; the library itself holds a copy for programs that link the plugin in, with the one unsafe block that it takes
//! to name the two symbols of the C code.

use thalweg_abi::module::Module;
use thalweg_abi::table::{Host, HostServices, Manifest, Plugin};
use thalweg_abi::types::{Error, Status};

unsafe extern "C" {
    #[link_name = "thalweg_eliza_c_manifest"]
    safe static MANIFEST: Manifest;
    #[link_name = "thalweg_eliza_c_entry"]
    fn entry(
        host: *const Host,
        services: *const HostServices,
        host_minor: u32,
        plugin: *mut Plugin,
        error: *mut Error,
    ) -> Status;
}

/// The plugin as it is linked into this program.
#[must_use]
pub fn module() -> Module {
    // SAFETY: `eliza.c` keeps the rules of the ABI, and what is linked in stays.
    unsafe { Module::new(MANIFEST, entry) }
}
