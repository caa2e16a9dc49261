//! The binary event streams of AWS, `application/vnd.amazon.eventstream`: messages with a length, headers, a payload and two
//! checksums.
//!
//! A message is eight bytes of lengths and their checksum, the headers, the payload, and a checksum over all of it. A
//! checksum that is wrong ends the stream, since nothing behind it can be found; what came before was handed out.

mod chunk;
mod headers;

use std::fmt;

use crate::limits::{self, Limits};
use crate::span::{KEPT_BYTES, Place, Slice, Span, Walk};
use crate::utf8;
use headers::Headers;

/// Why a stream cannot be read any further. `offset` is the byte of the stream with which the message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A message is longer than the limit.
    Limit(limits::Error),
    /// The lengths of a message contradict each other.
    Length {
        /// Where the message begins.
        offset: u64,
        /// Its length as it says itself.
        total: u32,
        /// The length of its headers as it says itself.
        headers: u32,
    },
    /// The checksum of the lengths is wrong.
    PreludeChecksum {
        /// Where the message begins.
        offset: u64,
        /// The checksum in the message.
        expected: u32,
        /// The checksum of the bytes that came.
        actual: u32,
    },
    /// The checksum of a whole message is wrong.
    MessageChecksum {
        /// Where the message begins.
        offset: u64,
        /// The checksum in the message.
        expected: u32,
        /// The checksum of the bytes that came.
        actual: u32,
    },
    /// The headers of a message are no headers.
    Headers {
        /// Where the message begins.
        offset: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => error.fmt(f),
            Self::Length { offset, total, headers } => write!(
                f,
                "the message at byte {offset} of the event stream claims {total} bytes with {headers} bytes of headers, \
                 which cannot be"
            ),
            Self::PreludeChecksum { offset, expected, actual } => write!(
                f,
                "the lengths of the message at byte {offset} of the event stream have the checksum {actual:08x} instead \
                 of {expected:08x}: the stream was damaged, or is no event stream"
            ),
            Self::MessageChecksum { offset, expected, actual } => write!(
                f,
                "the message at byte {offset} of the event stream has the checksum {actual:08x} instead of \
                 {expected:08x}: the stream was damaged"
            ),
            Self::Headers { offset } => {
                write!(f, "the message at byte {offset} of the event stream has malformed headers")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Limit(error) = self { Some(error) } else { None }
    }
}

impl From<limits::Error> for Error {
    fn from(error: limits::Error) -> Self {
        Self::Limit(error)
    }
}

/// What a decoder does with an event named `chunk`, in which Bedrock wraps the events of a model's own dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// Hands it out as it is.
    Keep,
    /// Hands out what is inside of it, decoded from base64.
    Unwrap,
}

/// One message: the name of its event or exception, and its payload. Both are valid UTF-8.
///
/// A message of the type `error`, which has headers only, has the name `error` and a payload made of them:
/// `{"code":…,"message":…}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Name of the event or of the exception; empty where there is none.
    pub event_type: &'a [u8],
    /// The payload.
    pub data: &'a [u8],
}

/// A decoder of an event stream, fed with chunks cut anywhere. The payloads are not looked into.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    chunks: Chunks,
    /// The beginning of a message whose end has not come yet.
    carry: Vec<u8>,
    /// The last message that straddled two chunks.
    joined: Vec<u8>,
    scratch: Vec<u8>,
    counters: Counters,
    /// Where the next message begins.
    offset: u64,
    failed: Option<Error>,
}

/// What a decoder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Bytes that were copied: messages across two chunks, replaced bytes, unwrapped events.
    pub copied_bytes: u64,
}

/// Bytes of the two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// Bytes of a message that has neither headers nor payload.
const MESSAGE_BYTES_MIN: usize = 16;

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub const fn new(limits: Limits, chunks: Chunks) -> Self {
        Self {
            limits,
            chunks,
            carry: Vec::new(),
            joined: Vec::new(),
            scratch: Vec::new(),
            counters: Counters { bytes: 0, copied_bytes: 0 },
            offset: 0,
            failed: None,
        }
    }

    /// Reads the next chunk and hands each message that is complete to `sink`.
    ///
    /// # Errors
    /// When a message is longer than the limit or damaged. Those before it were handed out; every later call fails as well.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Message<'_>)) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        loop {
            self.begin_batch();
            let Some(span) = self.next(&mut walk)? else { return Ok(()) };
            sink(self.resolve(chunk, &span));
        }
    }

    /// Back to the start of a new stream; buffers are kept.
    pub fn reset(&mut self) {
        self.carry.clear();
        self.counters = Counters::default();
        self.offset = 0;
        self.failed = None;
    }

    /// Bytes of a message that has begun and not ended. At the end of a stream they are lost.
    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        self.carry.len()
    }

    /// What was done since the start of the stream.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    pub(crate) fn begin_batch(&mut self) {
        self.scratch.clear();
        for buffer in [&mut self.scratch, &mut self.joined] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }

    /// The next message of the chunk, or none when all of it is read. The span is good until the next `begin_batch`.
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !walk.entered {
            walk.entered = true;
            self.counters.bytes += walk.chunk.len() as u64;
        }
        let result = if self.carry.is_empty() { self.next_in_chunk(walk) } else { self.next_across(walk) };
        if let Err(error) = result {
            self.failed = Some(error);
        }
        result
    }

    #[inline]
    pub(crate) fn resolve<'a>(&'a self, chunk: &'a [u8], span: &Span) -> Message<'a> {
        Message { event_type: self.slice(chunk, span.event_type), data: self.slice(chunk, span.data) }
    }

    fn slice<'a>(&'a self, chunk: &'a [u8], slice: Slice) -> &'a [u8] {
        let place = match slice.place {
            Place::Chunk => chunk,
            Place::Joined => &self.joined,
            Place::Scratch | Place::Id => &self.scratch,
        };
        &place[slice.start..slice.end]
    }

    /// A message that begins in this chunk; copied if it does not end there.
    fn next_in_chunk(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        let rest = walk.rest();
        let total = self.total(rest)?;
        match total {
            Some(total) if rest.len() >= total => {
                let start = walk.at;
                walk.at += total;
                self.message(&rest[..total], start, Place::Chunk).map(Some)
            }
            _ => {
                self.carry(walk, rest.len());
                Ok(None)
            }
        }
    }

    /// The message that began in an earlier chunk.
    fn next_across(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        self.carry(walk, PRELUDE_BYTES.saturating_sub(self.carry.len()));
        let Some(total) = self.total(&self.carry)? else { return Ok(None) };
        self.carry(walk, total - self.carry.len());
        if self.carry.len() < total {
            return Ok(None);
        }
        std::mem::swap(&mut self.joined, &mut self.carry);
        self.carry.clear();
        let joined = std::mem::take(&mut self.joined);
        let span = self.message(&joined, 0, Place::Joined);
        self.joined = joined;
        span.map(Some)
    }

    /// Keeps up to `bytes` of the chunk for later.
    fn carry(&mut self, walk: &mut Walk<'_>, bytes: usize) {
        let rest = walk.rest();
        let bytes = bytes.min(rest.len());
        self.carry.extend_from_slice(&rest[..bytes]);
        self.counters.copied_bytes += bytes as u64;
        walk.at += bytes;
    }

    /// The length of the message that begins with `bytes`; `None` when too few of them have come to say.
    fn total(&self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE_BYTES>() else { return Ok(None) };
        let [total, headers, expected] = [0, 4, 8].map(|at| number(prelude, at));
        let offset = self.offset;
        let actual = crc32fast::hash(&prelude[..8]);
        if actual != expected {
            return Err(Error::PreludeChecksum { offset, expected, actual });
        }
        if (total as usize) < MESSAGE_BYTES_MIN || headers as usize > total as usize - MESSAGE_BYTES_MIN {
            return Err(Error::Length { offset, total, headers });
        }
        if total as usize > self.limits.event_bytes_max {
            return Err(limits::Error::EventTooLong { limit: self.limits.event_bytes_max }.into());
        }
        Ok(Some(total as usize))
    }

    /// Reads one whole message, which begins at `base` of `place`.
    fn message(&mut self, message: &[u8], base: usize, place: Place) -> Result<Span, Error> {
        let offset = self.offset;
        self.offset += message.len() as u64;
        let end = message.len() - 4;
        let expected = number(message, end);
        let actual = crc32fast::hash(&message[..end]);
        if actual != expected {
            return Err(Error::MessageChecksum { offset, expected, actual });
        }
        let payload = PRELUDE_BYTES + number(message, 4) as usize;
        let headers = Headers::read(&message[PRELUDE_BYTES..payload]).ok_or(Error::Headers { offset })?;
        if headers.is_error() {
            return Ok(self.error(&headers));
        }
        let name = headers.name();
        let name_start = PRELUDE_BYTES + name.start;
        let event_type = self.text(&message[name_start..PRELUDE_BYTES + name.end], base + name_start, place);
        let data = &message[payload..end];
        if self.chunks == Chunks::Unwrap && headers.is_event(b"chunk") {
            let start = self.scratch.len();
            if chunk::unwrap(data, &mut self.scratch) {
                self.counters.copied_bytes += (self.scratch.len() - start) as u64;
                return Ok(Span { data: self.scratched(start), event_type });
            }
        }
        Ok(Span { data: self.text(data, base + payload, place), event_type })
    }

    /// A text of the message where it is; replaced by a copy if it is not UTF-8.
    fn text(&mut self, text: &[u8], base: usize, place: Place) -> Slice {
        if utf8::is_valid(text) {
            return Slice { place, start: base, end: base + text.len() };
        }
        let start = self.scratch.len();
        utf8::push_replaced(&mut self.scratch, text);
        self.counters.copied_bytes += (self.scratch.len() - start) as u64;
        self.scratched(start)
    }

    /// A message that has headers only.
    fn error(&mut self, headers: &Headers<'_>) -> Span {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(b"error");
        let event_type = self.scratched(start);
        let start = self.scratch.len();
        headers.push_error(&mut self.scratch);
        self.counters.copied_bytes += (self.scratch.len() - start) as u64;
        Span { data: self.scratched(start), event_type }
    }

    /// What was put into the scratch since it was `start` bytes long.
    const fn scratched(&self, start: usize) -> Slice {
        Slice { place: Place::Scratch, start, end: self.scratch.len() }
    }
}

/// The big-endian number at `at`, which is within `bytes`.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
