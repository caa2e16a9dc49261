//! One piece of the chain.

use crate::entry::{Entry, LAGGED};
use crate::pool::Pool;
use crate::slots::held::Held;
use crate::slots::link::Link;
use crate::slots::page::Page;
use crate::slots::record::{RECORD_BYTES, Record, Texts};
use crate::sync::Arc;

/// A page and the link to the next segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Number of its first entry.
    pub(super) first: u64,
    /// Bytes of all segments before it.
    pub(super) bytes_before: u64,
    pub(super) page: Page,
    pub(super) next: Link<Next>,
    /// Where it goes back to, and where its bytes count.
    pub(super) pool: Option<Pool>,
}

/// What comes behind a segment.
#[derive(Debug)]
pub(super) struct Next {
    /// Number of the first entry there.
    pub(super) first: u64,
    /// The segment; `None` in a window, where the [shelf](crate::slots::shelf::Shelf) says which one is still there.
    pub(super) segment: Option<Held>,
}

impl Segment {
    pub(crate) fn new(first: u64, bytes: usize) -> Self {
        Self { first, bytes_before: 0, page: Page::new(bytes), next: Link::new(), pool: None }
    }

    /// Makes an old segment, which nobody else holds, a new one.
    pub(crate) fn reuse(&mut self, first: u64, pool: Pool) {
        drop(self.next.take());
        (self.first, self.bytes_before, self.pool) = (first, 0, Some(pool));
        self.page.restart();
    }

    /// Bytes of its page.
    pub(crate) fn bytes(&self) -> usize {
        self.page.bytes()
    }

    /// What a reader reads in the place of the entries from `seq` on that were dropped, with `after` behind it.
    pub(super) fn gap(seq: u64, after: Held) -> Self {
        let first = after.first;
        let gap = Self::new(first - 1, RECORD_BYTES);
        let lagged = Entry::new(LAGGED).with_num((first - seq) as i64);
        // SAFETY: nobody else has this segment yet, and its page is one record long.
        unsafe { gap.page.write_record(0, Record::inline(&lagged)) };
        // SAFETY: as above.
        unsafe { gap.next.set(Next { first, segment: Some(after) }) };
        gap
    }

    /// Entry `seq`.
    ///
    /// # Safety
    /// The entry must lie in this segment, be published, and this thread must have seen that with Acquire.
    #[inline]
    pub(super) unsafe fn entry(&self, seq: u64) -> Entry<'_> {
        // SAFETY: promised by the caller.
        let record = unsafe { self.page.record((seq - self.first) as usize) };
        match record.texts() {
            Texts::Inline(text, aux) => {
                // SAFETY: both together are shorter than the tail, by its invariant.
                let (text, rest) = unsafe { record.tail().split_at_unchecked(text) };
                // SAFETY: as above.
                let aux = unsafe { rest.get_unchecked(..aux) };
                record.entry(seq, text, aux)
            }
            Texts::InPage(offset, text, aux) => {
                // SAFETY: where the writer put the texts of this record.
                let bytes = unsafe { self.page.bytes_at(offset, text + aux) };
                let (text, aux) = bytes.split_at(text);
                record.entry(seq, text, aux)
            }
        }
    }
}

impl From<Segment> for Held {
    fn from(segment: Segment) -> Self {
        Self::new(Arc::new(segment))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.forget(self.bytes());
        }
    }
}
