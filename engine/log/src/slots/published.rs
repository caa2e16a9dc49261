//! The one word through which everything becomes visible.

use crate::sync::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

const CLOSED: u64 = 1;
const PARKED: u64 = 2;
const FLAG_BITS: u32 = 2;

/// `len << 2 | PARKED | CLOSED`.
///
/// One word, because then a reader that goes to sleep and the writer that publishes meet on one location: both use
/// read-modify-write, so one of them comes second and sees the other. No fence, no lost wake.
#[derive(Debug)]
pub(super) struct Published(AtomicU64);

/// A value of the word.
#[derive(Clone, Copy, Debug)]
pub(super) struct State(u64);

impl Published {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// What is readable now.
    #[inline]
    pub(super) fn load(&self) -> State {
        State(self.0.load(Acquire))
    }

    /// Makes `len` entries readable and says what was there before. Clears the mark of sleepers.
    #[inline]
    pub(super) fn publish(&self, len: u64, closed: bool) -> State {
        State(self.0.swap(len << FLAG_BITS | if closed { CLOSED } else { 0 }, AcqRel))
    }

    /// Says that somebody sleeps, and gives what was readable at that very moment.
    pub(super) fn mark_parked(&self) -> State {
        State(self.0.fetch_or(PARKED, AcqRel))
    }
}

impl State {
    /// Entries that can be read.
    #[inline]
    pub(super) const fn len(self) -> u64 {
        self.0 >> FLAG_BITS
    }

    /// No more will come.
    #[inline]
    pub(super) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// Somebody sleeps.
    #[inline]
    pub(super) const fn has_parked(self) -> bool {
        self.0 & PARKED != 0
    }
}
