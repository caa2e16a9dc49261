//! Why a plugin was not loaded.

use std::io;
use std::path::PathBuf;
use thalweg_abi::host::{self, ManifestError};

/// Why a plugin was not loaded. Each names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No plugin of that name lies beside the executable.
    #[error("plugin file {file} not found; looked in {}; build it, or put it there", listed(.folders))]
    NotFound {
        /// Name of the file.
        file: String,
        /// Where it could have been.
        folders: Vec<PathBuf>,
    },
    /// It was allowed for a process of its own only.
    #[error("{}: allowed for a process of its own only; install it again to allow it in this one", .path.display())]
    Isolated {
        /// The file.
        path: PathBuf,
    },
    /// The path is not absolute.
    #[error("{}: a plugin is named by its absolute path", .path.display())]
    NotAbsolute {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be opened or read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The path ends in a symbolic link.
    #[error("{}: a symbolic link is not followed; name the file that it points to", .path.display())]
    SymbolicLink {
        /// The link.
        path: PathBuf,
    },
    /// It is a folder, a pipe or a device.
    #[error("{}: not a regular file", .path.display())]
    NotAFile {
        /// What was opened.
        path: PathBuf,
    },
    /// The file is larger than any plugin.
    #[error("{}: larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        limit: u64,
    },
    /// Neither beside the executable nor allowed.
    #[error(
        "{}: not beside the executable and not allowed; a plugin runs with all rights of this program, so allow its path \
         explicitly if you trust it", .path.display()
    )]
    NotAllowed {
        /// The file.
        path: PathBuf,
    },
    /// It is not the file that was allowed.
    #[error(
        "{}: changed since it was allowed (sha256 {found}, allowed was {pinned}); allow it again if you trust what it is now",
        .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The sum that was allowed.
        pinned: String,
        /// The sum that it has.
        found: String,
    },
    /// The file that says what is allowed cannot be read.
    #[error("{}: not the TOML that `thalweg plugin install` writes: {reason}", .path.display())]
    Pins {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It belongs to somebody else.
    #[error("{}: belongs to user {owner}; it must belong to {}", .path.display(), owners(.expected))]
    Owner {
        /// The file, or a folder above it.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who may own it.
        expected: Vec<u32>,
    },
    /// Others can change it.
    #[error("{}: others can write to it (mode {mode:o}); `chmod go-w` it", .path.display())]
    Writable {
        /// The file, or a folder above it.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no shared object.
    #[error("{}: not a shared object: {reason}", .path.display())]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// It is a shared object without a manifest.
    #[error("{}: not a thalweg plugin: it has no symbol thw_plugin_manifest_v1", .path.display())]
    NoManifest {
        /// The file.
        path: PathBuf,
    },
    /// It was built for another processor or system.
    #[error("{}: built for {file}, this engine runs on {engine}; rebuild it for this machine", .path.display())]
    Architecture {
        /// The file.
        path: PathBuf,
        /// What the file says.
        file: String,
        /// What the engine was built for.
        engine: &'static str,
    },
    /// The manifest says that it cannot run here: a wrong ABI version, for example.
    #[error("{}: {reason}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: ManifestError,
    },
    /// The system's loader refused it: a missing library, for example.
    #[error("{}: cannot be loaded: {reason}", .path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// What the system's loader says.
        reason: String,
    },
    /// It has no entry function.
    #[error("{}: not a thalweg plugin: it has no symbol thw_plugin_entry_v1", .path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
    },
    /// What was mapped is not what was checked.
    #[error("{}: the file was replaced since it was first loaded; restart the program", .path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// It was loaded and then failed or broke a rule.
    #[error("{}: {source}", .path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// What it did.
        source: host::Error,
    },
    /// Its description of itself is not the JSON object that it must be.
    #[error("plugin `{plugin}`: its description of itself is wrong: {reason}")]
    Describe {
        /// Id of the plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
    /// Two plugins offer the same.
    #[error("plugins `{first}` and `{second}` both offer the {what}; load only one of them")]
    Duplicate {
        /// "dialect x" or "tool x".
        what: String,
        /// The one that came first.
        first: String,
        /// The other.
        second: String,
    },
    /// Plugins cannot be loaded on this system.
    #[error("plugins cannot be loaded on this system; link them in: see docs/PLUGINS.md")]
    Platform,
}

fn listed(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and ")
}

fn owners(expected: &[u32]) -> String {
    expected.iter().map(|owner| format!("user {owner}")).collect::<Vec<_>>().join(" or ")
}
