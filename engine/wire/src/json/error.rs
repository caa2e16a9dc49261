//! Why a payload is no JSON.

use std::fmt;

/// Where a payload stops being JSON, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Byte of the payload.
    pub offset: usize,
    /// What is wrong there.
    pub reason: Reason,
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
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}
