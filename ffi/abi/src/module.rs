//! A plugin whose code is in the process, linked in or loaded, and not yet started.

use crate::table::{Manifest, PluginEntry};

/// What a plugin says of itself, and the function that starts it.
#[derive(Clone, Copy)]
pub struct Module {
    manifest: Manifest,
    entry: PluginEntry,
}

impl Module {
    /// Pairs a manifest with its entry.
    ///
    /// # Safety
    /// `entry` and everything that it hands out must keep the rules of the ABI as `thalweg_plugin.h` states them, and
    /// their code must stay in the process for ever.
    #[must_use]
    pub const unsafe fn new(manifest: Manifest, entry: PluginEntry) -> Self {
        Self { manifest, entry }
    }

    /// What the plugin says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The function that starts it.
    #[must_use]
    pub const fn entry(&self) -> PluginEntry {
        self.entry
    }
}

impl core::fmt::Debug for Module {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Module").field("id", &self.manifest.id()).finish_non_exhaustive()
    }
}

/// Writes the function `module` of a crate that links in a plugin written in C, whose two symbols were given names of their
/// own when it was compiled. The C code must keep the rules of the ABI, as that of a loaded plugin.
#[macro_export]
macro_rules! link_c_plugin {
    (manifest: $manifest:literal, entry: $entry:literal) => {
        unsafe extern "C" {
            #[link_name = $manifest]
            safe static MANIFEST: $crate::table::Manifest;
            #[link_name = $entry]
            fn entry(
                host: *const $crate::table::Host,
                services: *const $crate::table::HostServices,
                host_minor: u32,
                plugin: *mut $crate::table::Plugin,
                error: *mut $crate::types::Error,
            ) -> $crate::types::Status;
        }

        /// The plugin as it is linked into this program.
        #[must_use]
        pub fn module() -> $crate::module::Module {
            // SAFETY: the C code keeps the rules of the ABI, and what is linked in stays.
            unsafe { $crate::module::Module::new(MANIFEST, entry) }
        }
    };
}
