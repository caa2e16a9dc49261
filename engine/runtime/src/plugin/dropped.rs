//! Plugins that a user drops into a folder: found there, and loaded once they were allowed with the bytes that they have.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[cfg(unix)]
use crate::plugin::Isolation;
use crate::plugin::pins::Pins;
use crate::plugin::{Inspected, LoadError, LoadedPlugin, Loader, os};
use crate::user_folders;

/// The folders of a user's own plugins, and which of those are allowed.
#[derive(Clone, Debug)]
pub struct Dropped {
    loader: Loader,
    folders: Vec<PathBuf>,
    pins: Pins,
}

/// A file in one of the folders.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// Whether it may be loaded.
    pub state: State,
}

/// Whether a file may be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Nobody has allowed it.
    New,
    /// It is what was allowed.
    Allowed,
    /// It was allowed and is another file since.
    Changed {
        /// The sum that was allowed.
        pinned: String,
    },
    /// It cannot be a plugin here, or others can write to it.
    Unfit(String),
}

impl Dropped {
    /// The user's folder, `$XDG_DATA_HOME/thalweg/plugins` or `~/.local/share/thalweg/plugins`, and those that
    /// `THALWEG_PLUGIN_PATH` adds, separated as in `PATH`. What is allowed stands in `plugins.toml` in the folder of the
    /// user's configuration.
    ///
    /// # Errors
    /// When the file of what is allowed cannot be read, or others can write to it.
    pub fn of_user(loader: Loader, variables: &dyn Fn(&str) -> Option<String>) -> Result<Self, LoadError> {
        let mut folders: Vec<PathBuf> =
            user_folders::data(variables).map(|folder| folder.join("plugins")).into_iter().collect();
        let more = variables("THALWEG_PLUGIN_PATH").unwrap_or_default();
        folders.extend(env::split_paths(&more).filter(|folder| folder.is_absolute()));
        let pins = Pins::read(user_folders::config(variables).map(|folder| folder.join("plugins.toml")))?;
        Ok(Self { loader, folders, pins })
    }

    /// The folders, the user's own first.
    #[must_use]
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// All shared objects in the folders, by name, each folder after the other. None of their code runs.
    ///
    /// # Errors
    /// When a folder is there and cannot be read.
    pub fn find(&self) -> Result<Vec<Found>, LoadError> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let failed = |source| LoadError::Read { path: folder.clone(), source };
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(failed(source)),
            };
            let mut paths = Vec::new();
            for entry in entries {
                paths.push(entry.map_err(failed)?.path());
            }
            paths.retain(|path| path.extension().is_some_and(|found| found == env::consts::DLL_EXTENSION));
            paths.sort();
            found.extend(paths.into_iter().map(|path| Found { state: self.state(&path), path }));
        }
        Ok(found)
    }

    fn state(&self, path: &Path) -> State {
        match self.loader.clone().allow(path).inspect(path) {
            Err(error) => State::Unfit(error.to_string()),
            Ok(inspected) => match self.pins.get(path) {
                None => State::New,
                Some(pinned) if pinned == inspected.sha256() => State::Allowed,
                Some(pinned) => State::Changed { pinned: pinned.to_owned() },
            },
        }
    }

    /// Allows the file with the bytes that it has now; one that lies elsewhere is copied to the user's folder first. None
    /// of its code runs.
    ///
    /// # Errors
    /// When it is no plugin for this engine, others can write to it, or it cannot be copied.
    pub fn install(&mut self, file: &Path) -> Result<Inspected, LoadError> {
        self.allow(file, false)
    }

    /// As [`Dropped::install`], but for a process of its own only: [`Dropped::is_isolated`] says so from then on.
    ///
    /// # Errors
    /// As there.
    pub fn install_isolated(&mut self, file: &Path) -> Result<Inspected, LoadError> {
        self.allow(file, true)
    }

    /// Whether a file was allowed for a process of its own only; [`Dropped::load`] does not load it into this one.
    #[must_use]
    pub fn is_isolated(&self, path: &Path) -> bool {
        self.pins.is_isolated(path)
    }

    fn allow(&mut self, file: &Path, is_isolated: bool) -> Result<Inspected, LoadError> {
        let inspected = self.loader.clone().allow(file).inspect(file)?;
        let lies_there = file.parent().is_some_and(|folder| self.folders.iter().any(|known| known == folder));
        if lies_there {
            self.pins.set(file, inspected.sha256(), is_isolated)?;
            return Ok(inspected);
        }
        let (Some(folder), Some(name)) = (self.folders.first(), file.file_name()) else {
            return Err(LoadError::NotAllowed { path: file.to_owned() });
        };
        let target = folder.join(name);
        // What was looked at is what is written, whatever became of the file since.
        os::replace(&target, &[&inspected.bytes]).map_err(|source| LoadError::Read { path: target.clone(), source })?;
        self.pins.set(&target, inspected.sha256(), is_isolated)?;
        self.loader.clone().allow(&target).inspect(&target)
    }

    /// Loads and starts a file that was allowed.
    ///
    /// # Errors
    /// When it was not, or not for this process; when it is not what was allowed; or as [`Loader::load`].
    pub fn load(&self, path: &Path) -> Result<LoadedPlugin, LoadError> {
        if self.is_isolated(path) {
            return Err(LoadError::Isolated { path: path.to_owned() });
        }
        self.pinned(path)?.load(path)
    }

    /// As [`Dropped::load`], but into a process of its own.
    ///
    /// # Errors
    /// As there, or as [`Loader::load_isolated`].
    #[cfg(unix)]
    pub fn load_isolated(&self, path: &Path, isolation: &Isolation) -> Result<LoadedPlugin, LoadError> {
        self.pinned(path)?.load_isolated(path, isolation)
    }

    fn pinned(&self, path: &Path) -> Result<Loader, LoadError> {
        let pinned = self.pins.get(path).ok_or_else(|| LoadError::NotAllowed { path: path.to_owned() })?;
        Ok(self.loader.clone().allow_pinned(path, pinned))
    }
}
