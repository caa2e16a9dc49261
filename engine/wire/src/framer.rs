//! One framer for all framings, as the pipeline drives it.

use thalweg_abi::types::FrameRef;

use crate::error::Error;
use crate::event_stream::{self, Chunks};
use crate::framing::Framing;
use crate::limits::Limits;
use crate::span::{Place, Span, Walk};
use crate::{ndjson, sse};

/// The framer of a stream.
#[derive(Debug)]
pub(crate) enum Framer {
    Sse(sse::Decoder),
    NdJson(ndjson::Decoder),
    EventStream(event_stream::Decoder),
}

/// How much of a chunk was framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Whole,
    Part,
}

impl Framer {
    pub(crate) const fn new(framing: Framing, limits: Limits) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Decoder::new(limits).with_bare_json()),
            Framing::NdJson => Self::NdJson(ndjson::Decoder::new(limits)),
            Framing::EventStream => Self::EventStream(event_stream::Decoder::new(limits, Chunks::Unwrap)),
        }
    }

    /// The next frame, alone. It is good until the next call.
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        match self {
            Self::Sse(decoder) => {
                decoder.begin_batch();
                Ok(decoder.next(walk)?)
            }
            Self::NdJson(decoder) => {
                decoder.begin_batch();
                Ok(decoder.next(walk)?)
            }
            Self::EventStream(decoder) => {
                decoder.begin_batch();
                Ok(decoder.next(walk)?)
            }
        }
    }

    /// Whether the next byte is the first of a frame, as far as is known before it has come, and a frame may be taken
    /// away by its text alone.
    #[inline]
    pub(crate) fn is_between_frames(&self) -> bool {
        match self {
            Self::Sse(decoder) => decoder.is_between_events(),
            Self::NdJson(decoder) => decoder.is_between_lines(),
            // Its checksum has to be read.
            Self::EventStream(_) => false,
        }
    }

    /// Frames were taken away, the last of them with a CR at its end: an LF right behind it belongs to it.
    pub(crate) const fn expect_line_feed(&mut self) {
        if let Self::Sse(decoder) = self {
            decoder.expect_line_feed();
        }
    }

    /// Skips an LF at `at` of the chunk that belongs to the frame before. Returns where to go on.
    #[inline]
    pub(crate) fn skip_line_feed(&mut self, chunk: &[u8], at: usize) -> usize {
        match self {
            Self::Sse(decoder) => decoder.skip_line_feed(chunk, at),
            Self::NdJson(_) | Self::EventStream(_) => at,
        }
    }

    /// The bytes of a frame as they stood on the wire, perhaps with something before them that belongs to none; and the line
    /// end that is left out. `chunk` is what was read of the chunk to find it. `None` when parts were changed.
    pub(crate) fn wire<'a>(&'a self, chunk: &'a [u8], span: &Span) -> Option<(&'a [u8], &'static [u8])> {
        let place = span.data.place;
        let is_whole = span.event_type.place == place || span.event_type.start == span.event_type.end;
        match (self, place) {
            _ if !is_whole => None,
            (Self::EventStream(_), _) | (_, Place::Scratch | Place::Id) => None,
            (_, Place::Chunk) => Some((chunk, b"")),
            (Self::Sse(decoder), Place::Joined) => Some((decoder.joined(), b"")),
            (Self::NdJson(decoder), Place::Joined) => Some((decoder.joined(), b"\n")),
        }
    }

    /// Frames up to `max` events; those found before an error are in `spans` as well.
    pub(crate) fn fill(&mut self, walk: &mut Walk<'_>, spans: &mut Vec<Span>, max: usize) -> Result<Filled, Error> {
        match self {
            Self::Sse(decoder) => {
                decoder.begin_batch();
                spans.clear();
                let is_whole = decoder.each(walk, |span| {
                    spans.push(span);
                    spans.len() < max
                })?;
                Ok(if is_whole { Filled::Whole } else { Filled::Part })
            }
            Self::NdJson(decoder) => {
                decoder.begin_batch();
                Ok(fill(spans, max, || decoder.next(walk))?)
            }
            Self::EventStream(decoder) => {
                decoder.begin_batch();
                Ok(fill(spans, max, || decoder.next(walk))?)
            }
        }
    }

    pub(crate) fn pending(&mut self) -> Option<Span> {
        match self {
            Self::Sse(decoder) => decoder.pending(),
            Self::NdJson(decoder) => decoder.pending(),
            // Its checksum is missing.
            Self::EventStream(_) => None,
        }
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        match self {
            Self::Sse(decoder) => decoder.pending_bytes(),
            Self::NdJson(decoder) => decoder.pending_bytes(),
            Self::EventStream(decoder) => decoder.pending_bytes(),
        }
    }

    #[inline]
    pub(crate) fn frame<'a>(&'a self, chunk: &'a [u8], span: &Span, kind: u32) -> FrameRef<'a> {
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

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Sse(decoder) => decoder.reset(),
            Self::NdJson(decoder) => decoder.reset(),
            Self::EventStream(decoder) => decoder.reset(),
        }
    }

    /// Bytes copied, comments.
    pub(crate) fn counters(&self) -> (u64, u64) {
        match self {
            Self::Sse(decoder) => {
                let counters = decoder.counters();
                (counters.copied_bytes, counters.comments)
            }
            Self::NdJson(decoder) => {
                let counters = decoder.counters();
                (counters.copied_bytes, 0)
            }
            Self::EventStream(decoder) => {
                let counters = decoder.counters();
                (counters.copied_bytes, 0)
            }
        }
    }
}

/// Frames that a codec reads with one call: enough that the call costs nothing, few enough to stay in the cache.
pub(crate) const FRAMES_MAX: usize = 64;

#[inline]
fn fill<E>(spans: &mut Vec<Span>, max: usize, mut next: impl FnMut() -> Result<Option<Span>, E>) -> Result<Filled, E> {
    spans.clear();
    while spans.len() < max {
        match next()? {
            Some(span) => spans.push(span),
            None => return Ok(Filled::Whole),
        }
    }
    Ok(Filled::Part)
}
