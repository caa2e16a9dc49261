//! The route from chunk to events: frames the bytes, has a codec read many frames a call, resolves escapes, hands on.
//!
//! Nothing is copied but what straddles two chunks or is escaped, and once the buffers have grown nothing is allocated.

use std::fmt;
use std::mem;

use thalweg_abi::decode::{Decode, Events, Progress, recycle_events, recycle_frames};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{EVENT_SKIPPED, FLAG_AT_EOF, FRAME_AT_EOF, FRAME_EVENT, FrameRef, StreamEvent};

use crate::channels::Channels;
use crate::event_stream::{self, Chunks};
use crate::json;
use crate::limits::{self, Limits};
use crate::span::{Span, Walk};
use crate::{ndjson, sse, utf8};

/// How a body is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// Server-sent events: `text/event-stream`.
    Sse,
    /// One JSON value a line.
    NdJson,
    /// Binary messages with checksums: `application/vnd.amazon.eventstream`. An event `chunk` is unwrapped.
    EventStream,
}

impl Framing {
    /// The framing that a codec names in its description: `sse`, `ndjson` or `aws-event-stream`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sse" => Some(Self::Sse),
            "ndjson" => Some(Self::NdJson),
            "aws-event-stream" => Some(Self::EventStream),
            _ => None,
        }
    }
}

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The stream went past a limit.
    Limit(limits::Error),
    /// The binary framing is damaged.
    EventStream(event_stream::Error),
    /// The codec is broken; what is wrong on the wire comes as an event instead.
    Codec(Failure),
    /// The codec left frames unread, or asked to be called again without having done anything.
    CodecStuck {
        /// Frames that it was given.
        frames: usize,
        /// Frames that it had read.
        read: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => error.fmt(f),
            Self::EventStream(error) => error.fmt(f),
            Self::Codec(failure) => write!(f, "the codec failed: {failure}"),
            Self::CodecStuck { frames, read } => {
                write!(f, "the codec stopped after {read} of {frames} frames; report it to the author of the plugin")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Limit(error) => Some(error),
            Self::EventStream(error) => Some(error),
            Self::Codec(failure) => Some(failure),
            Self::CodecStuck { .. } => None,
        }
    }
}

impl From<limits::Error> for Error {
    fn from(error: limits::Error) -> Self {
        Self::Limit(error)
    }
}

impl From<event_stream::Error> for Error {
    fn from(error: event_stream::Error) -> Self {
        match error {
            event_stream::Error::Limit(error) => Self::Limit(error),
            error => Self::EventStream(error),
        }
    }
}

/// What a pipeline has done since the start of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Frames given to the codec.
    pub frames: u64,
    /// Events handed on.
    pub events: u64,
    /// Bytes that were copied: frames across two chunks, joined lines, replaced bytes, unescaped text.
    pub copied_bytes: u64,
    /// Wire events that the codec did not know.
    pub skipped: u64,
    /// Comments, as servers send them to keep a connection open.
    pub comments: u64,
    /// Escapes that JSON does not know; they were kept as they stood.
    pub unknown_escapes: u64,
    /// Bytes of a last frame without its end that was no complete JSON either: the stream was cut off.
    pub dropped_at_eof: u64,
}

/// Where events go: called with one batch after the other, each valid during the call.
pub type Sink<'a> = dyn FnMut(&[StreamEvent<'_>]) + 'a;

/// Reads the body of one reply after the other with one codec.
#[derive(Debug)]
pub struct Pipeline<D> {
    decoder: D,
    framer: Framer,
    limits: Limits,
    spans: Vec<Span>,
    /// Empty between calls; kept for its memory.
    frames: Vec<FrameRef<'static>>,
    stage: Stage,
    frame_count: u64,
    dropped_at_eof: u64,
}

impl<D: Decode> Pipeline<D> {
    /// A pipeline at the start of a stream.
    #[must_use]
    pub fn new(decoder: D, framing: Framing, limits: Limits) -> Self {
        Self {
            decoder,
            framer: match framing {
                Framing::Sse => Framer::Sse(sse::Decoder::new(limits)),
                Framing::NdJson => Framer::NdJson(ndjson::Decoder::new(limits)),
                Framing::EventStream => Framer::EventStream(event_stream::Decoder::new(limits, Chunks::Unwrap)),
            },
            limits,
            spans: Vec::new(),
            frames: Vec::new(),
            stage: Stage::default(),
            frame_count: 0,
            dropped_at_eof: 0,
        }
    }

    /// Reads the next chunk of the body and hands the events of each frame that is complete to `sink`, in batches.
    ///
    /// # Errors
    /// When a frame is longer than the limit, or the codec is broken. What came before was handed on.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        loop {
            let filled = self.framer.fill(&mut walk, &mut self.spans);
            if !self.spans.is_empty() {
                self.decode(chunk, FRAME_EVENT, sink)?;
            }
            if filled? == Filled::Whole {
                return Ok(());
            }
        }
    }

    /// The body has ended. A last frame whose end is missing is delivered if it is complete JSON, its events marked with
    /// `FLAG_AT_EOF`; otherwise [`Counters::dropped_at_eof`] says how much of it there was.
    ///
    /// # Errors
    /// When the codec is broken.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.spans.clear();
        let bytes = self.framer.pending_bytes();
        let span = self.framer.pending();
        if let Some(span) = span
            && is_whole_payload(self.framer.frame(&[], &span, FRAME_EVENT).data(), self.limits.nesting_max)
        {
            self.spans.push(span);
            self.decode(&[], FRAME_EVENT | FRAME_AT_EOF, sink)?;
        } else {
            self.dropped_at_eof += bytes as u64;
        }
        self.stage.finish(&mut self.decoder, sink)
    }

    /// Reads a body that is not a stream: `kind` is `FRAME_ERROR_BODY` with its HTTP `status`, or `FRAME_WHOLE_BODY`.
    /// [`Pipeline::finish`] follows as after a stream.
    ///
    /// # Errors
    /// When the body is longer than the limit, or the codec is broken.
    pub fn whole_body(&mut self, body: &[u8], kind: u32, status: u32, sink: &mut Sink<'_>) -> Result<(), Error> {
        if body.len() > self.limits.event_bytes_max {
            return Err(limits::Error::EventTooLong { limit: self.limits.event_bytes_max }.into());
        }
        let mut replaced = Vec::new();
        let data = if utf8::is_valid(body) {
            body
        } else {
            utf8::push_replaced(&mut replaced, body);
            &replaced
        };
        self.frame_count += 1;
        self.stage.decode(&mut self.decoder, &[FrameRef::new(kind, data).with_status(status)], 0, sink)
    }

    /// Back to the start of a new stream, the codec included; buffers are kept.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.framer.reset();
        self.stage.reset();
        self.frame_count = 0;
        self.dropped_at_eof = 0;
    }

    /// The codec.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The codec, to encode with between two replies.
    pub const fn decoder_mut(&mut self) -> &mut D {
        &mut self.decoder
    }

    /// What was done since the start of the stream.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let (bytes, copied_bytes, comments) = self.framer.counters();
        Counters {
            bytes,
            frames: self.frame_count,
            events: self.stage.events,
            copied_bytes: copied_bytes + self.stage.channels.copied_bytes,
            skipped: self.stage.skipped,
            comments,
            unknown_escapes: self.stage.channels.unknown_escapes,
            dropped_at_eof: self.dropped_at_eof,
        }
    }

    /// Has the codec read the frames that were found.
    fn decode(&mut self, chunk: &[u8], kind: u32, sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut frames = recycle_frames(mem::take(&mut self.frames));
        let framer = &self.framer;
        frames.extend(self.spans.iter().map(|span| framer.frame(chunk, span, kind)));
        self.frame_count += frames.len() as u64;
        let flags = if kind & FRAME_AT_EOF == 0 { 0 } else { FLAG_AT_EOF };
        let result = self.stage.decode(&mut self.decoder, &frames, flags, sink);
        self.frames = recycle_frames(frames);
        result
    }
}

/// Whether a frame without its end is certainly all there: an object or an array that is closed, or the end mark that
/// many dialects share. A number or a word could have been longer.
fn is_whole_payload(data: &[u8], nesting_max: u16) -> bool {
    data == b"[DONE]" || (matches!(data.first(), Some(b'{' | b'[')) && json::check(data, nesting_max).is_ok())
}

/// From frames to resolved events.
#[derive(Debug, Default)]
struct Stage {
    /// Empty between calls; kept for its memory.
    batch: Vec<StreamEvent<'static>>,
    channels: Channels,
    events: u64,
    skipped: u64,
}

impl Stage {
    fn decode<D: Decode>(
        &mut self,
        decoder: &mut D,
        frames: &[FrameRef<'_>],
        flags: u32,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let capacity = frames.len() + EVENTS_MORE;
        let mut read = 0;
        loop {
            let mut batch = recycle_events(mem::take(&mut self.batch));
            let before = read;
            let progress = decoder.decode(frames, &mut read, &mut Events::new(&mut batch, capacity));
            let is_moved = read > before || !batch.is_empty();
            self.batch = self.hand_on(batch, flags, sink);
            match progress.map_err(Error::Codec)? {
                Progress::Done if read >= frames.len() => return Ok(()),
                Progress::More if is_moved => {}
                Progress::Done | Progress::More => return Err(Error::CodecStuck { frames: frames.len(), read }),
            }
        }
    }

    fn finish<D: Decode>(&mut self, decoder: &mut D, sink: &mut Sink<'_>) -> Result<(), Error> {
        loop {
            let mut batch = recycle_events(mem::take(&mut self.batch));
            let progress = decoder.finish(&mut Events::new(&mut batch, EVENTS_MORE));
            let is_moved = !batch.is_empty();
            self.batch = self.hand_on(batch, 0, sink);
            match progress.map_err(Error::Codec)? {
                Progress::Done => break,
                Progress::More if is_moved => {}
                Progress::More => return Err(Error::CodecStuck { frames: 0, read: 0 }),
            }
        }
        let mut batch = mem::take(&mut self.batch);
        batch.extend(self.channels.finish());
        self.batch = self.hand_on(batch, 0, sink);
        Ok(())
    }

    /// Resolves a batch, shows it to the sink and gives its memory back.
    fn hand_on<'s>(
        &'s mut self,
        mut batch: Vec<StreamEvent<'s>>,
        flags: u32,
        sink: &mut Sink<'_>,
    ) -> Vec<StreamEvent<'static>> {
        if batch.is_empty() {
            return recycle_events(batch);
        }
        if flags != 0 {
            for event in &mut batch {
                *event = event.with_flags(flags);
            }
        }
        let batch = self.channels.resolve(batch);
        self.events += batch.len() as u64;
        self.skipped += batch.iter().filter(|event| event.kind() == EVENT_SKIPPED).count() as u64;
        sink(&batch);
        recycle_events(batch)
    }

    fn reset(&mut self) {
        self.channels.reset();
        self.events = 0;
        self.skipped = 0;
    }
}

/// Room for events beyond one a frame: the last frames of a reply give several. An idle stream keeps this memory.
const EVENTS_MORE: usize = 8;

/// Frames that a codec reads with one call: enough that the call costs nothing, few enough to stay in the cache.
const FRAMES_MAX: usize = 64;

#[derive(Debug)]
enum Framer {
    Sse(sse::Decoder),
    NdJson(ndjson::Decoder),
    EventStream(event_stream::Decoder),
}

/// How much of a chunk was framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Whole,
    Part,
}

impl Framer {
    /// Frames up to [`FRAMES_MAX`] events; those found before an error are in `spans` as well.
    fn fill(&mut self, walk: &mut Walk<'_>, spans: &mut Vec<Span>) -> Result<Filled, Error> {
        match self {
            Self::Sse(decoder) => {
                decoder.begin_batch();
                Ok(fill(spans, || decoder.next(walk))?)
            }
            Self::NdJson(decoder) => {
                decoder.begin_batch();
                Ok(fill(spans, || decoder.next(walk))?)
            }
            Self::EventStream(decoder) => {
                decoder.begin_batch();
                Ok(fill(spans, || decoder.next(walk))?)
            }
        }
    }

    fn pending(&mut self) -> Option<Span> {
        match self {
            Self::Sse(decoder) => decoder.pending(),
            Self::NdJson(decoder) => decoder.pending(),
            // Its checksum is missing.
            Self::EventStream(_) => None,
        }
    }

    fn pending_bytes(&self) -> usize {
        match self {
            Self::Sse(decoder) => decoder.pending_bytes(),
            Self::NdJson(decoder) => decoder.pending_bytes(),
            Self::EventStream(decoder) => decoder.pending_bytes(),
        }
    }

    #[inline]
    fn frame<'a>(&'a self, chunk: &'a [u8], span: &Span, kind: u32) -> FrameRef<'a> {
        match self {
            Self::Sse(decoder) => {
                let event = decoder.resolve(chunk, span);
                FrameRef::new(kind, event.data).with_event(event.event_type)
            }
            Self::NdJson(decoder) => FrameRef::new(kind, decoder.slice(chunk, span.data)),
            Self::EventStream(decoder) => {
                let message = decoder.resolve(chunk, span);
                FrameRef::new(kind, message.data).with_event(message.event_type)
            }
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Sse(decoder) => decoder.reset(),
            Self::NdJson(decoder) => decoder.reset(),
            Self::EventStream(decoder) => decoder.reset(),
        }
    }

    /// Bytes fed, bytes copied, comments.
    fn counters(&self) -> (u64, u64, u64) {
        match self {
            Self::Sse(decoder) => {
                let counters = decoder.counters();
                (counters.bytes, counters.copied_bytes, counters.comments)
            }
            Self::NdJson(decoder) => {
                let counters = decoder.counters();
                (counters.bytes, counters.copied_bytes, 0)
            }
            Self::EventStream(decoder) => {
                let counters = decoder.counters();
                (counters.bytes, counters.copied_bytes, 0)
            }
        }
    }
}

#[inline]
fn fill<E>(spans: &mut Vec<Span>, mut next: impl FnMut() -> Result<Option<Span>, E>) -> Result<Filled, E> {
    spans.clear();
    while spans.len() < FRAMES_MAX {
        match next()? {
            Some(span) => spans.push(span),
            None => return Ok(Filled::Whole),
        }
    }
    Ok(Filled::Part)
}
