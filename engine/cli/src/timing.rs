//! How long the engine takes for streams that are at hand: `thalweg bench`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use thalweg_abi::host::{Codec, CodecStream};
use thalweg_abi::types::StreamEvent;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Counters, Framing, Pipeline};

use crate::facts::Facts;
use crate::failure::Failure;

/// The body of one reply, as it came.
pub(crate) struct Stream {
    /// In the pieces that the socket gave, or in pieces of one size.
    pub(crate) chunks: Vec<Vec<u8>>,
}

/// Figures of some streams.
pub(crate) struct Timing {
    /// Wire events.
    pub(crate) frames: u64,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Pieces.
    pub(crate) chunks: u64,
    /// What the decoder has counted over all streams.
    pub(crate) counters: Counters,
    /// Nanoseconds of the very first pass: nothing is learnt, nothing is in a cache.
    pub(crate) first: f64,
    /// Nanoseconds of the fastest pass.
    pub(crate) best: f64,
    /// Nanoseconds of the pass in the middle.
    pub(crate) median: f64,
    /// Passes that were timed.
    pub(crate) passes: usize,
    /// Nanoseconds of the piece in the middle, after other memory was walked; with the number of wire events in it.
    pub(crate) cold: f64,
    /// What each stream says.
    pub(crate) answers: Vec<Facts>,
}

/// Reads the streams again and again for about `time`, each time through to the same answer.
///
/// # Errors
/// When a stream cannot be read, or two passes differ.
pub(crate) fn measure(codec: &Codec, framing: Framing, streams: &[Stream], time: Duration) -> Result<Timing, Failure> {
    let mut reader = Reader::open(codec, framing)?;
    let start = Instant::now();
    let expected = reader.pass(streams)?;
    let first = start.elapsed().as_nanos() as f64;

    let mut answers = Vec::new();
    let mut counters = Counters::default();
    for stream in streams {
        let mut facts = Facts::default();
        reader.read(stream, &mut |events| events.iter().for_each(|event| facts.handle_event(event)))?;
        let read = reader.pipeline.counters();
        counters.bytes += read.bytes;
        counters.frames += read.frames;
        counters.template_hits += read.template_hits;
        counters.events += read.events;
        counters.copied_bytes += read.copied_bytes;
        answers.push(facts);
    }
    let mut passes = Vec::new();
    let start = Instant::now();
    while passes.len() < PASSES_MIN || (start.elapsed() < time && passes.len() < PASSES_MAX) {
        let before = Instant::now();
        let said = reader.pass(streams)?;
        passes.push(before.elapsed().as_nanos() as f64);
        if said != expected {
            return Err(Failure::run("two passes over the same bytes gave different events; please report it"));
        }
    }
    passes.sort_by(f64::total_cmp);
    Ok(Timing {
        frames: counters.frames,
        bytes: counters.bytes,
        chunks: streams.iter().map(|stream| stream.chunks.len() as u64).sum(),
        counters,
        first,
        best: passes[0],
        median: passes[passes.len() / 2],
        passes: passes.len(),
        cold: reader.cold(streams, time)?,
        answers,
    })
}

struct Reader {
    pipeline: Pipeline<CodecStream>,
}

/// What a pass says in short: as cheap as an answer can be that still tells one from another.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    events: u64,
    text_bytes: u64,
    numbers: i64,
}

impl Said {
    fn add(&mut self, events: &[StreamEvent<'_>]) {
        for event in black_box(events) {
            self.events += 1;
            self.text_bytes += event.text().len() as u64;
            self.numbers = self.numbers.wrapping_add(event.num());
        }
    }
}

impl Reader {
    fn open(codec: &Codec, framing: Framing) -> Result<Self, Failure> {
        let stream = codec.open("{}").map_err(Failure::run)?;
        let description = codec.describe().map_err(Failure::run)?;
        Ok(Self { pipeline: Pipeline::new(stream, framing, Limits::default()).with_description(&description) })
    }

    /// All streams, one after the other.
    fn pass(&mut self, streams: &[Stream]) -> Result<Said, Failure> {
        let mut said = Said::default();
        for stream in streams {
            self.read(stream, &mut |events| said.add(events))?;
        }
        Ok(said)
    }

    fn read(&mut self, stream: &Stream, sink: &mut dyn FnMut(&[StreamEvent<'_>])) -> Result<(), Failure> {
        self.pipeline.reset();
        for chunk in &stream.chunks {
            self.pipeline.feed(black_box(chunk), sink).map_err(Failure::run)?;
        }
        self.pipeline.finish(sink).map_err(Failure::run)
    }

    /// Nanoseconds a wire event where the stream trickles in: before each piece other memory is walked, more than the
    /// second-level cache holds. Pieces without a whole event count for the one that they belong to.
    fn cold(&mut self, streams: &[Stream], time: Duration) -> Result<f64, Failure> {
        let walked: Vec<u64> = (0..WALKED_BYTES as u64 / 8).collect();
        let mut said = Said::default();
        let mut samples = Vec::new();
        let start = Instant::now();
        for stream in streams {
            self.pipeline.reset();
            let (mut elapsed, mut frames) = (Duration::ZERO, 0);
            for chunk in &stream.chunks {
                black_box(walked.iter().fold(0, |sum: u64, value| sum ^ value));
                let before = Instant::now();
                self.pipeline.feed(black_box(chunk), &mut |events| said.add(events)).map_err(Failure::run)?;
                elapsed += before.elapsed();
                let read = self.pipeline.counters().frames;
                if read > frames {
                    samples.push(elapsed.as_nanos() as f64 / (read - frames) as f64);
                    (elapsed, frames) = (Duration::ZERO, read);
                }
            }
            if start.elapsed() > time {
                break;
            }
        }
        samples.sort_by(f64::total_cmp);
        Ok(samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN))
    }
}

/// So that a median means something, whatever it takes.
const PASSES_MIN: usize = 5;
/// What is known after so many will not change.
const PASSES_MAX: usize = 100_000;
/// Four times the second-level cache of a usual server.
const WALKED_BYTES: usize = 4 << 20;
