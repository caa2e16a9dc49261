//! Linux: ELF names, sealed memory files, flags of glibc and musl.

use crate::plugin::LoadError;
use crate::plugin::manifest::Inspected;
use crate::plugin::policy::Trust;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::path::PathBuf;

pub(crate) fn file_name(name: &str) -> String {
    format!("libthw_{name}.so")
}

/// The path that the system's loader is given.
///
/// A file beside the executable is loaded by its path: who could swap it between the check and the load could swap the
/// executable as well. The bytes of any other file go to a sealed memory file first, so that what was checked is what runs.
pub(crate) fn source(inspected: &Inspected, trust: Trust) -> Result<PathBuf, LoadError> {
    if trust == Trust::AsExecutable {
        return Ok(inspected.path().to_owned());
    }
    let failed = |source| LoadError::Read { path: inspected.path().to_owned(), source };
    let name = inspected.path().file_name().map_or_else(|| "plugin".into(), |name| name.to_string_lossy());
    let name = format!("{}.{}", &inspected.sha256()[..16], name);
    let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    let mut memory = File::from(memory.map_err(|error| failed(error.into()))?);
    memory.write_all(&inspected.bytes).map_err(failed)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&memory, seals).map_err(|error| failed(error.into()))?;
    // Open for ever: the loader knows a library by its name, and a closed number would be given to the next plugin.
    Ok(PathBuf::from(format!("/proc/self/fd/{}", memory.into_raw_fd())))
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
const RTLD_NODELETE: i32 = 0x1000;
