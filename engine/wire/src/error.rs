//! What ends a stream before its end.

use std::fmt;

use thalweg_abi::failure::Failure;

use crate::event_stream;
use crate::limits;

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The stream went past a limit.
    Limit(limits::Error),
    /// The binary framing is damaged.
    EventStream(event_stream::Error),
    /// The codec is broken; what is wrong on the wire comes as an event instead.
    Codec(Failure),
    /// The codec left frames unread, or asked to be called again without having done anything.
    CodecStuck {
        /// Frames that it was given.
        frames: usize,
        /// Frames that it had read.
        read: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => error.fmt(f),
            Self::EventStream(error) => error.fmt(f),
            Self::Codec(failure) => write!(f, "the codec failed: {failure}"),
            Self::CodecStuck { frames, read } => {
                write!(f, "the codec stopped after {read} of {frames} frames; report it to the author of the plugin")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Limit(error) => Some(error),
            Self::EventStream(error) => Some(error),
            Self::Codec(failure) => Some(failure),
            Self::CodecStuck { .. } => None,
        }
    }
}

impl From<limits::Error> for Error {
    fn from(error: limits::Error) -> Self {
        Self::Limit(error)
    }
}

impl From<event_stream::Error> for Error {
    fn from(error: event_stream::Error) -> Self {
        match error {
            event_stream::Error::Limit(error) => Self::Limit(error),
            error => Self::EventStream(error),
        }
    }
}
