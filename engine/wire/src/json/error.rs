//! Why a payload is no JSON.

use std::fmt;

/// Where a payload stops being JSON, and why. Small, since every step of a walk may return one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    offset: u32,
    reason: Reason,
}

impl Error {
    pub(super) fn new(offset: usize, reason: Reason) -> Self {
        Self { offset: offset.try_into().unwrap_or(u32::MAX), reason }
    }

    /// Byte of the payload; `u32::MAX` for all further ones.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// What is wrong there.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It ends too early.
    Truncated,
    /// A byte that cannot stand there.
    Unexpected,
    /// A control byte inside a string.
    Control,
    /// An escape that JSON does not have.
    Escape,
    /// A number that JSON does not write so.
    Number,
    /// Arrays and objects nested deeper than the limit.
    TooDeep,
    /// More behind the value.
    Trailing,
    /// More bytes than a payload may have.
    TooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.reason {
            Reason::Truncated => "ends too early",
            Reason::Unexpected => "has an unexpected byte",
            Reason::Control => "has a control byte in a string",
            Reason::Escape => "has an escape that JSON does not have",
            Reason::Number => "has a malformed number",
            Reason::TooDeep => "is nested too deep",
            Reason::Trailing => "goes on behind its value",
            Reason::TooLong => "is longer than 2 GiB",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}
