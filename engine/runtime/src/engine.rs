//! What agents share: limits on their runs together, and the memory of their logs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thalweg_log::{Log, Options as LogOptions, Pool, PoolOptions, Writer};

use crate::error::Error;

/// What agents share when each is built with [`AgentBuilder::engine`](crate::AgentBuilder::engine): one limit on runs, one
/// on the memory of their logs, and the segments of old logs for new ones. Clones are the same engine.
///
/// An agent that is built without one has one of its own, with the default limits.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    runs: Arc<AtomicUsize>,
    pool: Pool,
}

/// Limits of an [`Engine`]. The others are in `docs/LIMITS.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Runs that go on at the same time; one more is [`Error::TooManyRuns`]. Default 100,000.
    pub runs_max: usize,
    /// Bytes of the logs of all runs, also of those that are over and still held. A run that needs more ends with an error
    /// and keeps what it has. Default 8 GiB.
    pub log_bytes_max: usize,
    /// Bytes of log segments that are kept for the next run. Default 4 MiB; of the engine that an agent has for itself,
    /// 64 KiB.
    pub kept_bytes_max: usize,
    /// What one reply may ask of the parser: bytes of an event, depth of its JSON.
    pub wire: thalweg_wire::limits::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            runs_max: 100_000,
            log_bytes_max: usize::try_from(8_u64 << 30).unwrap_or(usize::MAX),
            kept_bytes_max: 4 << 20,
            wire: thalweg_wire::limits::Limits::default(),
        }
    }
}

impl Limits {
    /// The same limits with another number of runs.
    #[must_use]
    pub const fn with_runs_max(mut self, runs: usize) -> Self {
        self.runs_max = runs;
        self
    }

    /// The same limits with another bound for all logs together.
    #[must_use]
    pub const fn with_log_bytes_max(mut self, bytes: usize) -> Self {
        self.log_bytes_max = bytes;
        self
    }

    /// The same limits with another bound for what is kept to be used again.
    #[must_use]
    pub const fn with_kept_bytes_max(mut self, bytes: usize) -> Self {
        self.kept_bytes_max = bytes;
        self
    }

    /// The same limits with others for the parser.
    #[must_use]
    pub const fn with_wire(mut self, limits: thalweg_wire::limits::Limits) -> Self {
        self.wire = limits;
        self
    }
}

impl Engine {
    /// An engine without runs.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let pool = Pool::new(PoolOptions { bytes_max: limits.log_bytes_max, kept_bytes_max: limits.kept_bytes_max });
        Self { inner: Arc::new(Inner { limits, runs: Arc::default(), pool }) }
    }

    /// Of an agent that shares with nobody.
    pub(crate) fn of_one_agent() -> Self {
        Self::new(Limits::default().with_kept_bytes_max(64 << 10))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Runs that go on.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.inner.runs.load(Ordering::Relaxed)
    }

    /// Bytes of the logs of all runs, also of those that are over and still held.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.inner.pool.bytes_used()
    }

    /// Bytes of log segments that wait for the next run.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.inner.pool.bytes_kept()
    }

    /// Counts a run, until the place is dropped.
    pub(crate) fn enter(&self) -> Result<RunPlace, Error> {
        let runs_max = self.inner.limits.runs_max;
        let place = RunPlace(Arc::clone(&self.inner.runs));
        let runs = place.0.fetch_add(1, Ordering::Relaxed);
        if runs >= runs_max {
            // The place gives it back.
            return Err(Error::TooManyRuns { runs_max });
        }
        Ok(place)
    }

    pub(crate) fn channel(&self, options: LogOptions) -> (Writer, Log) {
        self.inner.pool.channel(options)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.inner.limits)
            .field("runs", &self.runs())
            .field("log_bytes", &self.log_bytes())
            .finish()
    }
}

/// One of the runs that an engine may have at a time.
#[derive(Debug)]
pub(crate) struct RunPlace(Arc<AtomicUsize>);

impl Drop for RunPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
