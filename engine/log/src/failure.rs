//! Why an entry could not be appended.

use core::fmt;

/// Why an entry could not be appended. What the log holds stays readable in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The log has reached [`Options::bytes_max`](crate::Options::bytes_max).
    Full {
        /// Bytes that the entry needs beyond the room left.
        needed: usize,
        /// Bytes of segments in the log.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The log has reached [`Options::entries_max`](crate::Options::entries_max).
    TooMany {
        /// The limit.
        entries_max: u64,
    },
    /// The logs of a pool have together reached [`PoolOptions::bytes_max`](crate::PoolOptions::bytes_max).
    PoolFull {
        /// Bytes of the segment that was asked for.
        needed: usize,
        /// Bytes of segments in use.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// One entry is longer than a segment can ever be.
    TooLong {
        /// Bytes of the entry.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The log was closed.
    Closed,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { needed, bytes, bytes_max } => {
                write!(f, "log is full: {bytes} of {bytes_max} bytes used and {needed} more needed; raise bytes_max")
            }
            Self::TooMany { entries_max } => write!(f, "log is full: it has {entries_max} entries; raise entries_max"),
            Self::PoolFull { needed, bytes, bytes_max } => write!(
                f,
                "all logs together are full: {bytes} of {bytes_max} bytes used and {needed} more needed; let go of runs \
                 that are over, or raise the limit on memory"
            ),
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "entry of {bytes} bytes is longer than {bytes_max}; split its text")
            }
            Self::Closed => f.write_str("log is closed"),
        }
    }
}

impl core::error::Error for AppendError {}
