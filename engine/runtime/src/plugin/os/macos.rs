//! macOS: Mach-O names and the flags of dyld. Compiled but not tested there.

use crate::plugin::LoadError;
use crate::plugin::manifest::Inspected;
use crate::plugin::policy::Trust;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::path::PathBuf;

pub(crate) fn file_name(name: &str) -> String {
    format!("libthw_{name}.dylib")
}

/// The path that the system's loader is given. There are no sealed memory files; owner and mode were checked.
pub(crate) fn source(inspected: &Inspected, _: Trust) -> Result<PathBuf, LoadError> {
    Ok(inspected.path().to_owned())
}

/// Maps a library, with all its symbols resolved, and for good.
///
/// # Safety
/// The initialisers of the library run.
#[expect(unsafe_code, reason = "loading a library runs its code")]
pub(crate) unsafe fn open_library(source: &PathBuf) -> Result<Library, libloading::Error> {
    // SAFETY: promised by the caller.
    unsafe { Library::open(Some(source), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
}

/// Keeps the library mapped when its handle is closed.
const RTLD_NODELETE: i32 = 0x80;
