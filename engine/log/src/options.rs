//! Sizes of a log, and what happens when they are reached.

/// How much a log may hold, what happens when it is full, and how it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of segments. Default 256 MiB: about five million deltas.
    pub bytes_max: usize,
    /// Most entries. Default: as many as there is room for.
    pub entries_max: u64,
    /// What happens at either of these limits. Default [`WhenFull::Refuse`].
    pub when_full: WhenFull,
    /// How many bytes the writer may be ahead of a reader that [holds it back](crate::Cursor::hold_back). Readers are
    /// watched from segment to segment, so it should be some segments long. Default 256 KiB.
    pub ahead_bytes_max: usize,
    /// Bytes of the first segment, which is made when the first entry comes. Each next one is twice as large. Default 512.
    pub segment_bytes_first: usize,
    /// Bytes at which segments stop growing; in a window also a quarter of it. A single entry that needs more gets a segment
    /// of its own size. Default 64 KiB.
    pub segment_bytes_max: usize,
}

/// What a full log does with one more entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It says [`AppendError::Full`](crate::AppendError::Full) or [`AppendError::TooMany`](crate::AppendError::TooMany).
    /// Everything stays for replay, and what was freed counts as well.
    #[default]
    Refuse,
    /// It becomes a window: the oldest segment goes, whoever holds a [`Log`](crate::Log), and a reader that was not there
    /// yet is told how much it missed by an entry of the kind [`LAGGED`](crate::LAGGED). The segment that a reader stands
    /// on stays until it moves on. At least half of what the limits allow is kept.
    DropOldest,
}

impl Options {
    /// The defaults, for constants.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes_max: 256 << 20,
            entries_max: u64::MAX,
            when_full: WhenFull::Refuse,
            ahead_bytes_max: 256 << 10,
            segment_bytes_first: 512,
            segment_bytes_max: 64 << 10,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
