//! The decoder: what it remembers between chunks, and the order in which the paths are tried.

use crate::limits::{Error, Limits};
use crate::span::{KEPT_BYTES, Place, Slice, Span, Walk};
use crate::sse::block::Seek;
use crate::sse::fast::{self, Open, Stop, Why};
use crate::sse::{Counters, Event};

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
    pub(super) limits: Limits,
    pub(super) paths: Paths,
    /// Whether lines that are JSON and no fields count as an event.
    pub(super) takes_bare_json: bool,
    /// Bytes of the byte-order mark that were seen; 3 once that question is settled.
    pub(super) mark: u8,
    /// Within a comment that began in an earlier chunk; its text is not kept.
    pub(super) in_comment: bool,
    pub(super) seek: Seek,
    /// The beginning of an event whose end has not come yet.
    pub(super) carry: Vec<u8>,
    /// What is known of it, if only the end of its data is missing.
    pub(super) open: Option<Open>,
    /// The last event that straddled two chunks.
    pub(super) joined: Vec<u8>,
    pub(super) scratch: Vec<u8>,
    pub(super) id: Vec<u8>,
    /// Whether something was put into `joined` or `scratch` for this batch.
    pub(super) has_copies: bool,
    /// Batches since a buffer has grown beyond what is kept.
    pub(super) batches_large: u8,
    /// The id in force; in `scratch` when it was set in the current batch.
    pub(super) id_now: Slice,
    pub(super) reconnection_time_ms: Option<u64>,
    pub(super) counters: Counters,
    pub(super) failed: Option<Error>,
}

/// Which paths a decoder may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
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
            takes_bare_json: false,
            mark: 0,
            in_comment: false,
            seek: Seek::START,
            carry: Vec::new(),
            open: None,
            joined: Vec::new(),
            scratch: Vec::new(),
            id: Vec::new(),
            has_copies: false,
            batches_large: 0,
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

    /// With one freedom that the standard does not have, for the layer above: where an event's lines are not fields but one
    /// JSON object or array, that is its data. Servers fall back to this when they fail amid a stream.
    pub(crate) const fn with_bare_json(mut self) -> Self {
        self.takes_bare_json = true;
        self
    }

    /// Reads the next chunk and hands each event that is complete to `sink`.
    ///
    /// # Errors
    /// When an event is longer than the limit. The events before it were handed out; every later call fails as well.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(Event<'_>)) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        self.begin_batch();
        let mut found = self.enter(&mut walk)?;
        loop {
            if let Some(span) = found {
                sink(self.resolve(chunk, &span));
                self.begin_batch();
            }
            if self.paths == Paths::All {
                // Nothing but the general path changes these.
                let (last_event_id, reconnection_time_ms) = (self.last_event_id(), self.reconnection_time_ms);
                let stop = fast::events(chunk, walk.at, self.limits.event_bytes_max, |shape| {
                    let (event_type, data) = (shape.event_type.text, shape.data.text);
                    sink(Event { event_type, data, last_event_id, reconnection_time_ms });
                    true
                });
                if self.go_on(&mut walk, stop)? {
                    return Ok(());
                }
            }
            if walk.at == chunk.len() {
                return Ok(());
            }
            found = self.general(&mut walk)?;
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
        self.open = None;
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
        if self.id_now.start == self.id_now.end { &[] } else { self.slice(&[], self.id_now) }
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
    #[inline]
    pub(crate) fn begin_batch(&mut self) {
        if self.has_copies {
            self.has_copies = false;
            self.forget_copies();
        }
    }

    #[inline(never)]
    fn forget_copies(&mut self) {
        if self.id_now.place == Place::Scratch {
            self.id.clear();
            self.id.extend_from_slice(&self.scratch[self.id_now.start..self.id_now.end]);
            self.id_now = Slice { place: Place::Id, start: 0, end: self.id.len() };
        }
        self.scratch.clear();
        if self.carry.capacity() < self.joined.capacity() && self.carry.is_empty() {
            // The next event across chunks goes where there is room already.
            std::mem::swap(&mut self.joined, &mut self.carry);
            self.carry.clear();
        }
        self.joined.clear();
        self.shrink();
    }

    /// Gives memory back that was needed for a huge event, unless others follow soon: to ask the system for it again costs
    /// more than to read the event.
    fn shrink(&mut self) {
        let buffers = [&mut self.scratch, &mut self.joined, &mut self.carry];
        if buffers.iter().all(|buffer| buffer.capacity() <= KEPT_BYTES) {
            self.batches_large = 0;
            return;
        }
        // Comes here again with the next batch.
        self.has_copies = true;
        self.batches_large += 1;
        if self.batches_large >= BATCHES_LARGE_MAX {
            self.batches_large = 0;
            for buffer in buffers {
                if buffer.is_empty() {
                    *buffer = Vec::new();
                }
            }
        }
    }

    /// The last event that straddled two chunks.
    pub(crate) fn joined(&self) -> &[u8] {
        &self.joined
    }

    /// The next event of the chunk, or none when all of it is read. The span is good until the next `begin_batch`.
    #[inline]
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        let mut found = None;
        self.each(walk, |span| {
            found = Some(span);
            false
        })?;
        Ok(found)
    }

    /// Gives the events of the chunk to `take`, until that wants no more or all of the chunk is read, of which it returns
    /// whether it is so. The spans are good until the next `begin_batch`.
    #[inline]
    pub(crate) fn each(&mut self, walk: &mut Walk<'_>, mut take: impl FnMut(Span) -> bool) -> Result<bool, Error> {
        let mut found = if walk.entered { None } else { self.enter(walk)? };
        loop {
            if let Some(span) = found
                && !take(span)
            {
                return Ok(false);
            }
            if self.paths == Paths::All {
                let stop = fast::events(walk.chunk, walk.at, self.limits.event_bytes_max, |shape| {
                    take(shape.span(Place::Chunk))
                });
                if self.go_on(walk, stop)? {
                    return Ok(true);
                }
                if stop.why == Why::Enough {
                    return Ok(false);
                }
            }
            if walk.at == walk.chunk.len() {
                return Ok(true);
            }
            found = self.general(walk)?;
        }
    }

    /// Takes note of where the fast path has stopped. Whether that was the end of the chunk.
    #[inline]
    fn go_on(&mut self, walk: &mut Walk<'_>, stop: Stop) -> Result<bool, Error> {
        self.counters.scanned_bytes += (stop.seen - walk.at) as u64;
        walk.at = stop.at;
        let Why::Ends { line_is_empty, open } = stop.why else { return Ok(false) };
        let rest = walk.rest();
        match rest.first() {
            None => {}
            // A comment may be of any length.
            Some(b':') => return Ok(false),
            Some(_) => {
                self.check_length(rest.len())?;
                self.carry_over(rest);
                self.seek.line_is_empty = line_is_empty;
                self.open = open;
                walk.at = walk.chunk.len();
            }
        }
        Ok(true)
    }

    /// The span with its slices; `chunk` is the one that was walked. The id is the one in force now, so it is that of the
    /// event only until the next one is looked for.
    #[inline]
    pub(crate) fn resolve<'a>(&'a self, chunk: &'a [u8], span: &Span) -> Event<'a> {
        Event {
            event_type: self.slice(chunk, span.event_type),
            data: self.slice(chunk, span.data),
            last_event_id: self.last_event_id(),
            reconnection_time_ms: self.reconnection_time_ms,
        }
    }

    #[inline]
    fn slice<'a>(&'a self, chunk: &'a [u8], slice: Slice) -> &'a [u8] {
        let place = if slice.place == Place::Chunk { chunk } else { self.copies(slice.place) };
        &place[slice.start..slice.end]
    }

    /// What is not in the chunk.
    fn copies(&self, place: Place) -> &[u8] {
        match place {
            Place::Chunk => &[],
            Place::Joined => &self.joined,
            Place::Scratch => &self.scratch,
            Place::Id => &self.id,
        }
    }

    pub(super) fn check_length(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes <= self.limits.event_bytes_max {
            return Ok(());
        }
        let error = Error::EventTooLong { limit: self.limits.event_bytes_max };
        self.failed = Some(error);
        Err(error)
    }
}

/// Batches after which the memory of a huge event is given back.
const BATCHES_LARGE_MAX: u8 = 64;
