//! Streams of real servers as a second input: the recordings of one protocol, where `THALWEG_CORPUS` names their folder.
//!
//! No generator knows what they say. What counts is what `sse-core` and a `serde_json::Value` read; a recording that some stack
//! reads otherwise is left out for all, and counted in the table's title. A stack that refuses many is left out itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::{env, fs};

use ::serde_json::Value;
use bytes::Bytes;
use thalweg_benches::reply::{Cut, Reply};

use crate::rivals::answer::Content;
use crate::rivals::input::{Body, chunks};
use crate::rivals::stacks::OURS;

/// A stack that reads one stream.
pub(crate) type Probe = (String, Read);
/// What one stream says.
pub(crate) type Read = Box<dyn FnMut(&[Bytes]) -> Content>;

/// What is left to measure.
pub(crate) struct Recorded {
    /// The streams that all stacks read alike.
    pub(crate) bodies: Vec<Body>,
    /// Events of all.
    pub(crate) events: u64,
    /// Names of stacks that refuse too much.
    pub(crate) refusing: Vec<String>,
    /// For the title.
    pub(crate) note: String,
}

/// Whether there are recordings.
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os("THALWEG_CORPUS").map(PathBuf::from).filter(|folder| folder.join("MANIFEST.jsonl").is_file())
}

/// Reads all recordings of a protocol, cut, and has each stack read them once.
pub(crate) fn read(protocol: &str, cut: Cut, mut twin: Probe, mut probes: Vec<Probe>) -> Recorded {
    let replies = replies(protocol);
    let all = replies.len();
    let cut: Vec<_> = replies.iter().map(|reply| (chunks(reply, cut), reply.ends.len() as u64)).collect();
    let said: Vec<Content> = cut.iter().map(|(chunks, _)| (twin.1)(chunks).of_text()).collect();
    let mut refused: Vec<(String, Vec<bool>)> = Vec::new();
    for (name, probe) in &mut probes {
        let reads = cut.iter().zip(&said).map(|((chunks, _), said)| {
            // One of them panics at a byte order mark.
            !catch_unwind(AssertUnwindSafe(|| probe(chunks))).is_ok_and(|content| content.of_text() == *said)
        });
        refused.push((name.clone(), reads.collect()));
    }
    let count = |list: &[bool]| list.iter().filter(|refused| **refused).count();
    let mut notes = Vec::new();
    let mut refusing = Vec::new();
    for (name, list) in &refused {
        let refused = count(list);
        if refused > 0 {
            notes.push(format!("{name} reads {refused} otherwise"));
        }
        if refused * 5 > all {
            assert!(
                !name.starts_with(OURS) || refused * 2 < all,
                "{name} reads {refused} of {all} recordings of {protocol} otherwise"
            );
            if !name.starts_with(OURS) {
                refusing.push(name.clone());
            }
        }
    }
    refused.retain(|(name, _)| !refusing.contains(name));
    let mut kept = Recorded { bodies: Vec::new(), events: 0, refusing, note: String::new() };
    for (at, ((chunks, events), said)) in cut.into_iter().zip(said).enumerate() {
        if refused.iter().all(|(_, list)| !list[at]) && events > 0 {
            kept.bodies.push(Body { chunks, said, is_recorded: true });
            kept.events += events;
        }
    }
    kept.note = format!("{} of {all} recordings, read alike by all", kept.bodies.len());
    if !notes.is_empty() {
        kept.note = format!("{}; {}", kept.note, notes.join("; "));
    }
    kept
}

fn replies(protocol: &str) -> Vec<Reply> {
    let Some(folder) = folder() else { return Vec::new() };
    let manifest = fs::read_to_string(folder.join("MANIFEST.jsonl")).expect("it was there a moment ago");
    let mut replies = Vec::new();
    for line in manifest.lines() {
        let entry: Value = ::serde_json::from_str(line).expect("a line of JSON a recording");
        if entry["protocol"] != protocol {
            continue;
        }
        let path = folder.join(entry["path"].as_str().unwrap_or_default());
        let body = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let ends = if entry["framing"] == "ndjson" { ends(&body, &[b"\n"]) } else { ends(&body, &BLANK_LINES) };
        replies.push(Reply { body, ends, ..Reply::default() });
    }
    replies
}

/// Where an event ends.
fn ends(body: &[u8], marks: &[&[u8]]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < body.len() {
        match marks.iter().find(|mark| body[at..].starts_with(mark)) {
            Some(mark) => {
                at += mark.len();
                ends.push(at);
            }
            None => at += 1,
        }
    }
    if ends.last().is_some_and(|end| *end < body.len()) {
        ends.push(body.len());
    }
    ends
}

const BLANK_LINES: [&[u8]; 2] = [b"\n\n", b"\r\n\r\n"];
