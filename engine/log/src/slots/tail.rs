//! The writing end.

use crate::entry::Entry;
use crate::failure::AppendError;
use crate::options::{Options, WhenFull};
use crate::pool::Pool;
use crate::slots::Shared;
use crate::slots::held::Held;
use crate::slots::page::PAGE_BYTES_MAX;
use crate::slots::record::{INLINE_BYTES, RECORD_BYTES, Record};
use crate::slots::segment::{Next, Segment};
use crate::slots::shelf::Published;
use crate::sync::{Arc, lock};
use core::task::Waker;

/// The one writer's place: behind the last entry. Not `Clone`, and every method takes `&mut self`.
#[derive(Debug)]
pub(crate) struct Tail {
    shared: Arc<Shared>,
    segment: Held,
    options: Options,
    pool: Option<Pool>,
    /// Entries appended.
    len: u64,
    /// Entries published.
    published: u64,
    closed: bool,
    /// No limit holds any more.
    is_last: bool,
    /// INVARIANT: records of `segment` take the bytes before `front`.
    front: usize,
    /// INVARIANT: texts of `segment` take the bytes from `back` on; `front <= back <= segment.page.bytes()`.
    back: usize,
    /// Bytes of the next segment.
    next_bytes: usize,
    /// Bytes of all segments made; in a window, of those that are kept.
    bytes: usize,
}

impl Tail {
    pub(super) fn new(shared: Arc<Shared>, segment: Held, options: Options, pool: Option<Pool>) -> Self {
        Self {
            shared,
            segment,
            options,
            pool,
            len: 0,
            published: 0,
            closed: false,
            is_last: false,
            front: 0,
            back: 0,
            next_bytes: options.segment_bytes_first,
            bytes: 0,
        }
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
        let bytes = self.bytes_of_next(needed)?;
        let mut segment = match &self.pool {
            Some(pool) => pool.take(self.len, bytes, self.is_last)?,
            None => Arc::new(Segment::new(self.len, bytes)),
        };
        // Nobody else has it yet.
        if let Some(segment) = Arc::get_mut(&mut segment) {
            segment.bytes_before = self.segment.bytes_before + self.segment.bytes() as u64;
        }
        let segment = Held::new(segment);
        self.front = 0;
        self.back = segment.bytes();
        self.bytes += self.back;
        self.next_bytes = self.next_bytes.saturating_mul(2).min(self.options.segment_bytes_max);
        let first = self.len;
        let next = match self.options.when_full {
            WhenFull::Refuse => Next { first, segment: Some(segment.clone()) },
            WhenFull::DropOldest => {
                self.move_window(&segment);
                Next { first, segment: None }
            }
        };
        // SAFETY: we are the writer, and leave this segment for the new one in the next line.
        unsafe { self.segment.next.set(next) };
        self.segment = segment;
        Ok(())
    }

    /// Bytes of a new segment with room for `needed`.
    fn bytes_of_next(&self, needed: usize) -> Result<usize, AppendError> {
        if needed > PAGE_BYTES_MAX {
            return Err(AppendError::TooLong { bytes: needed, bytes_max: PAGE_BYTES_MAX });
        }
        // A page is whole words, so what is left of the limit is rounded down and what is needed up.
        let needed = needed.next_multiple_of(8);
        let Options { bytes_max, entries_max, .. } = self.options;
        if self.is_last {
            return Ok(needed);
        }
        let (usual, bytes_left, entries_left) = match self.options.when_full {
            WhenFull::Refuse => {
                (self.next_bytes, bytes_max.saturating_sub(self.bytes), entries_max.saturating_sub(self.len))
            }
            // Four segments at least, so that what goes at once is never more than a quarter.
            WhenFull::DropOldest => (self.next_bytes.min(bytes_max / 4), bytes_max, entries_max.div_ceil(4)),
        };
        if entries_left == 0 {
            return Err(AppendError::TooMany { entries_max });
        }
        let bytes_left = bytes_left & !7;
        if needed > bytes_left {
            return Err(AppendError::Full { needed, bytes: self.bytes, bytes_max });
        }
        // What is needed besides the record is taken at once by its texts, so what is left has room for no more entries.
        let entries_bytes = usize::try_from(entries_left).unwrap_or(usize::MAX).saturating_mul(RECORD_BYTES);
        let for_entries = entries_bytes.saturating_add(needed - RECORD_BYTES);
        Ok(usual.max(needed).min(for_entries).min(bytes_left).min(PAGE_BYTES_MAX).next_multiple_of(8))
    }

    /// Adds a segment to the window and drops the oldest ones until it fits its limits, as far as they are published and read
    /// by those who hold us back.
    fn move_window(&mut self, segment: &Held) {
        let entries = (segment.bytes() / RECORD_BYTES) as u64;
        lock(&self.shared.shelf).get_or_insert_default().push(segment.clone());
        loop {
            // Let go of outside of the lock: it may be the last claim.
            let dropped = {
                let mut guard = lock(&self.shared.shelf);
                let shelf = guard.get_or_insert_default();
                let kept = self.len + entries - shelf.oldest().unwrap_or(self.len);
                if self.bytes <= self.options.bytes_max && kept <= self.options.entries_max {
                    return;
                }
                shelf.drop_oldest(self.published)
            };
            let Some(dropped) = dropped else { return };
            self.bytes -= dropped.bytes();
        }
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

    /// Whether no reader that holds us back is too far behind. If one is, publishes, and the waker is called when it has
    /// read enough.
    #[inline]
    pub(crate) fn has_room(&mut self, waker: &Waker) -> bool {
        !self.shared.has_holds() || self.has_room_for_holds(waker)
    }

    #[cold]
    fn has_room_for_holds(&mut self, waker: &Waker) -> bool {
        self.publish();
        let used = self.front + self.segment.bytes() - self.back;
        let end = Published { len: self.len, bytes: self.segment.bytes_before + used as u64 };
        let ahead_max = self.options.ahead_bytes_max as u64;
        let mut guard = lock(&self.shared.shelf);
        let shelf = guard.get_or_insert_default();
        let has_room = shelf.has_room(end, ahead_max);
        let before = if has_room { None } else { shelf.await_room(end, ahead_max, waker) };
        drop(guard);
        drop(before);
        has_room
    }

    /// Lifts the limits for what comes now.
    pub(crate) const fn lift_limit(&mut self) {
        self.is_last = true;
    }

    /// Entries appended.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Entries appended and not yet published.
    pub(crate) const fn pending(&self) -> u64 {
        self.len - self.published
    }

    /// Bytes of all segments made; in a window, of those that are kept.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }
}
