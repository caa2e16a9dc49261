//! Whether a plugin can run here, decided before any of its code runs.

use crate::table::{ABI_MAJOR, ABI_MINOR, MANIFEST_MAGIC, MANIFEST_PANIC_ABORT, Manifest};
use crate::types::Event;
use std::fmt;

/// What in a manifest does not fit this engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// The first four bytes are not those of a plugin.
    Magic,
    /// It is smaller than any manifest.
    Size {
        /// What it states.
        stated: u32,
    },
    /// It was built for another major version of the ABI.
    Major {
        /// Version of the plugin.
        plugin: u32,
    },
    /// It needs a newer engine.
    Minor {
        /// Lowest minor version that it needs.
        needed: u32,
    },
    /// It was built for pointers of another size.
    PointerBits {
        /// What it states.
        stated: u32,
    },
    /// Its events have another size.
    EventSize {
        /// What it states.
        stated: u32,
    },
    /// A panic in it would end the process.
    PanicAbort,
    /// It has no id.
    NoId,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("its manifest does not begin with THW1; it is no thalweg plugin"),
            Self::Size { stated } => {
                write!(f, "its manifest states {stated} bytes, at least {} are needed", size_of::<Manifest>())
            }
            Self::Major { plugin } => write!(
                f,
                "it was built for plugin ABI {plugin}, this engine speaks {ABI_MAJOR}; rebuild it with the \
                 thalweg_plugin.h of this engine"
            ),
            Self::Minor { needed } => write!(
                f,
                "it needs plugin ABI {ABI_MAJOR}.{needed}, this engine speaks {ABI_MAJOR}.{ABI_MINOR}; use a newer engine"
            ),
            Self::PointerBits { stated } => {
                write!(f, "it was built for {stated}-bit pointers, this engine has {}", usize::BITS)
            }
            Self::EventSize { stated } => write!(
                f,
                "its thw_event has {stated} bytes, this engine's has {}; rebuild it with the thalweg_plugin.h of this \
                 engine and no packing options",
                size_of::<Event>()
            ),
            Self::PanicAbort => f.write_str("a panic in it would end the process; build it with panic = \"unwind\""),
            Self::NoId => f.write_str("its manifest has no id"),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Whether a plugin with this manifest can run here.
///
/// # Errors
/// The first thing that does not fit.
pub fn check_manifest(manifest: &Manifest) -> Result<(), ManifestError> {
    if manifest.magic != MANIFEST_MAGIC {
        return Err(ManifestError::Magic);
    }
    // Before the size: another major version may have another manifest behind the first members.
    if manifest.abi_major != ABI_MAJOR {
        return Err(ManifestError::Major { plugin: manifest.abi_major });
    }
    if (manifest.struct_size as usize) < size_of::<Manifest>() {
        return Err(ManifestError::Size { stated: manifest.struct_size });
    }
    if manifest.min_host_minor > ABI_MINOR {
        return Err(ManifestError::Minor { needed: manifest.min_host_minor });
    }
    if manifest.pointer_bits != usize::BITS {
        return Err(ManifestError::PointerBits { stated: manifest.pointer_bits });
    }
    if manifest.event_size as usize != size_of::<Event>() {
        return Err(ManifestError::EventSize { stated: manifest.event_size });
    }
    if manifest.flags & MANIFEST_PANIC_ABORT != 0 {
        return Err(ManifestError::PanicAbort);
    }
    if manifest.id().is_empty() {
        return Err(ManifestError::NoId);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Manifest {
        let mut manifest = Manifest {
            magic: MANIFEST_MAGIC,
            struct_size: size_of::<Manifest>() as u32,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            min_host_minor: 0,
            pointer_bits: usize::BITS,
            event_size: size_of::<Event>() as u32,
            flags: 0,
            id: [0; 64],
            version: [0; 32],
            build: [0; 64],
            cpu: [0; 32],
        };
        manifest.id[..4].copy_from_slice(b"test");
        manifest
    }

    #[test]
    fn each_thing_that_does_not_fit_has_its_own_error() {
        assert_eq!(check_manifest(&good()), Ok(()));
        type Spoil = fn(&mut Manifest);
        let cases: [(Spoil, ManifestError); 8] = [
            (|m| m.magic = 0, ManifestError::Magic),
            (|m| m.struct_size = 60, ManifestError::Size { stated: 60 }),
            (|m| m.abi_major = 2, ManifestError::Major { plugin: 2 }),
            (|m| m.min_host_minor = 9, ManifestError::Minor { needed: 9 }),
            (|m| m.pointer_bits = 16, ManifestError::PointerBits { stated: 16 }),
            (|m| m.event_size = 48, ManifestError::EventSize { stated: 48 }),
            (|m| m.flags = MANIFEST_PANIC_ABORT, ManifestError::PanicAbort),
            (|m| m.id = [0; 64], ManifestError::NoId),
        ];
        for (spoil, expected) in cases {
            let mut manifest = good();
            spoil(&mut manifest);
            assert_eq!(check_manifest(&manifest), Err(expected));
        }
    }

    #[test]
    fn manifest_of_a_newer_minor_version_fits() {
        let mut manifest = good();
        manifest.abi_minor = 7;
        manifest.struct_size += 64;
        assert_eq!(check_manifest(&manifest), Ok(()));
    }
}
