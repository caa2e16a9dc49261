//! The writing end.

use crate::entry::Entry;
use crate::failure::AppendError;
use crate::options::Options;
use crate::slots::Shared;
use crate::slots::page::PAGE_BYTES_MAX;
use crate::slots::record::{INLINE_BYTES, RECORD_BYTES, Record};
use crate::slots::segment::Segment;
use crate::sync::Arc;

/// The one writer's place: behind the last entry. Not `Clone`, and every method takes `&mut self`.
#[derive(Debug)]
pub(crate) struct Tail {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    options: Options,
    /// Entries appended.
    len: u64,
    /// Entries published.
    published: u64,
    closed: bool,
    /// INVARIANT: records of `segment` take the bytes before `front`.
    front: usize,
    /// INVARIANT: texts of `segment` take the bytes from `back` on; `front <= back <= segment.page.bytes()`.
    back: usize,
    /// Bytes of the next segment.
    next_bytes: usize,
    /// Bytes of all segments made.
    bytes: usize,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, segment: Arc<Segment>, options: Options) -> Self {
        let next_bytes = options.segment_bytes_first;
        Self { shared, segment, options, len: 0, published: 0, closed: false, front: 0, back: 0, next_bytes, bytes: 0 }
    }

    /// Appends an entry that nobody sees yet, and gives its number.
    #[inline]
    pub(crate) fn append(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        // Two slices together are shorter than all memory.
        if entry.text.len() + entry.aux.len() > INLINE_BYTES || self.back - self.front < RECORD_BYTES {
            return self.append_slowly(entry);
        }
        Ok(self.write(Record::inline(entry)))
    }

    /// As [`Tail::append`], where more is to be done than to write a record.
    #[cold]
    fn append_slowly(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        if self.closed {
            return Err(AppendError::Closed);
        }
        let text_bytes = entry.text.len() + entry.aux.len();
        let in_page = if text_bytes > INLINE_BYTES { text_bytes } else { 0 };
        let needed = RECORD_BYTES.saturating_add(in_page);
        if self.back - self.front < needed {
            self.grow(needed)?;
        }
        if in_page == 0 {
            return Ok(self.write(Record::inline(entry)));
        }
        self.back -= in_page;
        // SAFETY: between the records and the texts there is room for a record and for these bytes.
        unsafe { self.segment.page.write_bytes(self.back, entry.text) };
        // SAFETY: as above; `back` went down by the length of both.
        unsafe { self.segment.page.write_bytes(self.back + entry.text.len(), entry.aux) };
        Ok(self.write(Record::in_page(entry, self.back)))
    }

    /// Writes a record behind the others. There must be room for it.
    #[inline]
    fn write(&mut self, record: Record) -> u64 {
        // SAFETY: not published, since `published` reaches `len` at most; both callers have looked for the room.
        unsafe { self.segment.page.write_record(self.front, record) };
        self.front += RECORD_BYTES;
        self.len += 1;
        self.len - 1
    }

    /// Links a new segment with room for `needed` bytes.
    fn grow(&mut self, needed: usize) -> Result<(), AppendError> {
        if needed > PAGE_BYTES_MAX {
            return Err(AppendError::TooLong { bytes: needed, bytes_max: PAGE_BYTES_MAX });
        }
        // A page is whole words, so what is left of the limit is rounded down and what is needed up.
        let left = self.options.bytes_max.saturating_sub(self.bytes) & !7;
        let needed = needed.next_multiple_of(8);
        if needed > left {
            return Err(AppendError::Full { needed, bytes: self.bytes, bytes_max: self.options.bytes_max });
        }
        let bytes = self.next_bytes.max(needed).min(left).min(PAGE_BYTES_MAX);
        let segment = Arc::new(Segment::new(self.len, bytes));
        self.front = 0;
        self.back = segment.page.bytes();
        self.bytes += self.back;
        self.next_bytes = self.next_bytes.saturating_mul(2).min(self.options.segment_bytes_max);
        // SAFETY: we are the writer, and leave this segment for the new one in the next line.
        unsafe { self.segment.next.set(Arc::clone(&segment)) };
        self.segment = segment;
        Ok(())
    }

    /// Makes all that was appended readable, and wakes who sleeps. Does nothing when there is nothing new.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.published != self.len {
            self.announce();
        }
    }

    /// Publishes, and says that no more will come.
    pub(crate) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            // No room, so that `append` need not ask whether the log is closed.
            self.back = self.front;
            self.announce();
        }
    }

    #[inline]
    fn announce(&mut self) {
        self.published = self.len;
        let before = self.shared.published.publish(self.len, self.closed);
        if before.has_parked() {
            self.shared.parked.wake_all();
        }
    }

    /// Lifts the limit on bytes for what comes now.
    pub(crate) const fn lift_limit(&mut self) {
        self.options.bytes_max = usize::MAX;
    }

    /// Entries appended.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Entries appended and not yet published.
    pub(crate) const fn pending(&self) -> u64 {
        self.len - self.published
    }

    /// Bytes of all segments made.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }
}
