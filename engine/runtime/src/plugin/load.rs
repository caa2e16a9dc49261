//! Maps a checked file into the process and starts it. The one place of this crate with unsafe code: running the code of
//! a library that the operator chose is a promise that no compiler can check.

#[cfg(unix)]
use crate::plugin::isolate::{self, Isolation};
use crate::plugin::manifest::{Inspected, hex};
use crate::plugin::policy::{self, Trust};
use crate::plugin::{LoadError, find, os};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use thalweg_abi::host::{Host, Plugin};
use thalweg_abi::module::Module;
use thalweg_abi::table::{ENTRY_SYMBOL, MANIFEST_SYMBOL, Manifest, PluginEntry};

/// Loads plugins that lie beside the executable, and others whose path was allowed.
#[derive(Clone, Debug)]
pub struct Loader {
    allowed: Vec<PathBuf>,
    /// The sums that allowed files must have, where they were pinned.
    pinned: HashMap<PathBuf, String>,
    host: &'static Host,
}

impl Loader {
    /// A loader of what lies beside the executable; lines that plugins log are dropped.
    #[must_use]
    pub fn new() -> Self {
        super::offer();
        Self { allowed: Vec::new(), pinned: HashMap::new(), host: Host::silent() }
    }

    /// The same loader, with `host` for the lines that plugins log.
    #[must_use]
    pub fn with_host(mut self, host: &'static Host) -> Self {
        self.host = host;
        self
    }

    /// The same loader, which also loads the file with this absolute path. It, and all folders above it, must belong to
    /// root or to the present user and be writable by nobody else.
    #[must_use]
    pub fn allow(mut self, path: impl Into<PathBuf>) -> Self {
        self.allowed.push(path.into());
        self
    }

    /// As [`Loader::allow`], but only with the bytes whose SHA-256 is `sha256`, in lower-case hexadecimal.
    #[must_use]
    pub fn allow_pinned(mut self, path: impl Into<PathBuf>, sha256: impl Into<String>) -> Self {
        let path = path.into();
        self.pinned.insert(path.clone(), sha256.into());
        self.allow(path)
    }

    /// The files of all plugins beside the executable, in the order of their names. Nothing is opened.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn installed(&self) -> Result<Vec<PathBuf>, LoadError> {
        find::all()
    }

    /// The file of the plugin `name` beside the executable: `libthw_<name>.so` on Linux. It is not opened.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] names the file and the folders.
    pub fn find(&self, name: &str) -> Result<PathBuf, LoadError> {
        find::named(name)
    }

    /// Looks at a file without running any of its code.
    ///
    /// # Errors
    /// When it may not be loaded, or is no plugin for this engine.
    pub fn inspect(&self, path: &Path) -> Result<Inspected, LoadError> {
        let (file, _) = policy::open(path, &self.allowed)?;
        Inspected::read(path, &file)
    }

    /// Loads and starts the plugin `name` that lies beside the executable.
    ///
    /// # Errors
    /// As [`Loader::find`] and [`Loader::load`].
    pub fn load_named(&self, name: &str) -> Result<LoadedPlugin, LoadError> {
        self.load(&self.find(name)?)
    }

    /// Loads and starts a plugin.
    ///
    /// # Errors
    /// When the file may not be loaded, is no plugin for this engine, or fails to start.
    pub fn load(&self, path: &Path) -> Result<LoadedPlugin, LoadError> {
        let (inspected, trust) = self.look(path)?;
        let module = module_of(&inspected, trust)?;
        let plugin =
            Plugin::start(&module, self.host).map_err(|source| LoadError::Start { path: path.to_owned(), source })?;
        Ok(LoadedPlugin { path: path.to_owned(), sha256: inspected.hash(), plugin })
    }

    /// As [`Loader::load`], but into a process of its own.
    ///
    /// # Errors
    /// As there; and when that process cannot be started.
    #[cfg(unix)]
    pub fn load_isolated(&self, path: &Path, isolation: &Isolation) -> Result<LoadedPlugin, LoadError> {
        let (inspected, _) = self.look(path)?;
        let plugin = isolate::start(&inspected, isolation, self.host)?;
        Ok(LoadedPlugin { path: path.to_owned(), sha256: inspected.hash(), plugin })
    }

    /// Opens a file that may be loaded, and looks whether it is what was pinned.
    fn look(&self, path: &Path) -> Result<(Inspected, Trust), LoadError> {
        let (file, trust) = policy::open(path, &self.allowed)?;
        let inspected = Inspected::read(path, &file)?;
        if let Some(pinned) = self.pinned.get(path)
            && *pinned != inspected.sha256()
        {
            let (path, pinned) = (path.to_owned(), pinned.clone());
            return Err(LoadError::Changed { path, pinned, found: inspected.sha256() });
        }
        Ok((inspected, trust))
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

/// A plugin that was loaded from a file and started.
#[derive(Clone, Debug)]
pub struct LoadedPlugin {
    path: PathBuf,
    sha256: [u8; 32],
    plugin: Plugin,
}

impl LoadedPlugin {
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
    pub fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    /// The running plugin.
    #[must_use]
    pub const fn plugin(&self) -> &Plugin {
        &self.plugin
    }
}

/// What is mapped, by path and hash. The system's loader gives the old code when the file at a known path was replaced,
/// so that is an error here; and the same file is mapped once.
static MAPPED: LazyLock<Mutex<Mapped>> = LazyLock::new(Mutex::default);

type Mapped = HashMap<PathBuf, ([u8; 32], Module)>;

/// The code of a checked file in this process.
fn module_of(inspected: &Inspected, trust: Trust) -> Result<Module, LoadError> {
    // Held while mapping: on some systems the loader's errors are not safe to read from two threads.
    let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((hash, module)) = mapped.get(inspected.path()) {
        return if *hash == inspected.hash() {
            Ok(*module)
        } else {
            Err(LoadError::Replaced { path: inspected.path().to_owned() })
        };
    }
    let module = map(inspected, trust)?;
    mapped.insert(inspected.path().to_owned(), (inspected.hash(), module));
    Ok(module)
}

/// Maps a checked file and finds its two symbols.
#[expect(unsafe_code, reason = "loading a library runs its code; this is the crate's one place that does so")]
fn map(inspected: &Inspected, trust: Trust) -> Result<Module, LoadError> {
    let path = inspected.path();
    let failed = |error: libloading::Error| LoadError::Map { path: path.to_owned(), reason: text(&error) };
    let source = os::source(inspected, trust)?;
    // SAFETY: running the initialisers of a library is what the policy allowed for this file. It keeps the ABI as far as
    // its manifest can say; the flags keep it mapped for ever and its symbols apart from others.
    let library = unsafe { os::open_library(&source) }.map_err(failed)?;
    // SAFETY: by the ABI the symbol is a manifest; it is read below, byte by byte, only as far as it was in the file.
    let manifest = unsafe { library.get::<*const Manifest>(MANIFEST_SYMBOL) };
    let manifest = *manifest.map_err(|_| LoadError::NoManifest { path: path.to_owned() })?;
    // SAFETY: by the ABI the symbol is the entry function.
    let entry = unsafe { library.get::<PluginEntry>(ENTRY_SYMBOL) };
    let entry = *entry.map_err(|_| LoadError::NoEntry { path: path.to_owned() })?;
    // SAFETY: the file has this many bytes at this symbol, `inspect` has read them.
    let mapped = unsafe { manifest.read() };
    if mapped.as_bytes() != inspected.manifest().as_bytes() {
        return Err(LoadError::Replaced { path: path.to_owned() });
    }
    // The code stays for ever: its threads and thread-local destructors may outlive every handle to it.
    std::mem::forget(library);
    // SAFETY: the manifest says that the plugin keeps this ABI, which is what there is to go by; its code stays mapped.
    Ok(unsafe { Module::new(mapped, entry) })
}

/// The text of the system's loader rather than the name of its function.
fn text(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
