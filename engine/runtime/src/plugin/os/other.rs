//! Systems whose owners and modes are not read here: nothing is loaded, with a message that says so.

use crate::plugin::LoadError;
use crate::plugin::manifest::Inspected;
use crate::plugin::policy::Trust;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

pub(crate) fn file_name(name: &str) -> String {
    format!("thw_{name}{}", std::env::consts::DLL_SUFFIX)
}

pub(crate) fn open(_: &Path) -> Result<File, LoadError> {
    Err(LoadError::Platform)
}

pub(crate) fn replace(_: &Path, _: &[&[u8]]) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

pub(crate) fn check_beside(_: &Path, _: &Metadata, _: &Metadata) -> Result<(), LoadError> {
    Err(LoadError::Platform)
}

pub(crate) fn check_allowed(_: &Path, _: &Metadata) -> Result<(), LoadError> {
    Err(LoadError::Platform)
}

pub(crate) fn source(_: &Inspected, _: Trust) -> Result<PathBuf, LoadError> {
    Err(LoadError::Platform)
}

/// Never reached: `open` refuses every file.
///
/// # Safety
/// The initialisers of the library run.
#[expect(unsafe_code, reason = "loading a library runs its code")]
pub(crate) unsafe fn open_library(source: &PathBuf) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: promised by the caller.
    unsafe { libloading::Library::new(source) }
}
