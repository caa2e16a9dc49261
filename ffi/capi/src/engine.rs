//! The engine: threads, connections, plugins.

use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use thalweg::plugin::{Loader, Registry};
use thalweg::{Limits, http};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_CLOSED, E_FAILED, Error, OK, Status};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::budget::Budgets;
use crate::drain::{Batch, Drain};
use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::process::Process;
use crate::{built_in, guard, json, text};

/// Threads, connections and plugins; agents and their runs live in it.
#[repr(C)]
pub struct Engine {
    _opaque: [u8; 0],
}

/// What an engine, its agents and their runs share.
pub(crate) struct Shared {
    pub(crate) process: Process,
    pub(crate) client: http::Client,
    pub(crate) drain: Drain,
    /// Limits of all runs together.
    pub(crate) limits: thalweg::Engine,
    pub(crate) budgets: Budgets,
    registry: Mutex<Registry>,
    handle: Handle,
    /// Taken when the engine ends.
    runtime: Mutex<Option<Runtime>>,
}

/// What lies behind a `thw_engine`.
pub(crate) struct EngineObject(pub(crate) Arc<Shared>);

impl Class for EngineObject {
    type Handle = Engine;
    const NAME: &'static str = "engine";
    const TAG: &'static [u8; 8] = b"thwengin";
}

/// The keys of the options.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    threads: Option<usize>,
    connect_timeout_ms: Option<u64>,
    first_byte_timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    total_timeout_ms: Option<u64>,
    http2: Option<bool>,
    proxy: Option<String>,
    ca_files: Vec<String>,
    user_agent: Option<String>,
    runs_max: Option<usize>,
    log_bytes_max: Option<usize>,
    kept_bytes_max: Option<usize>,
    event_bytes_max: Option<usize>,
    nesting_max: Option<u16>,
}

impl Options {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.runs_max = self.runs_max.unwrap_or(limits.runs_max);
        limits.log_bytes_max = self.log_bytes_max.unwrap_or(limits.log_bytes_max);
        limits.kept_bytes_max = self.kept_bytes_max.unwrap_or(limits.kept_bytes_max);
        limits.wire.event_bytes_max = self.event_bytes_max.unwrap_or(limits.wire.event_bytes_max);
        limits.wire.nesting_max = self.nesting_max.unwrap_or(limits.wire.nesting_max);
        limits
    }

    fn client(self) -> http::Options {
        let mut options = http::Options::default();
        // 0 stands for no limit.
        let limit = |ms: u64| (ms > 0).then_some(Duration::from_millis(ms));
        if let Some(ms) = self.connect_timeout_ms {
            options.connect_timeout = limit(ms).unwrap_or(Duration::MAX);
        }
        if let Some(ms) = self.first_byte_timeout_ms {
            options.first_byte_timeout = limit(ms);
        }
        if let Some(ms) = self.idle_timeout_ms {
            options.idle_timeout = limit(ms);
        }
        if let Some(ms) = self.total_timeout_ms {
            options.total_timeout = limit(ms);
        }
        if let Some(http2) = self.http2 {
            options.http2 = http2;
        }
        if let Some(proxy) = self.proxy {
            options.proxy = if proxy.is_empty() { http::Proxy::Off } else { http::Proxy::Url(proxy) };
        }
        options.ca_files = self.ca_files.into_iter().map(Into::into).collect();
        if let Some(user_agent) = self.user_agent {
            options.user_agent = user_agent;
        }
        options
    }
}

impl Shared {
    fn new(options: Options) -> Result<Self, Fault> {
        let threads = options.threads.unwrap_or(1);
        if !(1..=THREADS_MAX).contains(&threads) {
            return Err(Failure::invalid(format!("`threads` is {threads}; 1 to {THREADS_MAX} will do")).into());
        }
        let limits = thalweg::Engine::new(options.limits());
        let client = http::Client::new(options.client()).map_err(|error| Failure::invalid(error.to_string()))?;
        let registry = Mutex::new(built_in::registry()?);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name("thalweg").enable_io().enable_time();
        let runtime =
            builder.build().map_err(|error| Failure::new(E_FAILED, format!("no threads are to be had: {error}")))?;
        Ok(Self {
            process: Process::current(),
            client,
            drain: Drain::new(),
            limits,
            budgets: Budgets::default(),
            registry,
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    /// Where tasks of the engine run.
    pub(crate) fn handle(&self) -> Result<&Handle, Fault> {
        if lock(&self.runtime).is_none() {
            return Err(Failure::new(E_CLOSED, "the engine was freed").into());
        }
        Ok(&self.handle)
    }

    /// The plugins loaded so far.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        lock(&self.registry)
    }

    /// Ends all runs and waits for the threads, unless this is one of them.
    fn close(&self) {
        let Some(runtime) = lock(&self.runtime).take() else { return };
        if Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            drop(runtime);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts an engine; NULL on an error. `options` is JSON, borrowed for the call; NULL and 0 for none. Its keys, all
/// optional:
///
/// - `threads`: threads that read sockets and decode; 1 if absent, which is enough for thousands of streams. Tools have
///   threads of their own.
/// - `connect_timeout_ms`, `first_byte_timeout_ms`, `idle_timeout_ms` (between two chunks of a reply),
///   `total_timeout_ms`: 10 s, 10 min, 5 min and none if absent; 0 for none.
/// - `http2`: whether to speak it where a server offers it; true if absent.
/// - `proxy`: a URL, or "" for none; as the environment says (`HTTPS_PROXY`, `NO_PROXY`) if absent.
/// - `ca_files`: paths of certificates to trust besides the bundled ones.
/// - `user_agent`: a name that servers see.
/// - `runs_max`: runs that go on at the same time; 100,000 if absent. One more is `THW_E_REJECTED`.
/// - `log_bytes_max`: bytes of events that all runs of the engine hold together, also those that are over and not freed;
///   8 GiB if absent. A run that needs more fails with `THW_E_FAILED`. `kept_bytes_max`: of those that were freed, kept for
///   the next run; 4 MiB.
/// - `event_bytes_max`, `nesting_max`: bytes of one event of a reply on the wire, and the depth of its JSON; 32 MiB and 128 if
///   absent. A run whose reply has more fails with `THW_E_PROTOCOL`.
///
/// The engine is the caller's, to be freed with `thw_engine_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_new(options: *const c_char, options_len: usize, error: *mut Error) -> *mut Engine {
    let body = || {
        // SAFETY: by contract.
        let options = unsafe { text::text(options, options_len, "options") }?;
        Ok(handle::new(EngineObject(Arc::new(Shared::new(json::read(options, "options")?)?))))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Ends the engine: runs that go on are dropped, and when it returns no thread of the engine is left and no callback is
/// running or will be called, but for `drop` of tools that are still held. So it waits for tools that are inside of
/// their `invoke`. Called from a callback it does not wait. Its agents, runs and readers stay valid and must still be
/// freed; what was logged can be read. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_free(engine: *mut Engine) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(EngineObject(shared)) = unsafe { handle::take::<EngineObject>(engine) } {
            if shared.process.is_other() {
                // Its threads are gone and may hold locks for ever.
                return std::mem::forget(shared);
            }
            shared.close();
        }
    });
}

/// Loads a plugin: its dialect and its tools are there for agents made from now on. `path` is absolute and borrowed for
/// the call. The file, and all folders above it, must belong to root or to the present user and be writable by nobody
/// else; `THW_E_REJECTED` says what is wrong. Its code runs in this process and may do anything. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_load_plugin(
    engine: *mut Engine,
    path: *const c_char,
    path_len: usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let EngineObject(shared) = unsafe { handle::get::<EngineObject>(engine) }?;
        shared.process.check()?;
        // SAFETY: by contract.
        let path = Path::new(unsafe { text::text(path, path_len, "path") }?);
        let loaded = Loader::new().allow(path).load(path)?;
        shared.registry().add(loaded)?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// The next batches of all runs that were started with `THW_RUN_DRAIN`, at most one a run: one consumer for a whole
/// engine. Waits up to `timeout_ms` for them.
///
/// `THW_OK`: `*batches` points to `*count` batches, at least one. They and their events are the engine's, valid until the
/// next call of this function. `THW_PENDING`: none came in time. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_next(
    engine: *mut Engine,
    timeout_ms: u32,
    batches: *mut *const Batch,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let EngineObject(shared) = unsafe { handle::get::<EngineObject>(engine) }?;
        shared.process.check()?;
        let (batches, count) = (text::out(batches, "batches")?, text::out(count, "count")?);
        shared.drain.next(timeout_ms, |ready| {
            // SAFETY: both were checked.
            unsafe { batches.write(ready.as_ptr()) };
            // SAFETY: as above.
            unsafe { count.write(ready.len()) };
        })
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// A file descriptor that is readable when `thw_engine_next` has something; for poll, epoll and event loops. Call
/// `thw_engine_next` with a timeout of 0 until it gives `THW_PENDING`: only then is the descriptor set back. It is the
/// engine's: do not read, write or close it. -1 on an error; `THW_E_UNSUPPORTED` where there is no such thing.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_engine_fd(engine: *mut Engine, error: *mut Error) -> c_int {
    let mut fd = -1;
    let body = || {
        // SAFETY: by contract.
        let EngineObject(shared) = unsafe { handle::get::<EngineObject>(engine) }?;
        shared.process.check()?;
        fd = shared.drain.fd()?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) };
    fd
}

/// More would only wait for each other.
const THREADS_MAX: usize = 256;
