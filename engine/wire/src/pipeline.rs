//! The route from chunk to events: takes frames by template, frames the rest, has a codec read it, resolves escapes, hands on.
//!
//! Nothing is copied but what straddles two chunks or is escaped, and once the buffers have grown nothing is allocated.

use std::mem;
use std::num::NonZeroU32;

use thalweg_abi::decode::{Decode, recycle_events};
use thalweg_abi::types::{FRAME_EVENT, FrameRef, StreamEvent};

pub use crate::error::Error;
pub use crate::framing::Framing;
use crate::json;
use crate::limits::{self, Limits};
use crate::reader::{Check, Reader};
use crate::seam::{Completed, Seam};
use crate::template::Volatile;
use crate::utf8;

/// What a pipeline has done since the start of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Frames that came, whoever has read them.
    pub frames: u64,
    /// Frames of these that were read by template, without the codec.
    pub template_hits: u64,
    /// Frames of these that were read by template and by the codec, with different answers: the codec breaks what it
    /// promises with `FLAG_REPEATABLE`. Its own answer was handed on, and templates were given up.
    pub template_lies: u64,
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

/// The `volatile_keys` and `block_keys` of what a codec says of itself, read once for many pipelines.
#[derive(Clone, Debug, Default)]
pub struct KeyMarks(Volatile);

impl KeyMarks {
    /// Those of a description, the JSON object of a codec's `describe`.
    #[must_use]
    pub fn of_description(description: &str) -> Self {
        Self(Volatile::of_description(description))
    }
}

/// Reads the body of one reply after the other with one codec.
#[derive(Debug)]
pub struct Pipeline<D> {
    reader: Reader<D>,
    limits: Limits,
    /// The beginning of a frame that the framer has not seen.
    seam: Seam,
    bytes: u64,
    dropped_at_eof: u64,
}

impl<D: Decode> Pipeline<D> {
    /// A pipeline at the start of a stream.
    #[must_use]
    pub fn new(decoder: D, framing: Framing, limits: Limits) -> Self {
        let reader = Reader::new(decoder, framing, limits);
        Self { reader, limits, seam: Seam::default(), bytes: 0, dropped_at_eof: 0 }
    }

    /// With what the codec says of itself: the JSON object of its `describe`. Its `volatile_keys` may change from one frame to
    /// the next without the codec being asked.
    #[must_use]
    pub fn with_description(self, description: &str) -> Self {
        self.with_key_marks(KeyMarks::of_description(description))
    }

    /// As [`Pipeline::with_description`], of a description that was read before.
    #[must_use]
    pub fn with_key_marks(mut self, marks: KeyMarks) -> Self {
        self.reader.volatile = marks.0;
        self
    }

    /// Without the template fast path: the same events, slower. Tests and benches compare the two.
    #[must_use]
    pub const fn without_template(mut self) -> Self {
        self.reader.is_template_on = false;
        self
    }

    /// Has the codec read one in `every` frames that a template has read, and compares the answers: see
    /// [`Counters::template_lies`]. For the authors of codecs, and for those who do not trust one.
    #[must_use]
    pub const fn with_template_check(mut self, every: NonZeroU32) -> Self {
        self.reader.check = Check::new(every);
        self
    }

    /// Reads the next chunk of the body and hands the events of each frame that is complete to `sink`, in batches.
    ///
    /// # Errors
    /// When a frame is longer than the limit, or the codec is broken. What came before was handed on.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        self.bytes += chunk.len() as u64;
        let end = if self.seam.is_empty() {
            let at = self.reader.framer.skip_line_feed(chunk, 0);
            self.reader.read(chunk, at, sink)?
        } else {
            self.feed_behind_seam(chunk, sink)?
        };
        if end < chunk.len() {
            self.seam.begin(&chunk[end..], self.reader.templates.bytes_min());
        }
        Ok(())
    }

    /// Reads a chunk that goes on with a frame which was held back. Returns where it ended.
    #[inline(never)]
    fn feed_behind_seam(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<usize, Error> {
        let reader = &mut self.reader;
        match self.seam.complete(&mut reader.templates, reader.level, chunk, self.limits) {
            Completed::Short => Ok(chunk.len()),
            Completed::Fits { mut at, position, fit } => {
                let event = reader.templates.event(position, self.seam.bytes(), &fit);
                if reader.templates.ends_with_cr(position) {
                    reader.framer.expect_line_feed();
                    at = reader.framer.skip_line_feed(chunk, at);
                }
                let mut batch = recycle_events(mem::take(&mut reader.stage.batch));
                batch.push(event);
                let end = reader.read_behind(chunk, at, batch, sink);
                self.seam.clear();
                end
            }
            Completed::Misses => {
                self.give_up_seam(sink)?;
                self.reader.read(chunk, 0, sink)
            }
        }
    }

    /// The body has ended. A last frame whose end is missing is delivered if it is complete JSON, its events marked with
    /// `FLAG_AT_EOF`; otherwise [`Counters::dropped_at_eof`] says how much of it there was.
    ///
    /// # Errors
    /// When the codec is broken.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.give_up_seam(sink)?;
        let reader = &mut self.reader;
        reader.templates.disarm_all();
        let bytes = reader.framer.pending_bytes();
        let span = reader.framer.pending();
        match span {
            Some(span)
                if is_whole_payload(reader.framer.frame(&[], &span, FRAME_EVENT).data(), self.limits.nesting_max) =>
            {
                reader.read_last(span, sink)?;
            }
            _ => self.dropped_at_eof += bytes as u64,
        }
        reader.stage.finish(&mut reader.decoder, sink)
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
        let reader = &mut self.reader;
        reader.templates.disarm_all();
        reader.frame_count += 1;
        let frame = FrameRef::new(kind, data).with_status(status);
        reader.stage.decode(&mut reader.decoder, &[frame], 0, 0, sink)
    }

    /// Back to the start of a new stream, the codec included; buffers are kept.
    pub fn reset(&mut self) {
        self.reader.reset();
        self.seam.reset();
        self.bytes = 0;
        self.dropped_at_eof = 0;
    }

    /// The codec.
    pub const fn decoder(&self) -> &D {
        &self.reader.decoder
    }

    /// The codec, to encode with between two replies.
    pub fn decoder_mut(&mut self) -> &mut D {
        // Whoever has it may change its state.
        self.reader.templates.disarm_all();
        &mut self.reader.decoder
    }

    /// What was done since the start of the stream.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let Reader { framer, stage, frame_count, template_hits, template_lies, .. } = &self.reader;
        let (copied_bytes, comments) = framer.counters();
        Counters {
            bytes: self.bytes,
            frames: frame_count + template_hits,
            template_hits: *template_hits,
            template_lies: *template_lies,
            events: stage.events,
            copied_bytes: copied_bytes + self.seam.copied_bytes + stage.channels.copied_bytes,
            skipped: stage.skipped,
            comments,
            unknown_escapes: stage.channels.unknown_escapes,
            dropped_at_eof: self.dropped_at_eof,
        }
    }

    /// No template takes what was held back: the framer gets it, as if it had come by itself.
    fn give_up_seam(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.seam.is_empty() {
            return Ok(());
        }
        let bytes = self.seam.take();
        let result = self.reader.read_in_full(&bytes, sink);
        self.seam.give_back(bytes);
        result
    }
}

/// Whether a frame without its end is certainly all there: an object or an array that is closed, or the end mark that
/// many dialects share. A number or a word could have been longer.
fn is_whole_payload(data: &[u8], nesting_max: u16) -> bool {
    data == b"[DONE]" || (matches!(data.first(), Some(b'{' | b'[')) && json::check(data, nesting_max).is_ok())
}
