//! A tool in plain C: `get_weather {"city": "Paris"}`, from a built-in table of sample data.
//!
//! The plugin is `weather.c`. Building this crate gives the shared object `libthw_weather_c.so` in the `deps` folder of the
//! profile; the library itself holds a copy for programs that link the plugin in, and is the one plugin crate with an
//! unsafe block: to name the two symbols of the C code.

use thalweg_abi::module::Module;
use thalweg_abi::table::{Host, HostServices, Manifest, Plugin};
use thalweg_abi::types::{Error, Status};

unsafe extern "C" {
    #[link_name = "thalweg_weather_c_manifest"]
    safe static MANIFEST: Manifest;
    #[link_name = "thalweg_weather_c_entry"]
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
    // SAFETY: `weather.c` keeps the rules of the ABI, and what is linked in stays.
    unsafe { Module::new(MANIFEST, entry) }
}
