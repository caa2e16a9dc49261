//! Every bound of the parser in one place, so that no input can make it grow without end.

use std::fmt;

/// What a stream may ask for at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the longest event on the wire, its field names and line ends included.
    pub event_bytes_max: usize,
    /// Depth of nested arrays and objects in a payload.
    pub nesting_max: u16,
}

impl Limits {
    /// The same limits with another bound for one event.
    #[must_use]
    pub const fn with_event_bytes_max(mut self, bytes: usize) -> Self {
        self.event_bytes_max = bytes;
        self
    }

    /// The same limits with another bound for nesting.
    #[must_use]
    pub const fn with_nesting_max(mut self, depth: u16) -> Self {
        self.nesting_max = depth;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { event_bytes_max: 32 << 20, nesting_max: 128 }
    }
}

/// A stream went past a limit; it cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// One event is longer than [`Limits::event_bytes_max`].
    EventTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTooLong { limit } => {
                write!(f, "an event of the stream is longer than {limit} bytes; raise `event_bytes_max` to read it")
            }
        }
    }
}

impl std::error::Error for Error {}
