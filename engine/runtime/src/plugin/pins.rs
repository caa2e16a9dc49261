//! Which plugins a user has allowed: the path of each, and the SHA-256 that it had then.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plugin::{LoadError, os};

/// The file of pins, as it stood when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    file: PathBuf,
    by_path: BTreeMap<PathBuf, String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    plugin: Vec<Pin>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    path: PathBuf,
    sha256: String,
}

impl Pins {
    /// Reads the file; no file is no pins. Whoever can write to it decides what runs, so nobody else may.
    pub(crate) fn read(file: PathBuf) -> Result<Self, LoadError> {
        let opened = match fs::symlink_metadata(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { file, by_path: BTreeMap::new() });
            }
            _ => os::open(&file)?,
        };
        let failed = |source| LoadError::Read { path: file.clone(), source };
        os::check_allowed(&file, &opened.metadata().map_err(failed)?)?;
        let text = io::read_to_string(opened).map_err(failed)?;
        let content: Content = toml::from_str(&text)
            .map_err(|error| LoadError::Pins { path: file.clone(), reason: error.message().to_owned() })?;
        let by_path = content.plugin.into_iter().map(|pin| (pin.path, pin.sha256)).collect();
        Ok(Self { file, by_path })
    }

    /// The sum that the file at `path` had when it was allowed.
    pub(crate) fn get(&self, path: &Path) -> Option<&str> {
        self.by_path.get(path).map(String::as_str)
    }

    /// Sets a pin and writes the file anew, in one step.
    pub(crate) fn set(&mut self, path: &Path, sha256: String) -> Result<(), LoadError> {
        self.by_path.insert(path.to_owned(), sha256);
        self.write().map_err(|source| LoadError::Read { path: self.file.clone(), source })
    }

    fn write(&self) -> io::Result<()> {
        let pins = self.by_path.iter();
        let plugin = pins.map(|(path, sha256)| Pin { path: path.clone(), sha256: sha256.clone() }).collect();
        let text = toml::to_string(&Content { plugin }).map_err(io::Error::other)?;
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = self.file.with_extension(format!("new-{}", std::process::id()));
        let mut file = os::create_private(&fresh)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file)
    }
}

const HEAD: &str =
    "# Plugins that were allowed, written by `thalweg plugin install`. Remove an entry to forbid one again.\n\n";
