//! `thalweg bench`: how fast a recording of the user's own is decoded, and what it says.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_replay::Recording;

use crate::command::decode::framing;
use crate::failure::Failure;
use crate::plugins;
use crate::timing::{self, Stream, Timing};

/// Measure how fast a recorded reply is decoded, and print what it says
///
/// FILE is a recording as `thalweg record` writes it, fed in the pieces in which it came, or the bare body of one reply.
/// Every pass must give the same events. First: the very first pass, nothing learnt and nothing cached. Warm: the same
/// again, for about as long as --seconds says. Cold: an event after a walk over 4 MiB, as when a stream trickles in.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// The dialect of the body: openai-chat, openai-responses, anthropic, …; a recording names its own
    #[arg(long, short, value_name = "DIALECT")]
    dialect: Option<String>,
    /// Cut the body into pieces of so many bytes; a recording then too. Without it a bare body comes in pieces of 16384
    #[arg(long, value_name = "BYTES")]
    chunk: Option<NonZeroUsize>,
    /// How long to repeat
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// One JSON object instead of a table, the answers in full
    #[arg(long)]
    json: bool,
    /// The file
    file: PathBuf,
}

impl Bench {
    pub(crate) fn execute(self) -> Result<(), Failure> {
        let name = self.file.display();
        let bytes =
            fs::read(&self.file).map_err(|error| Failure::usage(format_args!("cannot read {name}: {error}")))?;
        let (recorded_dialect, streams) = self.streams(bytes)?;
        let dialect = match (&self.dialect, recorded_dialect) {
            (Some(dialect), _) => dialect.clone(),
            (None, Some(dialect)) => dialect,
            (None, None) => {
                return Err(Failure::usage(format_args!("{name} is no recording: name its dialect with --dialect")));
            }
        };
        let codec = plugins::codec(&dialect)?;
        let timing = timing::measure(&codec, framing(&codec)?, &streams, Duration::from_secs(self.seconds))?;
        if timing.frames == 0 {
            return Err(Failure::usage(format_args!("{name} holds no event of {dialect}")));
        }
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &to_json(&dialect, timing)).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            write!(out, "{}", to_text(&format!("{name}: {dialect}"), timing))?;
        }
        Ok(out.flush()?)
    }

    /// The replies of the file, in pieces, and the dialect if the file names it.
    fn streams(&self, bytes: Vec<u8>) -> Result<(Option<String>, Vec<Stream>), Failure> {
        let recording = match str::from_utf8(&bytes) {
            Ok(text) if text.trim_start().starts_with("{\"thalweg_recording\"") => {
                let unreadable = |error| Failure::usage(format_args!("cannot read {}: {error}", self.file.display()));
                Recording::from_jsonl(text).map_err(unreadable)?
            }
            _ => {
                let size = self.chunk.map_or(CHUNK_BYTES, NonZeroUsize::get);
                return Ok((None, vec![Stream { chunks: bytes.chunks(size).map(<[u8]>::to_vec).collect() }]));
            }
        };
        let replies = recording.exchanges.into_iter().filter(|exchange| exchange.response.status == 200);
        let streams = replies.map(|exchange| match self.chunk {
            Some(size) => Stream { chunks: exchange.body().chunks(size.get()).map(<[u8]>::to_vec).collect() },
            None => Stream { chunks: exchange.chunks.into_iter().map(|chunk| chunk.bytes).collect() },
        });
        Ok((Some(recording.dialect), streams.collect()))
    }
}

fn to_json(dialect: &str, timing: Timing) -> Value {
    let frames = timing.frames as f64;
    json!({
        "dialect": dialect,
        "replies": timing.answers.len(),
        "chunks": timing.chunks,
        "wire_events": timing.frames,
        "template_hits": timing.counters.template_hits,
        "events": timing.counters.events,
        "bytes": timing.bytes,
        "copied_bytes": timing.counters.copied_bytes,
        "passes": timing.passes,
        "first_ns_per_event": timing.first / frames,
        "warm_best_ns_per_event": timing.best / frames,
        "warm_median_ns_per_event": timing.median / frames,
        "cold_median_ns_per_event": timing.cold,
        "warm_best_gb_per_s": timing.bytes as f64 / timing.best,
        "answers": timing.answers.into_iter().map(crate::facts::Facts::into_json).collect::<Value>(),
    })
}

fn to_text(title: &str, timing: Timing) -> String {
    let mut text = format!(
        "{title}, {}, {} wire events of {} bytes on average, {} pieces\n\n",
        if timing.answers.len() == 1 { "1 reply".to_owned() } else { format!("{} replies", timing.answers.len()) },
        timing.frames,
        timing.bytes / timing.frames,
        timing.chunks,
    );
    let mut line = |name: &str, nanos: f64, rate: Option<f64>| {
        let rate = rate.map_or_else(String::new, |rate| format!("{rate:>9.2}"));
        text.push_str(&format!("  {name:34}{nanos:>10.1}{rate}\n"));
    };
    let (frames, bytes) = (timing.frames as f64, timing.bytes as f64);
    let passes = format!("warm, best of {} passes", timing.passes);
    line("first pass", timing.first / frames, Some(bytes / timing.first));
    line(&passes, timing.best / frames, Some(bytes / timing.best));
    line("warm, median", timing.median / frames, Some(bytes / timing.median));
    line("cold, 4 MiB walked between, median", timing.cold, None);
    text.insert_str(text.find("\n\n").map_or(0, |at| at + 1), &format!("\n  {:34}{:>10}{:>9}", "", "ns/event", "GB/s"));
    text.push_str(&format!(
        "\n  {:.1} % of the wire events read by template, {} events handed on, {:.1} bytes copied a wire event\n",
        100.0 * timing.counters.template_hits as f64 / frames,
        timing.counters.events,
        timing.counters.copied_bytes as f64 / frames
    ));
    for (at, facts) in timing.answers.into_iter().enumerate() {
        text.push_str(&answer(at + 1, &facts.into_json()));
    }
    text
}

/// What a reply says, in a line or a few.
fn answer(number: usize, facts: &Value) -> String {
    let said = facts["text"].as_str().unwrap_or_default();
    let mut text = format!("\n  reply {number}: ");
    let shown: String = said.chars().take(SHOWN_CHARS).collect();
    text.push_str(&shown.replace('\n', "\n    "));
    if shown.len() < said.len() {
        text.push_str(&format!("… ({} bytes)", said.len()));
    }
    for call in facts["tool_calls"].as_array().into_iter().flatten() {
        let part = |key: &str| call[key].as_str().unwrap_or_default();
        text.push_str(&format!(" {}({})", part("name"), part("arguments_json")));
    }
    if let Some(reason) = facts["finish_reason"].as_str() {
        text.push_str(&format!(" [{reason}]"));
    }
    for error in facts["errors"].as_array().into_iter().flatten() {
        text.push_str(&format!(" error {error}"));
    }
    text.push('\n');
    text
}

/// What a socket with a full buffer gives.
const CHUNK_BYTES: usize = 16 << 10;
/// As much of a text as a terminal shows at a glance.
const SHOWN_CHARS: usize = 300;
