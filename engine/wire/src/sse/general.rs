//! Events of any shape: the way that is never wrong.

use std::ops::Range;

use crate::json;
use crate::limits::Error;
use crate::span::{Place, Slice, Span, Walk};
use crate::sse::block::{self, Data};
use crate::sse::decoder::Decoder;
use crate::utf8;

impl Decoder {
    /// Reads what is next, of any shape: a blank line, a comment or an event.
    #[inline(never)]
    pub(super) fn general(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        match walk.rest().first() {
            None => return Ok(None),
            Some(b'\n' | b'\r') => {
                walk.at = self.seek.after_line_end(walk.chunk, walk.at);
                return Ok(None);
            }
            Some(b':') => {
                self.comment(walk);
                return Ok(None);
            }
            Some(_) => {}
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
        Ok(self.block(&walk.chunk[start..until], start, Place::Chunk))
    }

    /// Skips the comment at `walk.at`. Only its end is remembered, so a comment of any length costs no memory.
    pub(super) fn comment(&mut self, walk: &mut Walk<'_>) {
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
    pub(super) fn block(&mut self, bytes: &[u8], base: usize, place: Place) -> Option<Span> {
        self.has_copies = true;
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
            Data::Absent if self.takes_bare_json => self.bare_json(bytes, base, place),
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

    /// All of `bytes`, if it is one JSON object or array.
    #[cold]
    fn bare_json(&mut self, bytes: &[u8], base: usize, place: Place) -> Option<Slice> {
        let text = bytes.trim_ascii_end();
        if !matches!(text.first(), Some(b'{' | b'[')) {
            return None;
        }
        let data = self.text(bytes, 0..text.len(), base, place);
        let text = if data.place == place { text } else { &self.scratch[data.start..data.end] };
        json::check(text, self.limits.nesting_max).is_ok().then_some(data)
    }

    /// `bytes[range]` where it stands if it is valid UTF-8, else a copy that is.
    pub(super) fn text(&mut self, bytes: &[u8], range: Range<usize>, base: usize, place: Place) -> Slice {
        if utf8::is_valid(&bytes[range.clone()]) {
            Slice { place, start: base + range.start, end: base + range.end }
        } else {
            self.push_text(&bytes[range])
        }
    }

    pub(super) fn push_text(&mut self, bytes: &[u8]) -> Slice {
        let start = self.scratch.len();
        utf8::push_replaced(&mut self.scratch, bytes);
        Slice { place: Place::Scratch, start, end: self.scratch.len() }
    }
}
