//! The reading end.

use crate::entry::Entry;
use crate::slots::Shared;
use crate::slots::held::Held;
use crate::slots::parked::Sleeper;
use crate::slots::segment::{Next, Segment};
use crate::slots::shelf::Hold;
use crate::sync::{Arc, lock};
use core::task::Waker;

/// A place between two entries, with the segment it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    segment: Held,
    /// Number of the next entry.
    next: u64,
    /// INVARIANT: entries `next..limit` are published, seen so with Acquire, and lie in `segment`.
    limit: u64,
    /// Of a reader that holds the writer back.
    hold: Option<Hold>,
}

impl Place {
    pub(super) const fn new(shared: Arc<Shared>, start: Held) -> Self {
        Self { shared, segment: start, next: 0, limit: 0, hold: None }
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
            return self.tell();
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
            self.segment = match &after.segment {
                Some(segment) => segment.clone(),
                None => match self.left_in_window() {
                    Some(segment) => segment,
                    // Never: the writer puts a segment there before it links it, and takes out the last one only with the log.
                    None => return self.next,
                },
            };
            if let Some(hold) = &self.hold {
                hold.move_to(self.next, self.segment.bytes_before);
            }
        }
        len
    }

    /// The segment of the window to go on in; or, if the next entry is no longer there, one that says how many are not.
    fn left_in_window(&mut self) -> Option<Held> {
        let found = lock(&self.shared.shelf).as_ref()?.find(self.next)?.clone();
        if found.first <= self.next {
            return Some(found);
        }
        let gap = Segment::gap(self.next, found);
        self.next = gap.first;
        Some(gap.into())
    }

    /// From now on the writer waits for this reader.
    pub(crate) fn hold_back(&mut self) {
        if self.hold.is_none() {
            self.hold = Some(Hold::new(&self.shared, self.next, self.segment.bytes_before));
        }
    }

    /// Lets the writer know how far this reader is, if it waits for this one.
    #[inline]
    fn tell(&self) {
        if let Some(hold) = &self.hold {
            hold.move_to(self.next, self.segment.bytes_before);
        }
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
        if let Some(Next { segment: None, .. }) = self.segment.next.get() {
            // In a window what lies between need not be there any more, and nobody asked for it.
            self.next = seq.min(self.len()).max(self.next);
            self.limit = self.next;
            return;
        }
        while self.next < seq {
            let available = self.available();
            if available == 0 {
                return;
            }
            self.next += available.min(seq - self.next);
        }
    }

    /// Whether there is something to read.
    #[inline]
    pub(crate) fn has_unread(&self) -> bool {
        self.next != self.limit || self.len() != self.next
    }

    /// Queues the reader, unless there is something to read or the log is closed. Says whether it may sleep.
    pub(crate) fn park(&self, sleeper: &mut Sleeper, waker: &Waker) -> bool {
        self.tell();
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
