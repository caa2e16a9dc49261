//! The handle from which readers attach.

use crate::cursor::Cursor;
use crate::slots::Place;

/// A log to be read. As long as one clone lives, everything stays for replay, but for what a window drops.
#[derive(Clone, Debug)]
pub struct Log(Place);

impl Log {
    pub(crate) const fn new(start: Place) -> Self {
        Self(start)
    }

    /// A reader before the first entry. In a window that has moved on, it first reads how many came before the oldest one
    /// kept.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor::new(self.0.clone())
    }

    /// A reader behind the last entry published.
    #[must_use]
    pub fn cursor_at_end(&self) -> Cursor {
        self.cursor_at(u64::MAX)
    }

    /// A reader before entry `seq`, or behind the last one published if `seq` is not there yet: what a subscriber that
    /// comes back asks for. Steps from segment to segment: some microseconds per 100,000 entries.
    #[must_use]
    pub fn cursor_at(&self, seq: u64) -> Cursor {
        let mut place = self.0.clone();
        place.skip_to(seq);
        Cursor::new(place)
    }

    /// Entries published.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was published yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
