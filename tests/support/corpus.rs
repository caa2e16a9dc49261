//! The recorded streams of real providers, in the folder that `THALWEG_CORPUS` names.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One recorded body.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Its path below the corpus.
    pub name: String,
    /// The dialect's name in the manifest.
    pub protocol: String,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// What is known of it.
    pub expected: Value,
}

/// The folder of the corpus; says so when there is none.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("THALWEG_CORPUS").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        say("skipped: THALWEG_CORPUS names no folder of recorded streams");
    }
    folder.map(PathBuf::from)
}

/// Says how many recordings were read, also when the test passes.
pub fn report(what: &str) {
    say(&format!("recordings read: {what}"));
}

/// Past the harness, which shows what tests print only when they fail.
fn say(line: &str) {
    // A closed output is no reason to fail a test.
    drop(writeln!(io::stdout(), "{line}"));
}

/// All recordings of a protocol.
///
/// # Panics
/// When the corpus cannot be read.
#[must_use]
pub fn recordings(folder: &Path, protocol: &str) -> Vec<Recording> {
    let wanted = entries(folder).into_iter().filter(|entry| entry["protocol"] == protocol);
    wanted.map(|entry| recording(folder, &entry)).collect()
}

/// All recordings, each with its framing.
///
/// # Panics
/// When the corpus cannot be read.
pub fn all(folder: &Path) -> impl Iterator<Item = (String, Recording)> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries(folder).into_iter().map(move |entry| (text(&entry, "framing"), recording(folder, &entry)))
}

/// The number of bodies in the folder, whether or not the manifest names them.
///
/// # Panics
/// When the corpus cannot be read.
#[must_use]
pub fn bodies(folder: &Path) -> usize {
    let names = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder is readable");
        entries.map(|entry| entry.expect("an entry is readable").path()).collect()
    };
    let is_body =
        |path: &&PathBuf| matches!(path.extension().and_then(|it| it.to_str()), Some("sse" | "ndjson" | "bin"));
    names(&folder.join("streams")).iter().map(|dialect| names(dialect).iter().filter(is_body).count()).sum()
}

fn entries(folder: &Path) -> Vec<Value> {
    let manifest = fs::read_to_string(folder.join("MANIFEST.jsonl")).expect("the corpus has a manifest");
    manifest.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect()
}

fn recording(folder: &Path, entry: &Value) -> Recording {
    let path = |key: &str| folder.join(entry[key].as_str().expect("an entry names its files"));
    let expected = fs::read_to_string(path("expected")).expect("expected facts are readable");
    Recording {
        name: entry["path"].as_str().unwrap_or_default().to_owned(),
        protocol: entry["protocol"].as_str().unwrap_or_default().to_owned(),
        body: fs::read(path("path")).expect("a recording is readable"),
        expected: serde_json::from_str(&expected).expect("expected facts are JSON"),
    }
}
