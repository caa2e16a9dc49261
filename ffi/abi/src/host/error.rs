//! What can go wrong with a plugin that is in the process.

use crate::failure::Failure;
use crate::host::ManifestError;
use crate::types::{E_PROTOCOL, E_STATE, E_UNSUPPORTED, E_VERSION, Status};
use std::fmt;
use std::sync::Arc;

/// A failure of a plugin. Each names the plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The manifest says that it cannot run here.
    Manifest {
        /// Id of the plugin.
        plugin: Arc<str>,
        /// What does not fit.
        reason: ManifestError,
    },
    /// Its entry function failed.
    Start {
        /// Id of the plugin.
        plugin: Arc<str>,
        /// What it says.
        failure: Failure,
    },
    /// A table lacks a function that it must have.
    Missing {
        /// Id of the plugin.
        plugin: Arc<str>,
        /// `thw_codec`, for example.
        table: &'static str,
        /// Name of the member.
        function: &'static str,
    },
    /// It broke a rule of the ABI.
    Misbehaved {
        /// Id of the plugin.
        plugin: Arc<str>,
        /// The rule.
        what: Misbehaviour,
    },
    /// It did what it should and failed.
    Failed {
        /// Id of the plugin.
        plugin: Arc<str>,
        /// What it says.
        failure: Failure,
    },
    /// The stream panicked or broke a rule earlier and is not used any more.
    Broken {
        /// Id of the plugin.
        plugin: Arc<str>,
    },
}

impl Error {
    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        match self {
            Self::Manifest { plugin, .. }
            | Self::Start { plugin, .. }
            | Self::Missing { plugin, .. }
            | Self::Misbehaved { plugin, .. }
            | Self::Failed { plugin, .. }
            | Self::Broken { plugin } => plugin,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { plugin, reason } => write!(f, "plugin `{plugin}`: {reason}"),
            Self::Start { plugin, failure } => write!(f, "plugin `{plugin}` did not start: {failure}"),
            Self::Missing { plugin, table, function } => {
                write!(f, "plugin `{plugin}` lacks the function `{function}` of its table `{table}`")
            }
            Self::Misbehaved { plugin, what } => write!(f, "plugin `{plugin}` broke a rule of the plugin ABI: {what}"),
            Self::Failed { plugin, failure } => write!(f, "plugin `{plugin}`: {failure}"),
            Self::Broken { plugin } => {
                write!(f, "plugin `{plugin}` failed earlier on this stream; open a new one")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Failed { failure, .. } | Error::Start { failure, .. } => Self { message: message.into(), ..failure },
            Error::Manifest { .. } => Self::new(E_VERSION, message),
            Error::Missing { .. } => Self::new(E_UNSUPPORTED, message),
            Error::Misbehaved { .. } => Self::new(E_PROTOCOL, message),
            Error::Broken { .. } => Self::new(E_STATE, message),
        }
    }
}

/// A rule of the ABI that a plugin broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A table is NULL where it must not be, misaligned, or states an impossible size.
    BadTable {
        /// `thw_codec`, for example.
        table: &'static str,
    },
    /// A function returned a status that it may not return.
    UnknownStatus {
        /// Name of the function.
        function: &'static str,
        /// What it returned.
        status: Status,
    },
    /// A call succeeded without giving what it promises.
    NothingGiven {
        /// Name of the function.
        function: &'static str,
    },
    /// `decode` moved its position backwards, or past the last frame.
    PositionOutOfRange {
        /// Position before the call.
        from: usize,
        /// Position after it.
        to: usize,
        /// Number of frames.
        frames: usize,
    },
    /// `decode` said that it had read everything, and had not.
    StoppedShort {
        /// Position after the call.
        at: usize,
        /// Number of frames.
        frames: usize,
    },
    /// It asked to be called again and did nothing.
    NoProgress,
    /// More events than the array holds.
    TooManyEvents {
        /// What it states.
        count: usize,
        /// What there was room for.
        room: usize,
    },
    /// A slice of an event lies in none of the frames of the call, or cuts a character.
    SliceOutsideFrames {
        /// Position of the event in the array.
        event: usize,
    },
    /// A slice is NULL but has a length, or is longer than anything can be.
    BadSlice {
        /// What the slice is.
        what: &'static str,
    },
    /// A text is not UTF-8.
    NotUtf8 {
        /// What the text is.
        what: &'static str,
    },
    /// The name of a tool is empty, longer than 64 or has characters other than letters, digits, `_` and `-`.
    BadToolName,
    /// More tools than a plugin may have.
    TooManyTools {
        /// What it states.
        count: u32,
        /// What is allowed.
        limit: u32,
    },
    /// More of something than there may be.
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// What it states.
        count: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Another number of results than was asked for.
    WrongCount {
        /// What they are.
        what: &'static str,
        /// What it states.
        count: usize,
        /// What it must be.
        expected: usize,
    },
    /// The answer of a tool is too long.
    AnswerTooLong {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// A provider pushed on although it was asked to slow down.
    ReplyOutranItsReader {
        /// Bytes that may wait.
        limit: usize,
    },
    /// `invoke` or `start` said that the work was done, and the sink was not finished.
    SinkNotFinished,
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadTable { table } => write!(f, "its table `{table}` is NULL, misaligned or states a wrong size"),
            Self::UnknownStatus { function, status } => write!(f, "`{function}` returned the status {status}"),
            Self::NothingGiven { function } => write!(f, "`{function}` succeeded without giving a result"),
            Self::PositionOutOfRange { from, to, frames } => {
                write!(f, "`decode` moved from frame {from} to frame {to} of {frames}")
            }
            Self::StoppedShort { at, frames } => write!(f, "`decode` stopped at frame {at} of {frames} and said ok"),
            Self::NoProgress => f.write_str("it asked to be called again without having done anything"),
            Self::TooManyEvents { count, room } => write!(f, "it wrote {count} events into room for {room}"),
            Self::SliceOutsideFrames { event } => {
                write!(f, "a slice of event {event} lies outside the frames of the call")
            }
            Self::BadSlice { what } => write!(f, "{what} is a slice with a wrong pointer or length"),
            Self::NotUtf8 { what } => write!(f, "{what} is not UTF-8"),
            Self::BadToolName => f.write_str("a tool's name is not 1 to 64 letters, digits, underscores and hyphens"),
            Self::TooManyTools { count, limit } => write!(f, "it has {count} tools, {limit} are allowed"),
            Self::TooMuch { what, count, limit } => write!(f, "it gives {count} {what}, {limit} are allowed"),
            Self::WrongCount { what, count, expected } => {
                write!(f, "it gives {count} {what} where {expected} were asked for")
            }
            Self::AnswerTooLong { limit } => write!(f, "the answer of its tool is longer than {limit} bytes"),
            Self::ReplyOutranItsReader { limit } => {
                write!(f, "its provider pushed more than {limit} bytes ahead of its reader and did not slow down")
            }
            Self::SinkNotFinished => f.write_str("a call returned ok and had not finished the sink"),
        }
    }
}
