//! The place of a plugin that runs in a process of its own: starts the process, again after it ended, and gives up on one
//! that ends again and again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use thalweg_abi::failure::Failure;
use thalweg_abi::host::{Host, LogLine};
use thalweg_abi::types::E_REJECTED;

use crate::plugin::isolate::Isolation;
use crate::plugin::isolate::link::{Link, closed};
use crate::plugin::isolate::message::{Answer, Ask};

/// A plugin and its process.
pub(crate) struct Cell {
    path: PathBuf,
    sha256: String,
    isolation: Isolation,
    host: &'static Host,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// When its processes ended that nobody had asked to, the last ones.
    falls: Vec<Instant>,
}

impl Cell {
    pub(crate) fn new(path: PathBuf, sha256: String, isolation: Isolation, host: &'static Host) -> Self {
        Self { path, sha256, isolation, host, state: Mutex::default() }
    }

    pub(crate) const fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// The process, and what it said of its plugin if it was started for this.
    pub(crate) fn link(&self) -> Result<Arc<Link>, Failure> {
        self.started().map(|(link, _)| link)
    }

    /// As [`Cell::link`].
    pub(crate) fn started(&self) -> Result<(Arc<Link>, Option<String>), Failure> {
        // Held while it starts: two callers want one process.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &state.link {
            match link.ended() {
                None => return Ok((Arc::clone(link), None)),
                Some((_, when)) => {
                    let when = *when;
                    state.falls.push(when);
                    state.link = None;
                }
            }
        }
        if state.falls.len() < FALLS_MAX {
            state.falls.retain(|fall| fall.elapsed() < FALLS_WITHIN);
        }
        if state.falls.len() >= FALLS_MAX {
            let text = format!(
                "it is in quarantine: its process ended {FALLS_MAX} times within {} s and is not started again",
                FALLS_WITHIN.as_secs()
            );
            return Err(Failure::new(E_REJECTED, text));
        }
        if let Some(last) = state.falls.last() {
            let pause = PAUSE * 2_u32.pow(state.falls.len() as u32 - 1);
            thread::sleep(pause.saturating_sub(last.elapsed()));
        }
        let started = self.start();
        match started {
            Ok((link, about)) => {
                state.link = Some(Arc::clone(&link));
                Ok((link, Some(about)))
            }
            Err(failure) => {
                state.falls.push(Instant::now());
                Err(failure)
            }
        }
    }

    fn start(&self) -> Result<(Arc<Link>, String), Failure> {
        let host = self.host;
        let log = move |level, target: &str, message: &str| host.log(LogLine { level, target, message });
        let link = Link::start(&self.isolation, Box::new(log)).map_err(|error| {
            closed(format!("its process {} cannot be started: {error}", self.isolation.program.display()))
        })?;
        let begin = Ask::Begin {
            path: self.path.display().to_string(),
            sha256: self.sha256.clone(),
            memory_bytes: self.isolation.memory_bytes,
        };
        match link.call(&begin)?.answer(START_PATIENCE)? {
            Answer::Text(about) => Ok((link, about)),
            _ => Err(closed("its process did not say what it offers".to_owned())),
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &state.link {
            link.kill(closed("its engine has ended".to_owned()));
        }
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell").field("path", &self.path).finish_non_exhaustive()
    }
}

/// So many falls within so long, and it is not started again as long as this engine runs.
const FALLS_MAX: usize = 3;
const FALLS_WITHIN: Duration = Duration::from_secs(60);
/// Before it is started again the first time; twice as long the next.
const PAUSE: Duration = Duration::from_millis(100);
/// For mapping and starting a plugin.
const START_PATIENCE: Duration = Duration::from_secs(20);
