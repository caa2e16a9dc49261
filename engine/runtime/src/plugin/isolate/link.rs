//! One plugin process, as long as it runs: who waits for what it says, and why it ended.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_CLOSED, E_TIMEOUT};

use crate::plugin::isolate::Isolation;
use crate::plugin::isolate::message::{Answer, Ask, Tell, receive, send};

/// A line that the process logs: level, target, message.
pub(crate) type Log = dyn Fn(i32, &str, &str) + Send + Sync;

/// A running plugin process.
pub(crate) struct Link {
    stream: UnixStream,
    writer: Mutex<UnixStream>,
    calls: Mutex<HashMap<u64, Sender<Tell>>>,
    next: AtomicU64,
    /// Why it ended, and when. Set before the calls are told.
    ended: OnceLock<(Failure, Instant)>,
    /// Why it is being ended, where that is this side's doing.
    verdict: OnceLock<Failure>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Starts a process, and a thread that reads what it says until it ends.
    pub(crate) fn start(isolation: &Isolation, log: Box<Log>) -> io::Result<Arc<Self>> {
        let (ours, theirs) = UnixStream::pair()?;
        // A process that is stopped takes nothing, and must not stop the engine.
        ours.set_write_timeout(Some(isolation.codec_max))?;
        let link = Arc::new(Self {
            writer: Mutex::new(ours.try_clone()?),
            calls: Mutex::default(),
            next: AtomicU64::new(1),
            ended: OnceLock::new(),
            verdict: OnceLock::new(),
            stream: ours.try_clone()?,
        });
        let mut command = Command::new(&isolation.program);
        command.args(&isolation.arguments).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
        // Keys lie in the environment of whoever talks to providers; a plugin gets what a program needs to run at all.
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        let (told, started) = mpsc::channel();
        let reader = Arc::clone(&link);
        // It is this thread that starts the process, since on Linux a process ends with the thread that has started it.
        thread::Builder::new().name("thalweg-plugin".to_owned()).spawn(move || {
            let child = command.spawn();
            // The other end is held by the process alone from here on.
            drop(command);
            match child {
                Ok(child) => {
                    let _ = told.send(Ok(()));
                    reader.read(child, ours, &*log);
                }
                Err(error) => {
                    let _ = told.send(Err(error));
                }
            }
        })?;
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that starts it has ended")))?;
        Ok(link)
    }

    /// Passes on what the process says until it ends.
    fn read(&self, mut child: Child, ours: UnixStream, log: &Log) {
        let mut from = BufReader::new(ours);
        let failed = loop {
            match receive::<Tell>(&mut from) {
                Ok(Some((_, Tell::Log { level, target, message }))) => log(level, &target, &message),
                Ok(Some((id, tell))) => {
                    let mut calls = lock(&self.calls);
                    let is_last = matches!(tell, Tell::Ended(_));
                    let call = if is_last { calls.remove(&id) } else { calls.get(&id).cloned() };
                    drop(calls);
                    // Nobody waits for a call that was given up.
                    let _ = call.map(|call| call.send(tell));
                }
                Ok(None) => break None,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break None,
                Err(error) => break Some(error),
            }
        };
        let _ = self.stream.shutdown(Shutdown::Both);
        // It may still run where it says what it must not, or has closed its end.
        let status = wait(&mut child);
        let why = match (self.verdict.get(), failed) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(error)) => closed(format!("its process said what it must not ({error}) and was ended")),
            (None, None) => closed(in_words(status)),
        };
        let _ = self.ended.set((why, Instant::now()));
        lock(&self.calls).clear();
    }

    /// Why and when it ended, if it has.
    pub(crate) fn ended(&self) -> Option<&(Failure, Instant)> {
        self.ended.get()
    }

    /// Ends the process, and says why to all that wait for it.
    pub(crate) fn kill(&self, why: Failure) {
        let _ = self.verdict.set(why);
        // The process ends itself when its engine is gone; one that does not is killed by the reader.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Begins a call.
    pub(crate) fn call(self: &Arc<Self>, ask: &Ask) -> Result<Call, Failure> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (told, tells) = mpsc::channel();
        lock(&self.calls).insert(id, told);
        let call = Call { link: Arc::clone(self), id, tells };
        // One that ends between these two lines has cleared the list, or clears it now.
        if self.ended.get().is_some() {
            lock(&self.calls).remove(&id);
        }
        call.say(ask)?;
        Ok(call)
    }

    /// Says something that is not answered.
    pub(crate) fn say(&self, id: u64, ask: &Ask) -> Result<(), Failure> {
        match send(&mut *lock(&self.writer), id, ask) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(closed(error.to_string())),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                self.kill(closed("its process did not take what it was told and was ended".to_owned()));
                Err(self.why())
            }
            // It is gone, or going: the reader knows why.
            Err(_) => Err(self.why()),
        }
    }

    /// Why it ended; waits for the reader to find out.
    fn why(&self) -> Failure {
        let deadline = Instant::now() + DYING;
        while Instant::now() < deadline {
            if let Some((why, _)) = self.ended.get() {
                return why.clone();
            }
            thread::sleep(Duration::from_millis(1));
        }
        closed("its process does not take anything any more".to_owned())
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("ended", &self.ended.get()).finish_non_exhaustive()
    }
}

/// One call that goes on in the process.
#[derive(Debug)]
pub(crate) struct Call {
    link: Arc<Link>,
    id: u64,
    tells: Receiver<Tell>,
}

impl Call {
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    pub(crate) const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Says more about the call.
    pub(crate) fn say(&self, ask: &Ask) -> Result<(), Failure> {
        self.link.say(self.id, ask)
    }

    /// What the process says next; `None` when it says nothing for so long.
    pub(crate) fn next(&self, patience: Duration) -> Result<Option<Tell>, Failure> {
        match self.tells.recv_timeout(patience) {
            Ok(tell) => Ok(Some(tell)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.link.why()),
        }
    }

    /// The answer of a call that says nothing else; a process that takes longer is ended.
    pub(crate) fn answer(self, patience: Duration) -> Result<Answer, Failure> {
        match self.next(patience)? {
            Some(Tell::Ended(result)) => result,
            Some(_) => {
                self.link.kill(closed("its process answered with what was not asked and was ended".to_owned()));
                Err(self.link.why())
            }
            None => {
                self.link.kill(too_long(patience));
                Err(self.link.why())
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.link.calls).remove(&self.id);
    }
}

/// A process that says nothing.
pub(crate) fn too_long(patience: Duration) -> Failure {
    let text = format!("its process said nothing for {} ms and was ended", patience.as_millis());
    Failure::new(E_TIMEOUT, text)
}

pub(crate) fn closed(text: String) -> Failure {
    Failure::new(E_CLOSED, text)
}

/// Waits for a process whose connection is closed; one that goes on is killed.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + GRACE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                // Already gone, if it cannot be killed.
                let _ = child.kill();
                return child.wait().ok();
            }
            Err(_) => return None,
        }
    }
}

/// How a process ended.
fn in_words(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "its process ended, nobody knows how".to_owned() };
    match (status.signal(), status.code()) {
        (Some(signal), _) => {
            let name = match signal {
                4 => " (illegal instruction)",
                6 => " (abort)",
                7 => " (bus error)",
                8 => " (arithmetic)",
                9 => " (killed)",
                11 => " (segmentation fault)",
                _ => "",
            };
            format!("its process crashed with signal {signal}{name}; the engine goes on")
        }
        (None, code) => format!("its process ended with exit code {}; the engine goes on", code.unwrap_or_default()),
    }
}

/// What is kept of the environment.
const KEPT: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"];

/// Time for a process to end by itself when its engine has closed the connection.
const GRACE: Duration = Duration::from_millis(200);
/// Longer than that takes.
const DYING: Duration = Duration::from_secs(2);
