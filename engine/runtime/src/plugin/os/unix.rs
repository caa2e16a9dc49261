//! Owners and modes, common to the systems that have them.

use crate::plugin::LoadError;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Opens a file for reading, but no symbolic link, and without waiting for the other end of a pipe.
pub(crate) fn open(path: &Path) -> Result<File, LoadError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(rustix::io::Errno::LOOP) => Err(LoadError::SymbolicLink { path: path.to_owned() }),
        Err(error) => Err(LoadError::Read { path: path.to_owned(), source: error.into() }),
    }
}

/// Puts a file of these parts at `path`, in one step. Only its owner may write to it, and to folders that are made for it,
/// whatever the umask; anybody may read them.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&fresh, flags, Mode::from_raw_mode(0o644))?);
    file.set_permissions(Permissions::from_mode(0o644))?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// A file beside the executable is trusted as far as that: same owner, and no more writable.
pub(crate) fn check_beside(path: &Path, file: &Metadata, executable: &Metadata) -> Result<(), LoadError> {
    if file.uid() != executable.uid() {
        let (path, owner) = (path.to_owned(), file.uid());
        return Err(LoadError::Owner { path, owner, expected: vec![executable.uid()] });
    }
    if file.mode() & !executable.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(LoadError::Writable { path: path.to_owned(), mode: file.mode() & 0o7777 });
    }
    Ok(())
}

/// An allowed file, and every folder above it, belongs to root or the present user, and nobody else can write to it; a
/// folder that is sticky, as the one for temporary files, lets nobody replace what belongs to another.
pub(crate) fn check_allowed(path: &Path, file: &Metadata) -> Result<(), LoadError> {
    let mut owners = vec![0, rustix::process::geteuid().as_raw()];
    owners.dedup();
    check_one(path, file, &owners)?;
    let failed = |path: &Path, source| LoadError::Read { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(path);
    // The way through links is not the way of the names: look at where they lead.
    let folder = folder.canonicalize().map_err(|source| failed(folder, source))?;
    for folder in folder.ancestors() {
        let metadata = folder.metadata().map_err(|source| failed(folder, source))?;
        if metadata.mode() & STICKY == 0 || !owners.contains(&metadata.uid()) {
            check_one(folder, &metadata, &owners)?;
        }
    }
    Ok(())
}

fn check_one(path: &Path, metadata: &Metadata, owners: &[u32]) -> Result<(), LoadError> {
    if !owners.contains(&metadata.uid()) {
        return Err(LoadError::Owner { path: path.to_owned(), owner: metadata.uid(), expected: owners.to_vec() });
    }
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(LoadError::Writable { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// Only the owner of an entry may remove or rename it.
const STICKY: u32 = 0o1000;
/// The write bits of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
