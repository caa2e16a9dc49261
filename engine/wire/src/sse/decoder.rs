//! The decoder: what it remembers between chunks, and the order in which the paths are tried.

use std::ops::Range;

use crate::limits::{Error, Limits};
use crate::span::{KEPT_BYTES, Place, Slice, Span, Walk};
use crate::sse::block::{self, Data, Seek};
use crate::sse::fast;
use crate::utf8;

/// A dispatched event. The slices are valid UTF-8 and live until the decoder is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Name of the event; empty stands for `message`.
    pub event_type: &'a [u8],
    /// Lines of data, joined by LF.
    pub data: &'a [u8],
    /// The last id that the stream has set, by this event or an earlier one.
    pub last_event_id: &'a [u8],
    /// The last `retry` that the stream has set.
    pub reconnection_time_ms: Option<u64>,
}

/// What a decoder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Comment lines.
    pub comments: u64,
    /// Bytes that were copied: events across two chunks, joined lines, replaced bytes, ids.
    pub copied_bytes: u64,
    /// Bytes looked at, each search counted: a small multiple of `bytes`, however the stream is cut.
    pub scanned_bytes: u64,
}

/// A decoder of server-sent events, fed with chunks cut anywhere.
///
/// ```
/// let mut decoder = thalweg_wire::sse::Decoder::new(Default::default());
/// let mut seen = Vec::new();
/// for chunk in ["data: on", "e\n\ndata: two\n", "\n"] {
///     decoder.feed(chunk.as_bytes(), |event| seen.push(event.data.to_vec()))?;
/// }
/// assert_eq!(seen, [b"one", b"two"]);
/// # Ok::<(), thalweg_wire::limits::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    paths: Paths,
    /// Bytes of the byte-order mark that were seen; 3 once that question is settled.
    mark: u8,
    /// Within a comment that began in an earlier chunk; its text is not kept.
    in_comment: bool,
    seek: Seek,
    /// The beginning of an event whose end has not come yet.
    carry: Vec<u8>,
    /// The last event that straddled two chunks.
    joined: Vec<u8>,
    scratch: Vec<u8>,
    id: Vec<u8>,
    /// The id in force; in `scratch` when it was set in the current batch.
    id_now: Slice,
    reconnection_time_ms: Option<u64>,
    counters: Counters,
    failed: Option<Error>,
}

/// Which paths a decoder may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    All,
    GeneralOnly,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            paths: Paths::All,
            mark: 0,
            in_comment: false,
            seek: Seek::START,
            carry: Vec::new(),
            joined: Vec::new(),
            scratch: Vec::new(),
            id: Vec::new(),
            id_now: Slice { place: Place::Id, start: 0, end: 0 },
            reconnection_time_ms: None,
            counters: Counters { bytes: 0, comments: 0, copied_bytes: 0, scanned_bytes: 0 },
            failed: None,
        }
    }

    /// A decoder without the fast path: the same events, slower. Tests and benches compare the two.
    #[must_use]
    pub const fn general_only(limits: Limits) -> Self {
        let mut decoder = Self::new(limits);
        decoder.paths = Paths::GeneralOnly;
        decoder
    }

    /// Reads the next chunk and hands each event that is complete to `sink`.
    ///
    /// # Errors
    /// When an event is longer than the limit. The events before it were handed out; every later call fails as well.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Event<'_>)) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        loop {
            self.begin_batch();
            let Some(span) = self.next(&mut walk)? else { return Ok(()) };
            sink(self.resolve(chunk, &span));
        }
    }

    /// The stream has ended. The standard drops an event whose blank line is missing; this returns it, as if the blank
    /// line had come, to a caller who wants to know. Nothing of it is applied to the decoder but a complete `retry`.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        let span = self.pending()?;
        Some(self.resolve(&[], &span))
    }

    /// Back to the start of a new stream; buffers are kept.
    pub fn reset(&mut self) {
        self.mark = 0;
        self.in_comment = false;
        self.seek = Seek::START;
        self.carry.clear();
        self.scratch.clear();
        self.id.clear();
        self.id_now = Slice { place: Place::Id, start: 0, end: 0 };
        self.reconnection_time_ms = None;
        self.counters = Counters::default();
        self.failed = None;
    }

    /// The last id that the stream has set with a complete event.
    #[must_use]
    pub fn last_event_id(&self) -> &[u8] {
        self.slice(&[], self.id_now)
    }

    /// The last `retry` that the stream has set.
    #[must_use]
    pub const fn reconnection_time_ms(&self) -> Option<u64> {
        self.reconnection_time_ms
    }

    /// Bytes of an event that has begun and not ended.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.carry.len()
    }

    /// What was done since the start of the stream.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Forgets the spans handed out so far, and the text that they needed.
    pub(crate) fn begin_batch(&mut self) {
        if self.id_now.place == Place::Scratch {
            self.id.clear();
            self.id.extend_from_slice(&self.scratch[self.id_now.start..self.id_now.end]);
            self.id_now = Slice { place: Place::Id, start: 0, end: self.id.len() };
        }
        self.scratch.clear();
        // One huge event must not hold its memory for the rest of a long stream.
        for buffer in [&mut self.scratch, &mut self.joined] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }

    /// Whether the next byte is the first of an event, whatever was read before.
    #[inline]
    pub(crate) fn is_between_events(&self) -> bool {
        usize::from(self.mark) == BYTE_ORDER_MARK.len()
            && self.carry.is_empty()
            && !self.in_comment
            && !self.seek.after_cr
            && self.failed.is_none()
    }

    /// An event was read elsewhere that ended with a CR: an LF that comes next belongs to it.
    pub(crate) const fn expect_line_feed(&mut self) {
        self.seek.after_cr = true;
    }

    /// At the start of a chunk: skips an LF that belongs to the event before.
    #[inline]
    pub(crate) fn skip_line_feed(&mut self, walk: &mut Walk<'_>) {
        if self.seek.after_cr
            && self.carry.is_empty()
            && !self.in_comment
            && let Some(&byte) = walk.rest().first()
        {
            self.seek.after_cr = false;
            walk.at += usize::from(byte == b'\n');
        }
    }

    /// The last event that straddled two chunks.
    pub(crate) fn joined(&self) -> &[u8] {
        &self.joined
    }

    /// The next event of the chunk, or none when all of it is read. The span is good until the next `begin_batch`.
    #[inline]
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        if !walk.entered
            && let Some(span) = self.enter(walk)?
        {
            return Ok(Some(span));
        }
        if walk.at == walk.chunk.len() {
            return Ok(None);
        }
        if self.paths == Paths::All
            && let Some((span, length)) = self.fast(walk, Place::Chunk)
        {
            self.check_length(length)?;
            return Ok(Some(span));
        }
        self.general(walk)
    }

    /// The span with its slices; `chunk` is the one that was walked. The id is the one in force now, so it is that of the
    /// event only until the next one is looked for.
    #[inline]
    pub(crate) fn resolve<'a>(&'a self, chunk: &'a [u8], span: &Span) -> Event<'a> {
        Event {
            event_type: self.slice(chunk, span.event_type),
            data: self.slice(chunk, span.data),
            last_event_id: self.slice(chunk, self.id_now),
            reconnection_time_ms: self.reconnection_time_ms,
        }
    }

    /// The event whose blank line is missing at the end of the stream.
    pub(crate) fn pending(&mut self) -> Option<Span> {
        if self.failed.is_some() {
            return None;
        }
        self.begin_batch();
        std::mem::swap(&mut self.joined, &mut self.carry);
        self.carry.clear();
        self.seek = Seek::START;
        let joined = std::mem::take(&mut self.joined);
        let id = self.id_now;
        let span = self.block(&joined, 0, Place::Joined);
        self.joined = joined;
        self.id_now = id;
        span
    }

    #[inline]
    fn slice<'a>(&'a self, chunk: &'a [u8], slice: Slice) -> &'a [u8] {
        let place = match slice.place {
            Place::Chunk => chunk,
            Place::Joined => &self.joined,
            Place::Scratch => &self.scratch,
            Place::Id => &self.id,
        };
        &place[slice.start..slice.end]
    }

    /// Begins a chunk: what was left open by the ones before comes first.
    #[cold]
    #[inline(never)]
    fn enter(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        walk.entered = true;
        self.counters.bytes += walk.chunk.len() as u64;
        self.skip_mark(walk);
        if self.seek.after_cr
            && let Some(&byte) = walk.rest().first()
        {
            self.seek.after_cr = false;
            if byte == b'\n' {
                walk.at += 1;
                if !self.carry.is_empty() {
                    self.carry.push(b'\n');
                }
            }
        }
        if self.in_comment {
            self.comment(walk);
        }
        if self.carry.is_empty() || walk.rest().is_empty() {
            return Ok(None);
        }
        let start = walk.at;
        let end = self.seek.block_end(walk.chunk, start);
        let until = end.unwrap_or(walk.chunk.len());
        self.counters.scanned_bytes += (until - start) as u64;
        self.check_length(self.carry.len() + (until - start))?;
        self.carry_over(&walk.chunk[start..until]);
        walk.at = until;
        if end.is_none() {
            return Ok(None);
        }
        walk.at = self.seek.after_line_end(walk.chunk, until - 1);
        std::mem::swap(&mut self.joined, &mut self.carry);
        self.carry.clear();
        let joined = std::mem::take(&mut self.joined);
        let shape = if self.paths == Paths::All { self.fast(&mut Walk::new(&joined), Place::Joined) } else { None };
        let span = match shape {
            Some((span, _)) => Some(span),
            None => self.block(&joined, 0, Place::Joined),
        };
        self.joined = joined;
        Ok(span)
    }

    /// The event at `walk.at` and its length, if it has one of the usual shapes.
    #[inline]
    fn fast(&mut self, walk: &mut Walk<'_>, place: Place) -> Option<(Span, usize)> {
        let shape = fast::event(walk);
        self.counters.scanned_bytes += std::mem::take(&mut walk.scanned) as u64;
        let shape = shape?;
        let length = shape.end - walk.at;
        walk.at = shape.end;
        let span = Span {
            data: Slice { place, start: shape.data.start, end: shape.data.end },
            event_type: Slice { place, start: shape.event_type.start, end: shape.event_type.end },
        };
        Some((span, length))
    }

    /// The next event of any shape.
    fn general(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        while let Some(&first) = walk.rest().first() {
            match first {
                b'\n' | b'\r' => {
                    walk.at = self.seek.after_line_end(walk.chunk, walk.at);
                    continue;
                }
                b':' => {
                    self.comment(walk);
                    continue;
                }
                _ => {}
            }
            let start = walk.at;
            self.seek.line_is_empty = true;
            let end = self.seek.block_end(walk.chunk, start);
            let until = end.unwrap_or(walk.chunk.len());
            self.counters.scanned_bytes += (until - start) as u64;
            self.check_length(until - start)?;
            if end.is_none() {
                self.carry_over(&walk.chunk[start..]);
                walk.at = until;
                return Ok(None);
            }
            walk.at = self.seek.after_line_end(walk.chunk, until - 1);
            if let Some(span) = self.block(&walk.chunk[start..until], start, Place::Chunk) {
                return Ok(Some(span));
            }
            if self.paths == Paths::All
                && let Some((span, length)) = self.fast(walk, Place::Chunk)
            {
                self.check_length(length)?;
                return Ok(Some(span));
            }
        }
        Ok(None)
    }

    /// Skips the comment at `walk.at`. Only its end is remembered, so a comment of any length costs no memory.
    fn comment(&mut self, walk: &mut Walk<'_>) {
        let start = walk.at;
        match self.seek.line_end(walk.chunk, start) {
            Some((_, next)) => {
                walk.at = next;
                self.in_comment = false;
                self.counters.comments += 1;
            }
            None => {
                walk.at = walk.chunk.len();
                self.in_comment = true;
            }
        }
        self.counters.scanned_bytes += (walk.at - start) as u64;
    }

    /// Reads the lines of one event that `bytes` holds; they begin at `base` of `place`.
    fn block(&mut self, bytes: &[u8], base: usize, place: Place) -> Option<Span> {
        let scratch_before = self.scratch.len();
        let fields = block::fields(bytes, &mut self.scratch);
        self.counters.scanned_bytes += bytes.len() as u64;
        self.counters.comments += fields.comments;
        self.reconnection_time_ms = fields.reconnection_time_ms.or(self.reconnection_time_ms);
        if let Some(range) = fields.id {
            // Kept by value: the id outlives the chunk.
            self.id_now = self.push_text(&bytes[range]);
        }
        let data = match fields.data {
            Data::Absent => None,
            Data::Line(range) => Some(self.text(bytes, range, base, place)),
            Data::Joined(range) => Some(Slice { place: Place::Scratch, start: range.start, end: range.end }),
        };
        let span = data.map(|data| {
            let event_type = self.text(bytes, fields.event_type, base, place);
            Span { data, event_type }
        });
        self.counters.copied_bytes += (self.scratch.len() - scratch_before) as u64;
        span
    }

    /// `bytes[range]` where it stands if it is valid UTF-8, else a copy that is.
    fn text(&mut self, bytes: &[u8], range: Range<usize>, base: usize, place: Place) -> Slice {
        if utf8::is_valid(&bytes[range.clone()]) {
            Slice { place, start: base + range.start, end: base + range.end }
        } else {
            self.push_text(&bytes[range])
        }
    }

    fn push_text(&mut self, bytes: &[u8]) -> Slice {
        let start = self.scratch.len();
        utf8::push_replaced(&mut self.scratch, bytes);
        Slice { place: Place::Scratch, start, end: self.scratch.len() }
    }

    /// The one copy that an event across two chunks costs.
    fn carry_over(&mut self, bytes: &[u8]) {
        self.carry.extend_from_slice(bytes);
        self.counters.copied_bytes += bytes.len() as u64;
    }

    /// One byte-order mark at the very start is skipped, also when it is cut.
    fn skip_mark(&mut self, walk: &mut Walk<'_>) {
        while usize::from(self.mark) < BYTE_ORDER_MARK.len() {
            let Some(&byte) = walk.rest().first() else { return };
            if byte != BYTE_ORDER_MARK[usize::from(self.mark)] {
                // No mark after all: its first bytes belong to the first line.
                self.carry.extend_from_slice(&BYTE_ORDER_MARK[..usize::from(self.mark)]);
                self.seek.line_is_empty = self.mark == 0;
                self.mark = BYTE_ORDER_MARK.len() as u8;
                return;
            }
            self.mark += 1;
            walk.at += 1;
        }
    }

    fn check_length(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes <= self.limits.event_bytes_max {
            return Ok(());
        }
        let error = Error::EventTooLong { limit: self.limits.event_bytes_max };
        self.failed = Some(error);
        Err(error)
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
