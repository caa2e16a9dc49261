//! Where the parts of an event lie, as plain numbers, and one walk over one chunk.
//!
//! An event's slices come from three places: the caller's chunk, the copy of the one event that straddled two chunks,
//! and the scratch for text that had to be put together. Offsets are noted first and turned into slices once nothing
//! grows any more, so no slice can dangle and a batch of events can be handed on in one go.

use memchr::memchr;

use crate::simd::Level;
use crate::simd::line_ends::{ENDS_MAX, line_ends};
use crate::utf8;

/// What a slice is cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The chunk of the current call.
    Chunk,
    /// The event that began in an earlier chunk.
    Joined,
    /// Text that exists on the wire in no such form: joined lines, replaced bytes, ids of this batch.
    Scratch,
    /// The last event id as it was when the batch began.
    Id,
}

/// A range of one of the places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) place: Place,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Slice {
    pub(crate) const EMPTY: Self = Self { place: Place::Scratch, start: 0, end: 0 };
}

/// One framed event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) data: Slice,
    pub(crate) event_type: Slice,
}

/// One walk from the first to the last byte of a chunk.
///
/// It knows how far the chunk is plain: valid UTF-8 without a CR; and where the lines end as far as that. Both are looked
/// for in windows of many events, so that they cost a pass over memory and not a call per event.
#[derive(Debug)]
pub(crate) struct Walk<'c> {
    pub(crate) chunk: &'c [u8],
    /// The first byte that is not read yet; always at the start of a line once `entered`.
    pub(crate) at: usize,
    /// Whether what earlier chunks left over was taken care of.
    pub(crate) entered: bool,
    /// Where the chunk stops being plain, as far as was looked; not before `window`.
    plain: usize,
    /// Where the window begins whose line ends are noted.
    window: usize,
    /// Line ends of the window, counted from its begin.
    ends: [u16; ENDS_MAX],
    /// Those noted, and the first one that is not asked for yet.
    noted: usize,
    next: usize,
    /// Bytes of the next window: small at first, as whoever walks the chunk may go on by himself.
    length: usize,
    /// Times in a row that what was asked for was not plain, and for how many events nobody should ask again.
    failures: u8,
    pause: u8,
    /// Bytes looked at so far, each search counted.
    pub(crate) scanned: usize,
}

impl<'c> Walk<'c> {
    #[inline]
    pub(crate) const fn new(chunk: &'c [u8]) -> Self {
        let ends = [0; ENDS_MAX];
        Self {
            chunk,
            at: 0,
            entered: false,
            plain: 0,
            window: 0,
            ends,
            noted: 0,
            next: 0,
            length: WINDOW_BYTES,
            failures: 0,
            pause: 0,
            scanned: 0,
        }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'c [u8] {
        &self.chunk[self.at..]
    }

    /// Whether it pays to ask for plain lines: a stream with a CR in each event has none.
    #[inline]
    pub(crate) const fn is_worth_asking(&mut self) -> bool {
        let is_worth = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        is_worth
    }

    /// The first LF at or after `from`, if everything from `at` to it is plain. What lies before is not asked for again.
    #[inline]
    pub(crate) fn plain_line_end(&mut self, from: usize) -> Option<usize> {
        loop {
            while self.next < self.noted {
                let end = self.window + usize::from(*self.ends.get(self.next)?);
                self.next += 1;
                if end >= from {
                    return Some(end);
                }
            }
            if !self.widen(from) {
                return None;
            }
        }
    }

    /// The line behind the one that was asked for last is empty, and read: the event was plain.
    #[inline]
    pub(crate) const fn pass_empty_line(&mut self) {
        self.failures = 0;
        if self.next < self.noted {
            self.next += 1;
        }
    }

    /// Looks at the next window; false when the chunk ends or stops being plain right here.
    #[inline(never)]
    fn widen(&mut self, from: usize) -> bool {
        // Others went on from the last window, over what may not be plain; nobody asks for what is before.
        let start = if self.plain < self.at { self.at } else { self.plain };
        self.length = match self.failures {
            0 if self.plain < self.at => WINDOW_BYTES,
            0 => self.length.saturating_mul(2),
            _ => 1,
        };
        debug_assert!(from >= self.at, "lines are asked for in order");
        (self.window, self.noted, self.next) = (start, 0, 0);
        if start >= self.chunk.len() {
            return false;
        }
        let seen = line_ends(Level::detect(), self.chunk, start, self.length, &mut self.ends);
        self.scanned += seen.bytes;
        self.noted = seen.count;
        let window = &self.chunk[start..start + seen.bytes];
        self.plain = start + if seen.has_return || seen.has_high { self.plain_bytes(window) } else { seen.bytes };
        if self.plain > start {
            return true;
        }
        self.failures = (self.failures + 1).min(FAILURES_MAX);
        self.pause = 1 << self.failures;
        false
    }

    /// How much of a window that has other bytes than ASCII is plain. Line ends behind are forgotten.
    #[cold]
    fn plain_bytes(&mut self, window: &[u8]) -> usize {
        let free = memchr(b'\r', window).unwrap_or(window.len());
        let plain = utf8::valid_up_to(&window[..free]);
        self.scanned += free + plain;
        while self.noted > 0 && usize::from(self.ends[self.noted - 1]) >= plain {
            self.noted -= 1;
        }
        plain
    }
}

/// Bytes of the first window: room for an event of most dialects.
const WINDOW_BYTES: usize = 512;

/// After so many failures in a row it is tried again every 32 events.
const FAILURES_MAX: u8 = 5;

/// Longest buffer that is kept from one batch to the next.
pub(crate) const KEPT_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_behind_a_carriage_return_is_not_plain() {
        assert_eq!(Walk::new(b"ab\rc\nd").plain_line_end(0), None);
        assert_eq!(Walk::new(b"abc\nd\r").plain_line_end(0), Some(3));
    }

    #[test]
    fn a_line_end_behind_invalid_utf8_is_not_plain() {
        assert_eq!(Walk::new(b"ab\xffc\nd").plain_line_end(0), None);
        assert_eq!(Walk::new(b"abc\n\xff").plain_line_end(0), Some(3));
    }

    #[test]
    fn a_line_longer_than_many_windows_is_scanned_once_for_each_purpose() {
        let mut chunk = "ä".repeat(128 << 10).into_bytes();
        chunk.push(b'\n');
        let mut walk = Walk::new(&chunk);
        assert_eq!(walk.plain_line_end(0), Some(chunk.len() - 1));
        assert!(walk.scanned <= 4 * chunk.len(), "{} bytes scanned for {}", walk.scanned, chunk.len());
    }
}
