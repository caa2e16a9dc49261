//! Reads what a plugin says of itself out of its file, before any of its code runs.

use crate::plugin::LoadError;
use object::{Architecture, Object, ObjectSection};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use thalweg_abi::host::check_manifest;
use thalweg_abi::table::{MANIFEST_SYMBOL, Manifest};

/// A plugin's file as it was looked at: its hash and its manifest. None of its code has run.
#[derive(Clone)]
pub struct Inspected {
    path: PathBuf,
    sha256: [u8; 32],
    manifest: Manifest,
    pub(crate) bytes: Vec<u8>,
}

impl Inspected {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.sha256)
    }

    /// What the plugin says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The names of all symbols that the file exports, without the `_` that some systems put before each.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        let file = object::File::parse(&*self.bytes);
        let exports = file.and_then(|file| {
            let is_prefixed = file.format() == object::BinaryFormat::MachO;
            let name = |name: &[u8]| {
                let name = String::from_utf8_lossy(name).into_owned();
                name.strip_prefix('_').filter(|_| is_prefixed).map(str::to_owned).unwrap_or(name)
            };
            Ok(file.exports()?.iter().map(|export| name(export.name())).collect())
        });
        // It was read before, or there would be no such thing as this.
        exports.unwrap_or_default()
    }

    pub(crate) const fn hash(&self) -> [u8; 32] {
        self.sha256
    }

    /// Reads an open file and checks its manifest.
    pub(crate) fn read(path: &Path, file: &File) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Read { path: path.to_owned(), source };
        let expected = file.metadata().map_or(0, |metadata| metadata.len().min(FILE_BYTES_MAX));
        // One more, so that its end is seen without growing.
        let mut bytes = Vec::with_capacity(expected as usize + 1);
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(LoadError::TooLarge { path: path.to_owned(), limit: FILE_BYTES_MAX });
        }
        let manifest = find_manifest(path, &bytes)?;
        check_manifest(&manifest).map_err(|reason| LoadError::Manifest { path: path.to_owned(), reason })?;
        Ok(Self { path: path.to_owned(), sha256: Sha256::digest(&bytes).into(), manifest, bytes })
    }
}

impl std::fmt::Debug for Inspected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspected")
            .field("path", &self.path)
            .field("sha256", &self.sha256())
            .field("id", &self.manifest.id())
            .finish_non_exhaustive()
    }
}

/// The manifest in the bytes of a shared object for this machine.
fn find_manifest(path: &Path, bytes: &[u8]) -> Result<Manifest, LoadError> {
    let not_an_object =
        |error: object::Error| LoadError::NotAnObject { path: path.to_owned(), reason: error.to_string() };
    let file = object::File::parse(bytes).map_err(not_an_object)?;
    let here = architecture();
    if here.is_some_and(|here| here != file.architecture()) || file.is_64() != (usize::BITS == 64) {
        let (file, engine) = (format!("{:?}", file.architecture()), std::env::consts::ARCH);
        return Err(LoadError::Architecture { path: path.to_owned(), file, engine });
    }
    let exports = file.exports().map_err(not_an_object)?;
    let symbol = exports.iter().find(|export| {
        let name = export.name();
        name.strip_prefix(b"_").unwrap_or(name) == MANIFEST_SYMBOL.as_bytes()
    });
    let no_manifest = || LoadError::NoManifest { path: path.to_owned() };
    let address = symbol.ok_or_else(no_manifest)?.address();
    let data =
        |len| file.sections().find_map(|section| section.data_range(address, len).ok().flatten()).map(<[u8]>::to_vec);
    // The head alone is enough to tell that the rest is of another version.
    let whole = data(size_of::<Manifest>() as u64).or_else(|| data(HEAD_BYTES)).ok_or_else(no_manifest)?;
    Ok(Manifest::from_bytes(&whole))
}

/// The processor that the engine was built for, where `object` has a name for it.
const fn architecture() -> Option<Architecture> {
    if cfg!(target_arch = "x86_64") {
        Some(Architecture::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Architecture::Aarch64)
    } else if cfg!(target_arch = "x86") {
        Some(Architecture::I386)
    } else if cfg!(target_arch = "arm") {
        Some(Architecture::Arm)
    } else if cfg!(target_arch = "riscv64") {
        Some(Architecture::Riscv64)
    } else {
        None
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The eight integers at the beginning of a manifest.
const HEAD_BYTES: u64 = 32;
/// More than any plugin has; it is read into memory.
const FILE_BYTES_MAX: u64 = 512 << 20;
