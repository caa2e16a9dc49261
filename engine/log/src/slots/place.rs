//! The reading end.

use crate::entry::Entry;
use crate::slots::Shared;
use crate::slots::parked::Sleeper;
use crate::slots::segment::Segment;
use crate::sync::Arc;
use core::task::Waker;

/// A place between two entries, with the segment it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    /// Number of the next entry.
    next: u64,
    /// INVARIANT: entries `next..limit` are published, seen so with Acquire, and lie in `segment`.
    limit: u64,
}

impl Place {
    pub(super) const fn new(shared: Arc<Shared>, start: Arc<Segment>) -> Self {
        Self { shared, segment: start, next: 0, limit: 0 }
    }

    /// Number of the next entry.
    #[inline]
    pub(crate) const fn next_seq(&self) -> u64 {
        self.next
    }

    /// How many entries can be read without looking at the shared word: those of this segment that were seen.
    #[inline]
    pub(crate) fn available(&mut self) -> u64 {
        if self.next == self.limit {
            self.refresh();
        }
        self.limit - self.next
    }

    /// Looks at the log again, and steps over to the next segment when this one is read.
    #[inline]
    fn refresh(&mut self) {
        // The length first: a segment is linked before its first entry is published, so when no link is seen afterwards,
        // all of `len` lies in this segment.
        let len = self.shared.published.load().len();
        if len == self.next {
            return;
        }
        self.limit = match self.segment.next.get() {
            None => len,
            Some(after) if self.next < after.first => len.min(after.first),
            Some(_) => self.step_over(len),
        };
    }

    /// Goes on to the next segment, which has entries, and gives its limit.
    #[cold]
    fn step_over(&mut self, len: u64) -> u64 {
        while let Some(after) = self.segment.next.get() {
            if self.next < after.first {
                return len.min(after.first);
            }
            let after = Arc::clone(after);
            self.segment = after;
        }
        len
    }

    /// The next entry, and steps behind it.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<Entry<'_>> {
        if self.available() == 0 {
            return None;
        }
        self.next += 1;
        // SAFETY: `next` was below `limit`; see there.
        Some(unsafe { self.segment.entry(self.next - 1) })
    }

    /// The next entry, without stepping behind it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<Entry<'_>> {
        if self.available() == 0 {
            return None;
        }
        // SAFETY: `next` is below `limit`; see there.
        Some(unsafe { self.segment.entry(self.next) })
    }

    /// The entries of [`Place::available`], and the counter that says how far they were read.
    #[inline]
    pub(crate) fn rest(&mut self) -> Rest<'_> {
        self.available();
        Rest { segment: &self.segment, next: &mut self.next, limit: self.limit }
    }

    /// Goes to entry `seq`, or behind the last one that is published. Only forward.
    pub(crate) fn skip_to(&mut self, seq: u64) {
        while self.next < seq {
            let available = self.available();
            if available == 0 {
                return;
            }
            self.next += available.min(seq - self.next);
        }
    }

    /// Queues the reader, unless there is something to read or the log is closed. Says whether it may sleep.
    pub(crate) fn park(&self, sleeper: &mut Sleeper, waker: &Waker) -> bool {
        self.shared.parked.push(sleeper, waker);
        let state = self.shared.published.mark_parked();
        state.len() == self.next && !state.is_closed()
    }

    /// The reader goes away.
    pub(crate) fn leave(&self, sleeper: &mut Sleeper) {
        self.shared.parked.leave(sleeper);
    }

    /// Entries published.
    pub(crate) fn len(&self) -> u64 {
        self.shared.published.load().len()
    }

    /// No more will come.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.published.load().is_closed()
    }

    /// No more will come, and all is read.
    pub(crate) fn is_drained(&self) -> bool {
        let state = self.shared.published.load();
        state.is_closed() && state.len() == self.next
    }
}

/// Entries of one segment that are seen, read one after the other.
#[derive(Debug)]
pub(crate) struct Rest<'a> {
    segment: &'a Segment,
    next: &'a mut u64,
    /// INVARIANT: as that of [`Place`].
    limit: u64,
}

impl<'a> Rest<'a> {
    #[inline]
    pub(crate) fn step(&mut self) -> Option<Entry<'a>> {
        let seq = *self.next;
        if seq == self.limit {
            return None;
        }
        *self.next = seq + 1;
        // SAFETY: below the limit of the place, whose segment is borrowed for `'a`.
        Some(unsafe { self.segment.entry(seq) })
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        (self.limit - *self.next) as usize
    }
}
