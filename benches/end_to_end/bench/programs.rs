//! The programs of the clients: they are built or installed when they are needed, and started once for each figure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::case::{Case, Work};
use super::clients::{Client, Program};
use super::cores;
use super::server::Server;
use super::settings::Settings;
use crate::server::Replies;

/// Where the programs are.
pub(crate) struct Programs {
    rivals: Option<PathBuf>,
    /// Versions of the clients in other languages, by their names; those that could be installed.
    pub(crate) scripts: BTreeMap<String, String>,
    pub(crate) thalweg: Option<PathBuf>,
    replies: Replies,
    /// Clients that failed in a case are not asked again.
    failed: RefCell<Vec<(String, &'static str)>>,
}

impl Programs {
    /// Builds and installs what the run needs.
    pub(crate) fn ready(settings: &Settings) -> Self {
        let mut programs = Self {
            rivals: None,
            scripts: BTreeMap::new(),
            thalweg: None,
            replies: Replies::default(),
            failed: RefCell::default(),
        };
        if settings.measures && !settings.is_own {
            programs.rivals =
                build(&["--manifest-path", manifest("../clients").as_str()], "clients", "thalweg-bench-clients");
            programs.thalweg =
                build(&["--manifest-path", manifest("../..").as_str(), "-p", "thalweg-cli"], "", "thalweg");
        }
        if settings.measures && settings.is_whole && !settings.is_own {
            programs.scripts = install();
        }
        programs
    }

    /// Whether that client is there.
    pub(crate) fn has(&self, client: &Client) -> bool {
        match client.program {
            Program::Own => true,
            Program::Rivals => self.rivals.is_some(),
            Program::Python | Program::Node => self.scripts.contains_key(client.name),
        }
    }

    /// Has a client do its part of a case, and gives its figures.
    pub(crate) fn run(&self, client: &'static Client, case: &Case, server: &Server) -> BTreeMap<String, f64> {
        if self.failed.borrow().contains(&(case.id.clone(), client.name)) {
            return BTreeMap::new();
        }
        let mut command = self.command(client);
        let wanted = case.wanted(client);
        let (url, certificate) = server.url(&wanted.to_string(), case.is_secured());
        command.arg(client.name).arg(format!("url={url}"));
        if let Some(certificate) = certificate {
            command.arg(format!("certificate={}", certificate.display()));
        }
        match case.work {
            Work::Replies { streams, .. } => {
                let script = self.replies.script(wanted);
                command.arg("work=replies").arg(format!("streams={streams}")).arg(format!("deltas={}", wanted.count));
                command.arg(format!("text_bytes={}", script.text_bytes)).arg(format!("text_hash={}", script.text_hash));
                command.arg(format!("body_bytes={}", script.body_bytes));
            }
            Work::First { requests } => {
                command.arg("work=first").arg(format!("requests={requests}"));
            }
            Work::Paced { streams, window_ms, .. } => {
                command.arg("work=paced").arg(format!("streams={streams}")).arg(format!("window_ms={window_ms}"));
            }
            Work::Turns { turns } => {
                command.arg("work=turns").arg(format!("turns={turns}"));
            }
        }
        // With pages of 2 MiB, memory that nobody touched counts as used, and the kernel fills it with zeros meanwhile.
        command.env("MIMALLOC_ALLOW_THP", "0");
        cores::take_that_of_clients();
        let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        cores::take_that_of_server();
        let process = process.unwrap_or_else(|error| panic!("{} does not start: {error}", client.name));
        let output = end(process).unwrap_or_else(|error| panic!("{} has no end: {error}", client.name));
        cores::take_all();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            // A wrong answer of our own ends the run; that of a rival is told, and its line stays empty.
            assert!(client.program != Program::Own, "{}, {}: {why}", case.id, client.name);
            eprintln!("{}, {} fails: {}", case.id, client.name, why.lines().last().unwrap_or_default());
            self.failed.borrow_mut().push((case.id.clone(), client.name));
            return BTreeMap::new();
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let figures = stdout.lines().filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        figures.collect()
    }

    fn command(&self, client: &Client) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("others");
        match client.program {
            Program::Own => {
                let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
                command.arg("client");
                command
            }
            Program::Rivals => Command::new(self.rivals.as_deref().expect("only asked for when it is there")),
            Program::Python => {
                let mut command = Command::new(others().join("venv/bin/python"));
                command.arg(scripts.join("clients.py"));
                command
            }
            Program::Node => {
                let mut command = Command::new("node");
                // Packages are looked for beside the script that asks for them.
                command.arg(others().join("clients.mjs"));
                command
            }
        }
    }
}

/// Waits for the end of a client, and puts an end to one that does not keep up.
fn end(mut process: Child) -> io::Result<Output> {
    let begin = Instant::now();
    while process.try_wait()?.is_none() {
        if begin.elapsed() > CLIENT_TIME_MAX {
            process.kill()?;
        }
        thread::sleep(LOOK_TIME);
    }
    process.wait_with_output()
}

/// Builds a package in release mode and says where its program is; `None`, with the reason on stderr, if that fails.
fn build(package: &[&str], folder: &str, name: &str) -> Option<PathBuf> {
    let folder = target().join(folder);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    eprintln!("building {name}");
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet"]).args(package).arg("--target-dir").arg(&folder);
    match command.status() {
        Ok(status) if status.success() => Some(folder.join("release").join(name)),
        Ok(status) => {
            eprintln!("{name} is left out, it cannot be built: {status}");
            None
        }
        Err(error) => {
            eprintln!("{name} is left out, cargo does not start: {error}");
            None
        }
    }
}

/// Installs the clients in other languages, and reads their versions.
fn install() -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("others").join("install.py");
    eprintln!("installing the clients in Python and in JavaScript");
    let output = Command::new("python3").arg(script).arg(others()).stderr(Stdio::inherit()).output();
    let Ok(output) = output else {
        eprintln!("the clients in other languages are left out: there is no python3");
        return BTreeMap::new();
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let versions = stdout.lines().filter_map(|line| line.split_once('='));
    versions.map(|(name, version)| (name.to_owned(), version.to_owned())).collect()
}

fn manifest(folder: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml").display().to_string()
}

fn others() -> PathBuf {
    target().join("end-to-end-others")
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder in cargo's").to_owned()
}

const CLIENT_TIME_MAX: Duration = Duration::from_secs(120);
const LOOK_TIME: Duration = Duration::from_millis(20);
