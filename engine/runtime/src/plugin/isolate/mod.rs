//! Plugins in processes of their own, for those that one does not trust to keep running.
//!
//! The same shared object is loaded by another process, and the engine talks with it over a socket: a plugin that
//! crashes, hangs or takes too much memory ends that process, the calls that went on in it fail with the reason, and the
//! engine lives on. The next call starts it again, after a pause; one that falls three times within a minute is not started
//! again. Frames cross in batches, one round trip for each; those that a template reads do not cross at all.
//!
//! This contains faults, not malice: the process has the rights of the user who runs the engine. It gets no keys: its
//! environment is emptied but for what a program needs to run.

mod cell;
mod child;
mod link;
mod message;
mod proxy;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, Host};
use thalweg_abi::types::E_PROTOCOL;

use crate::plugin::{Inspected, LoadError};

pub use child::serve_isolated;

/// How a plugin runs in a process of its own.
#[derive(Clone, Debug)]
pub struct Isolation {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) memory_bytes: u64,
    pub(crate) silence_max: Duration,
    pub(crate) cancel_max: Duration,
    pub(crate) codec_max: Duration,
}

impl Isolation {
    /// With `program` as the process: one that calls [`serve_isolated`] when it gets these arguments, such as
    /// `thalweg plugin-host`.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            memory_bytes: 1 << 30,
            silence_max: Duration::from_secs(120),
            cancel_max: Duration::from_secs(2),
            codec_max: Duration::from_secs(5),
        }
    }

    /// Address space that the process may take beyond what it starts with; 1 GiB unless set.
    #[must_use]
    pub const fn with_memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// How long a tool or a provider may say nothing before its process is ended; 2 minutes unless set.
    #[must_use]
    pub const fn with_silence(mut self, limit: Duration) -> Self {
        self.silence_max = limit;
        self
    }

    /// How long a tool or a provider may go on after it was cancelled; 2 seconds unless set.
    #[must_use]
    pub const fn with_cancel(mut self, limit: Duration) -> Self {
        self.cancel_max = limit;
        self
    }

    /// How long a codec may take for one call, for which the engine waits; 5 seconds unless set.
    #[must_use]
    pub const fn with_codec(mut self, limit: Duration) -> Self {
        self.codec_max = limit;
        self
    }
}

/// Starts the process of a plugin, and gives the plugin as if it were loaded here.
pub(crate) fn start(
    inspected: &Inspected,
    isolation: &Isolation,
    host: &'static Host,
) -> Result<host::Plugin, LoadError> {
    let path = inspected.path().to_owned();
    let manifest = *inspected.manifest();
    let failed = |failure| {
        let source = host::Error::Start { plugin: manifest.id().into(), failure };
        LoadError::Start { path: path.clone(), source }
    };
    let cell = Arc::new(cell::Cell::new(path.clone(), inspected.sha256(), isolation.clone(), host));
    let (_, about) = cell.started().map_err(failed)?;
    let about = serde_json::from_str(&about.unwrap_or_default())
        .map_err(|error| failed(Failure::new(E_PROTOCOL, format!("its process cannot be understood: {error}"))))?;
    host::Plugin::assemble(manifest, proxy::parts(&cell, about), host)
        .map_err(|source| LoadError::Start { path: path.clone(), source })
}
