//! Which files may be loaded.

use crate::plugin::{LoadError, find, os};
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Why a file may be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It lies beside the executable and has the same owner.
    AsExecutable,
    /// Its path was allowed, and nobody else can write to it.
    Allowed,
}

/// Opens a plugin's file, once, and decides whether it may be loaded. Everything later works on the open file.
pub(crate) fn open(path: &Path, allowed: &[PathBuf]) -> Result<(File, Trust), LoadError> {
    if !path.is_absolute() {
        return Err(LoadError::NotAbsolute { path: path.to_owned() });
    }
    let file = os::open(path)?;
    let metadata = file.metadata().map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile { path: path.to_owned() });
    }
    let trust = if lies_beside_executable(path)? {
        os::check_beside(path, &metadata, &executable()?)?;
        Trust::AsExecutable
    } else if allowed.iter().any(|allowed| allowed == path) {
        os::check_allowed(path, &metadata)?;
        Trust::Allowed
    } else {
        return Err(LoadError::NotAllowed { path: path.to_owned() });
    };
    Ok((file, trust))
}

/// Whether the folder of `path` is one of those beside the executable, whatever links lead there.
fn lies_beside_executable(path: &Path) -> Result<bool, LoadError> {
    let Some(folder) = path.parent().and_then(|folder| folder.canonicalize().ok()) else { return Ok(false) };
    Ok(find::folders()?.iter().filter_map(|trusted| trusted.canonicalize().ok()).any(|trusted| trusted == folder))
}

fn executable() -> Result<Metadata, LoadError> {
    let metadata = env::current_exe().and_then(fs::metadata);
    metadata.map_err(|source| LoadError::Read { path: "the executable".into(), source })
}
