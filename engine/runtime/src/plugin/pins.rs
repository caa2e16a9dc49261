//! Which plugins a user has allowed: the path of each, and the SHA-256 that it had then.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::plugin::{LoadError, os};

/// The file of pins, as it stood when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    /// `None`: there is nowhere to write.
    file: Option<PathBuf>,
    by_path: BTreeMap<PathBuf, Terms>,
}

/// On what terms a file was allowed.
#[derive(Clone, Debug)]
struct Terms {
    sha256: String,
    is_isolated: bool,
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
    #[serde(default, rename = "isolated", skip_serializing_if = "std::ops::Not::not")]
    is_isolated: bool,
}

impl Pins {
    /// Reads the file; no file is no pins. Whoever can write to it decides what runs, so nobody else may.
    pub(crate) fn read(file: Option<PathBuf>) -> Result<Self, LoadError> {
        let none = |file| Ok(Self { file, by_path: BTreeMap::new() });
        let Some(file) = file else { return none(None) };
        let opened = match fs::symlink_metadata(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return none(Some(file)),
            _ => os::open(&file)?,
        };
        let failed = |source| LoadError::Read { path: file.clone(), source };
        os::check_allowed(&file, &opened.metadata().map_err(failed)?)?;
        let text = io::read_to_string(opened).map_err(failed)?;
        let content: Content = toml::from_str(&text)
            .map_err(|error| LoadError::Pins { path: file.clone(), reason: error.message().to_owned() })?;
        let terms = |pin: Pin| (pin.path, Terms { sha256: pin.sha256, is_isolated: pin.is_isolated });
        let by_path = content.plugin.into_iter().map(terms).collect();
        Ok(Self { file: Some(file), by_path })
    }

    /// The sum that the file at `path` had when it was allowed.
    pub(crate) fn get(&self, path: &Path) -> Option<&str> {
        self.by_path.get(path).map(|terms| terms.sha256.as_str())
    }

    /// Whether the file at `path` was allowed in a process of its own only.
    pub(crate) fn is_isolated(&self, path: &Path) -> bool {
        self.by_path.get(path).is_some_and(|terms| terms.is_isolated)
    }

    /// Sets a pin and writes the file anew, in one step.
    pub(crate) fn set(&mut self, path: &Path, sha256: String, is_isolated: bool) -> Result<(), LoadError> {
        let file = self.file.clone().ok_or_else(|| LoadError::NotAllowed { path: path.to_owned() })?;
        self.by_path.insert(path.to_owned(), Terms { sha256, is_isolated });
        self.write(&file).map_err(|source| LoadError::Read { path: file, source })
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let pins = self.by_path.iter();
        let pin = |(path, terms): (&PathBuf, &Terms)| Pin {
            path: path.clone(),
            sha256: terms.sha256.clone(),
            is_isolated: terms.is_isolated,
        };
        let plugin = pins.map(pin).collect();
        let text = toml::to_string(&Content { plugin }).map_err(io::Error::other)?;
        os::replace(file, &[HEAD.as_bytes(), text.as_bytes()])
    }
}

const HEAD: &str =
    "# Plugins that were allowed, written by `thalweg plugin install`. Remove an entry to forbid one again.\n\n";
