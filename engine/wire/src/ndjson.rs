//! One JSON value a line: blank lines are skipped, a CR before the LF and blanks around the value are dropped.

use memchr::memchr;

use crate::limits::{Error, Limits};
use crate::span::{Place, Slice, Span, Walk};
use crate::utf8;

/// A decoder of line-delimited JSON, fed with chunks cut anywhere. The lines are not looked into.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// The last line that straddled two chunks.
    joined: Vec<u8>,
    scratch: Vec<u8>,
    counters: Counters,
    failed: Option<Error>,
}

/// What a decoder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Bytes that were copied: lines across two chunks, replaced bytes.
    pub copied_bytes: u64,
    /// Bytes looked at to find line ends.
    pub scanned_bytes: u64,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            carry: Vec::new(),
            joined: Vec::new(),
            scratch: Vec::new(),
            counters: Counters { bytes: 0, copied_bytes: 0, scanned_bytes: 0 },
            failed: None,
        }
    }

    /// Reads the next chunk and hands each line that is complete to `sink`, as valid UTF-8.
    ///
    /// # Errors
    /// When a line is longer than the limit. The lines before it were handed out; every later call fails as well.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        loop {
            self.begin_batch();
            let Some(span) = self.next(&mut walk)? else { return Ok(()) };
            sink(self.slice(chunk, span.data));
        }
    }

    /// The stream has ended; returns the line that had no end.
    pub fn finish(&mut self) -> Option<&[u8]> {
        let span = self.pending()?;
        Some(self.slice(&[], span.data))
    }

    /// Back to the start of a new stream; buffers are kept.
    pub fn reset(&mut self) {
        self.carry.clear();
        self.counters = Counters::default();
        self.failed = None;
    }

    /// Bytes of a line that has begun and not ended.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
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
            if buffer.capacity() > crate::span::KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }

    /// Whether the next byte is the first of a line, whatever was read before.
    #[inline]
    pub(crate) const fn is_between_lines(&self) -> bool {
        self.carry.is_empty() && self.failed.is_none()
    }

    /// The last line that straddled two chunks.
    pub(crate) fn joined(&self) -> &[u8] {
        &self.joined
    }

    /// The next line of the chunk, or none when all of it is read. The span is good until the next `begin_batch`.
    pub(crate) fn next(&mut self, walk: &mut Walk<'_>) -> Result<Option<Span>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !walk.entered {
            walk.entered = true;
            self.counters.bytes += walk.chunk.len() as u64;
        }
        while walk.at < walk.chunk.len() {
            let start = walk.at;
            let rest = walk.rest();
            let end = memchr(b'\n', rest);
            let length = end.unwrap_or(rest.len());
            self.counters.scanned_bytes += length as u64;
            self.check_length(self.carry.len() + length)?;
            walk.at += end.map_or(length, |n| n + 1);
            let straddles = !self.carry.is_empty();
            if end.is_none() || straddles {
                self.carry.extend_from_slice(&rest[..length]);
                self.counters.copied_bytes += length as u64;
            }
            if end.is_none() {
                break;
            }
            let span = if straddles { self.take_carry() } else { self.line(&rest[..length], start, Place::Chunk) };
            if span.is_some() {
                return Ok(span);
            }
        }
        Ok(None)
    }

    /// The line that had no end when the stream ended.
    pub(crate) fn pending(&mut self) -> Option<Span> {
        if self.failed.is_some() {
            return None;
        }
        self.begin_batch();
        self.take_carry()
    }

    #[inline]
    pub(crate) fn slice<'a>(&'a self, chunk: &'a [u8], slice: Slice) -> &'a [u8] {
        let place = match slice.place {
            Place::Chunk => chunk,
            Place::Joined => &self.joined,
            Place::Scratch | Place::Id => &self.scratch,
        };
        &place[slice.start..slice.end]
    }

    fn take_carry(&mut self) -> Option<Span> {
        std::mem::swap(&mut self.joined, &mut self.carry);
        self.carry.clear();
        let joined = std::mem::take(&mut self.joined);
        let span = self.line(&joined, 0, Place::Joined);
        self.joined = joined;
        span
    }

    /// The value of one line, if there is one; the line begins at `base` of `place`.
    fn line(&mut self, line: &[u8], base: usize, place: Place) -> Option<Span> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let first = line.iter().position(|byte| !is_blank(byte))?;
        let last = line.iter().rposition(|byte| !is_blank(byte))?;
        let value = &line[first..=last];
        let data = if utf8::is_valid(value) {
            Slice { place, start: base + first, end: base + last + 1 }
        } else {
            let start = self.scratch.len();
            utf8::push_replaced(&mut self.scratch, value);
            self.counters.copied_bytes += (self.scratch.len() - start) as u64;
            Slice { place: Place::Scratch, start, end: self.scratch.len() }
        };
        Some(Span { data, event_type: Slice::EMPTY })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], cut: usize) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut decoder = Decoder::new(Limits::default());
        let mut lines = Vec::new();
        for chunk in [&input[..cut], &input[cut..]] {
            decoder.feed(chunk, |line| lines.push(line.to_vec())).expect("within limits");
        }
        let pending = decoder.finish().map(<[u8]>::to_vec);
        (lines, pending)
    }

    #[test]
    fn lines_are_the_same_wherever_the_cut_is() {
        let input = "\r\n{\"a\":1}\n \t{\"ä\":2}\r\n\n{}  \n[\u{20ac}".as_bytes();
        for cut in 0..=input.len() {
            let (lines, pending) = lines(input, cut);
            assert_eq!(lines, ["{\"a\":1}", "{\"ä\":2}", "{}"].map(|line| line.as_bytes().to_vec()), "cut at {cut}");
            assert_eq!(pending.as_deref(), Some("[\u{20ac}".as_bytes()), "cut at {cut}");
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_wherever_the_cut_is() {
        let input = b"{\"a\":\"\xff\xe2\x82\"}\n";
        for cut in 0..=input.len() {
            assert_eq!(lines(input, cut).0, ["{\"a\":\"\u{fffd}\u{fffd}\"}".as_bytes()], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_past_the_limit_is_an_error_however_it_is_cut() {
        for (length, is_error) in [(10, false), (11, true)] {
            let mut input = vec![b'1'; length];
            input.push(b'\n');
            for size in 1..=input.len() {
                let mut decoder = Decoder::new(Limits::default().with_event_bytes_max(10));
                let result = input.chunks(size).try_for_each(|chunk| decoder.feed(chunk, |_| ()));
                assert_eq!(result.is_err(), is_error, "{length} bytes in pieces of {size}");
                assert_eq!(decoder.feed(b"\n", |_| ()).is_err(), is_error, "an error stays");
            }
        }
    }
}
