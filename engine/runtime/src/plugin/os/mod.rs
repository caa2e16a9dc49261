//! What differs between systems, one file each: names of files, owners and modes, the system's loader.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod other;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use linux::{file_name, open_library, source};
#[cfg(target_os = "macos")]
pub(crate) use macos::{file_name, open_library, source};
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) use other::{check_allowed, check_beside, file_name, open, open_library, replace, source};
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(crate) use unix::{check_allowed, check_beside, open, replace};
