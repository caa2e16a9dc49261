//! The safe form of [`types::Error`]: what a call of a plugin or of the engine failed with.

use crate::types::{self, ERROR_RETRYABLE, Error, Status};
use std::borrow::Cow;
use std::fmt;

/// Why a call failed: a status below 0, a message that says what to do, and what the remote side said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A status below 0.
    pub code: Status,
    /// HTTP status, or 0.
    pub http_status: i32,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// How long the remote side asks to wait.
    pub retry_after_ms: Option<u64>,
    /// Lower case, no full stop, never a key. At most 231 bytes of it cross the boundary.
    pub message: Cow<'static, str>,
}

impl Failure {
    /// A failure with a status and a message.
    #[must_use]
    pub fn new(code: Status, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, http_status: 0, retryable: false, retry_after_ms: None, message: message.into() }
    }

    /// What was passed in is not what the function takes.
    #[must_use]
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(types::E_INVALID, message)
    }

    /// What was asked for is not offered.
    #[must_use]
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(types::E_UNSUPPORTED, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() { write!(f, "status {}", self.code) } else { f.write_str(&self.message) }
    }
}

impl std::error::Error for Failure {}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        let mut error = Self::new(failure.code, &failure.message);
        error.http_status = failure.http_status;
        error.flags = if failure.retryable { ERROR_RETRYABLE } else { 0 };
        error.retry_after_ms = failure.retry_after_ms.map_or(-1, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
        error
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code,
            http_status: error.http_status,
            retryable: error.flags & ERROR_RETRYABLE != 0,
            retry_after_ms: u64::try_from(error.retry_after_ms).ok(),
            message: Cow::Owned(error.message().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_survives_the_way_through_the_c_form() {
        let failure = Failure {
            code: types::E_REMOTE,
            http_status: 429,
            retryable: true,
            retry_after_ms: Some(1500),
            message: "wait".into(),
        };
        assert_eq!(Failure::from(&Error::from(&failure)), failure);
    }

    #[test]
    fn long_message_is_cut_between_characters() {
        let failure = Failure::invalid("é".repeat(200));
        let back = Failure::from(&Error::from(&failure));
        assert_eq!(back.message, "é".repeat(115));
    }
}
