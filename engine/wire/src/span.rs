//! Where the parts of an event lie, as plain numbers, and one walk over one chunk.
//!
//! An event's slices come from three places: the caller's chunk, the copy of the one event that straddled two chunks,
//! and the scratch for text that had to be put together. Offsets are noted first and turned into slices once nothing
//! grows any more, so no slice can dangle and a batch of events can be handed on in one go.

use memchr::memchr;

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
/// It knows how far the chunk is plain: valid UTF-8 without a CR. Both are looked for in windows of many events, so
/// that they cost a pass over memory and not a call per event.
#[derive(Debug)]
pub(crate) struct Walk<'c> {
    pub(crate) chunk: &'c [u8],
    /// The first byte that is not read yet; always at the start of a line once `entered`.
    pub(crate) at: usize,
    /// Whether what earlier chunks left over was taken care of.
    pub(crate) entered: bool,
    plain: usize,
    cr_free: usize,
    /// Bytes looked at so far, each search counted.
    pub(crate) scanned: usize,
}

impl<'c> Walk<'c> {
    pub(crate) const fn new(chunk: &'c [u8]) -> Self {
        Self { chunk, at: 0, entered: false, plain: 0, cr_free: 0, scanned: 0 }
    }

    pub(crate) fn rest(&self) -> &'c [u8] {
        &self.chunk[self.at..]
    }

    /// The first LF at or after `from`, if everything up to it is plain.
    #[inline]
    pub(crate) fn plain_line_end(&mut self, mut from: usize) -> Option<usize> {
        if self.plain < self.at {
            // The general path went over something that is not plain; begin anew behind it.
            self.plain = self.at;
            self.cr_free = self.cr_free.max(self.at);
        }
        loop {
            if from < self.plain {
                let found = memchr(b'\n', &self.chunk[from..self.plain]);
                let end = found.map_or(self.plain, |n| from + n);
                self.scanned += end - from;
                if found.is_some() {
                    return Some(end);
                }
                from = self.plain;
            }
            if !self.widen() {
                return None;
            }
        }
    }

    /// Looks at the next window; false when the chunk ends or stops being plain right here.
    #[cold]
    #[inline(never)]
    fn widen(&mut self) -> bool {
        let before = self.plain;
        let end = self.chunk.len().min(self.plain + WINDOW_BYTES);
        if self.cr_free < end {
            let found = memchr(b'\r', &self.chunk[self.cr_free..end]);
            let free = found.map_or(end, |n| self.cr_free + n);
            self.scanned += free - self.cr_free;
            self.cr_free = free;
        }
        self.plain += valid_up_to(&self.chunk[self.plain..self.cr_free]);
        self.scanned += self.plain - before;
        self.plain > before
    }
}

/// Longest buffer that is kept from one batch to the next.
pub(crate) const KEPT_BYTES: usize = 1 << 20;

/// Fits the first-level cache together with what the events are copied to.
const WINDOW_BYTES: usize = 16 << 10;

fn valid_up_to(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    }
}

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
        let mut chunk = "ä".repeat(8 * WINDOW_BYTES).into_bytes();
        chunk.push(b'\n');
        let mut walk = Walk::new(&chunk);
        assert_eq!(walk.plain_line_end(0), Some(chunk.len() - 1));
        assert!(walk.scanned <= 3 * chunk.len(), "{} bytes scanned for {}", walk.scanned, chunk.len());
    }
}
