//! Where plugins lie: beside the running executable.

use crate::plugin::{LoadError, os};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders in which plugins are looked for, best first.
///
/// `deps` is where cargo puts the shared objects of packages that a program depends on; a test program lies there itself.
/// It comes first because what cargo links into the folder above may be of an earlier build.
pub(crate) fn folders() -> Result<Vec<PathBuf>, LoadError> {
    let executable = env::current_exe().map_err(|source| LoadError::Read { path: "the executable".into(), source })?;
    let Some(folder) = executable.parent() else { return Ok(Vec::new()) };
    if folder.file_name() == Some(OsStr::new("deps")) {
        return Ok([Some(folder), folder.parent()].into_iter().flatten().map(Path::to_owned).collect());
    }
    Ok(vec![folder.join("deps"), folder.to_owned()])
}

/// The plugin `name`: `libthw_<name>.so` on Linux.
pub(crate) fn named(name: &str) -> Result<PathBuf, LoadError> {
    let file = os::file_name(name);
    let folders = folders()?;
    let found = folders.iter().map(|folder| folder.join(&file)).find(|path| path.symlink_metadata().is_ok());
    found.ok_or(LoadError::NotFound { file, folders })
}

/// All plugins, by the name of their file.
pub(crate) fn all() -> Result<Vec<PathBuf>, LoadError> {
    let pattern = os::file_name("*");
    let (prefix, suffix) = pattern.split_once('*').unwrap_or_default();
    let mut found = BTreeMap::new();
    for folder in folders()? {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(LoadError::Read { path: folder, source }),
        };
        for entry in entries {
            let entry = entry.map_err(|source| LoadError::Read { path: folder.clone(), source })?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix)) {
                found.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    Ok(found.into_values().collect())
}
