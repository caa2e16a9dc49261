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
