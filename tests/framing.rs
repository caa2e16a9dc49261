//! Every recorded body, of whatever dialect, is cut into the recorded frames: their number, names, comments, and a sum over
//! all of them. This is all that is said of the dialects that no codec reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thalweg_tests::corpus;
use thalweg_tests::naive::Dialect;
use thalweg_wire::event_stream::{self, Chunks};
use thalweg_wire::limits::Limits;
use thalweg_wire::{ndjson, sse};

/// What is known of the frames of a body.
#[derive(Default)]
struct Frames {
    count: u64,
    names: BTreeMap<String, u64>,
    sum: Sha256,
    comments: u64,
}

impl Frames {
    fn take(&mut self, name: &[u8], data: &[u8]) {
        self.count += 1;
        *self.names.entry(String::from_utf8(name.to_vec()).expect("valid UTF-8")).or_default() += 1;
        for part in [name, b"\0", data, b"\0"] {
            self.sum.update(part);
        }
    }

    /// Reads a body in pieces of `size` bytes.
    fn read(framing: &str, body: &[u8], size: usize) -> Self {
        let mut frames = Self::default();
        let limits = Limits::default();
        match framing {
            "sse" => {
                let mut decoder = sse::Decoder::new(limits);
                for piece in body.chunks(size) {
                    let sink = |event: sse::Event<'_>| {
                        let name = if event.event_type.is_empty() { b"message" } else { event.event_type };
                        frames.take(name, event.data);
                    };
                    decoder.feed(piece, sink).expect("within limits");
                }
                frames.comments = decoder.counters().comments;
            }
            "ndjson" => {
                let mut decoder = ndjson::Decoder::new(limits);
                for piece in body.chunks(size) {
                    decoder.feed(piece, |line| frames.take(b"message", line)).expect("within limits");
                }
                if let Some(line) = decoder.finish() {
                    frames.take(b"message", line);
                }
            }
            "eventstream" => {
                let mut decoder = event_stream::Decoder::new(limits, Chunks::Keep);
                for piece in body.chunks(size) {
                    decoder.feed(piece, |message| frames.take(message.event_type, message.data)).expect("undamaged");
                }
                assert_eq!(decoder.pending_bytes(), 0);
            }
            other => panic!("unknown framing {other}"),
        }
        frames
    }

    fn facts(self, expected: &Value) -> Value {
        let mut facts = json!({
            "records": self.count,
            "records_sha256": self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        });
        for (name, value) in [("event_names", json!(self.names)), ("comments", json!(self.comments))] {
            if expected.get(name).is_some() {
                facts[name] = value;
            }
        }
        facts
    }
}

#[test]
fn every_recording_has_the_recorded_frames() {
    let Some(folder) = corpus::folder() else { return };
    let (mut counts, mut dialects) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    for (framing, recording) in corpus::all(&folder) {
        let expected = &recording.expected;
        for size in [recording.body.len(), 1, 7, 97, 1024] {
            let facts = Frames::read(&framing, &recording.body, size).facts(expected);
            for (name, value) in facts.as_object().expect("an object") {
                assert_eq!(value, &expected[name], "{}: {name} in pieces of {size}", recording.name);
            }
        }
        *counts.entry(framing).or_insert(0) += 1;
        let is_read = Dialect::from_name(&recording.protocol).is_some();
        // A recording is of a dialect whose events `tests/corpus.rs` checks, or its frames are all that can be said of it.
        assert!(is_read || recording.protocol == "other", "{}: no test reads {}", recording.name, recording.protocol);
        *dialects.entry(recording.protocol).or_insert(0) += 1;
    }
    assert!(counts.contains_key("sse"), "the corpus has recordings");
    let on_disk = corpus::bodies(&folder);
    assert_eq!(dialects.values().sum::<usize>(), on_disk, "the manifest names every recording there is");
    corpus::report(&format!("the frames of all {on_disk}: {counts:?}, of dialects {dialects:?}"));
}
