//! Where one chunk ends and the next begins: what is carried over, and what a line end or a mark across both means.

use crate::limits::Error;
use crate::span::{Place, Slice, Span, Walk};
use crate::sse::block::Seek;
use crate::sse::decoder::{Decoder, Paths};
use crate::sse::fast::{self, Open};
use crate::utf8;

impl Decoder {
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

    /// Skips an LF at `at` of the chunk that belongs to the event before. Returns where to go on.
    #[inline]
    pub(crate) fn skip_line_feed(&mut self, chunk: &[u8], at: usize) -> usize {
        if !self.seek.after_cr || !self.carry.is_empty() || self.in_comment {
            return at;
        }
        let Some(&byte) = chunk.get(at) else { return at };
        self.seek.after_cr = false;
        at + usize::from(byte == b'\n')
    }

    /// Begins a chunk: what was left open by the ones before comes first.
    #[inline]
    pub(super) fn enter(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        if !self.is_between_events() {
            return self.enter_open(walk);
        }
        walk.entered = true;
        self.counters.bytes += walk.chunk.len() as u64;
        Ok(None)
    }

    #[inline(never)]
    fn enter_open(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
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
        if let Some(open) = self.open.take()
            && let Some(span) = self.go_on_with_data(open, walk)?
        {
            return Ok(span);
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
        self.has_copies = true;
        let joined = std::mem::take(&mut self.joined);
        let mut span = None;
        if self.paths == Paths::All {
            let stop = fast::events(&joined, 0, self.limits.event_bytes_max, |shape| {
                span = Some(shape.span(Place::Joined));
                false
            });
            self.counters.scanned_bytes += stop.seen as u64;
        }
        if span.is_none() {
            span = self.block(&joined, 0, Place::Joined);
        }
        self.joined = joined;
        Ok(span)
    }

    /// Goes on with an event of which only the end of its data is missing, as long as the line is plain: nothing of it is
    /// looked at again. `None` when it is not.
    fn go_on_with_data(&mut self, mut open: Open, walk: &mut Walk<'_>) -> Result<Option<Option<Span>>, Error> {
        let rest = walk.rest();
        let (at, has_high) = fast::first_control(rest);
        self.counters.scanned_bytes += at as u64;
        open.has_high |= has_high;
        let taken = match rest.get(at..) {
            Some([b'\n', b'\n', ..]) => at + 2,
            Some([]) => at,
            _ => return Ok(None),
        };
        self.check_length(self.carry.len() + taken)?;
        let data_end = self.carry.len() + at;
        self.carry_over(&rest[..taken]);
        walk.at += taken;
        if taken == at {
            self.open = Some(open);
            return Ok(Some(None));
        }
        std::mem::swap(&mut self.joined, &mut self.carry);
        self.carry.clear();
        self.has_copies = true;
        if open.has_high && !utf8::is_valid(&self.joined) {
            let joined = std::mem::take(&mut self.joined);
            let span = self.block(&joined, 0, Place::Joined);
            self.joined = joined;
            return Ok(Some(span));
        }
        let slice = |start, end| Slice { place: Place::Joined, start, end };
        let event_type = slice(open.event_type.0 as usize, open.event_type.1 as usize);
        Ok(Some(Some(Span { data: slice(open.data as usize, data_end), event_type })))
    }

    /// The event whose blank line is missing at the end of the stream.
    pub(crate) fn pending(&mut self) -> Option<Span> {
        if self.failed.is_some() {
            return None;
        }
        self.begin_batch();
        self.open = None;
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

    /// The one copy that an event across two chunks costs.
    pub(super) fn carry_over(&mut self, bytes: &[u8]) {
        self.carry.extend_from_slice(bytes);
        self.counters.copied_bytes += bytes.len() as u64;
    }

    /// One byte-order mark at the very start is skipped, also when it is cut.
    pub(super) fn skip_mark(&mut self, walk: &mut Walk<'_>) {
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
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
