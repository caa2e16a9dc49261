//! What went wrong with a reply or a run, in a form that a caller can act on.

use serde::{Deserialize, Serialize};
use thalweg_abi::types::{
    FAILURE_AUTH, FAILURE_CONTENT_FILTER, FAILURE_CONTEXT_OVERFLOW, FAILURE_INVALID_REQUEST, FAILURE_MALFORMED,
    FAILURE_OVERLOADED, FAILURE_RATE_LIMIT, FAILURE_SERVER,
};

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Too many requests or tokens.
    RateLimit,
    /// The provider is overloaded.
    Overloaded,
    /// The prompt is longer than the model takes.
    ContextOverflow,
    /// No key, a wrong key, or no right to the model.
    Auth,
    /// The request is wrong.
    InvalidRequest,
    /// The content was refused.
    ContentFilter,
    /// The provider failed.
    Server,
    /// The reply is not what the dialect promises.
    Malformed,
    /// The stream ended before the message did.
    Truncated,
    /// No connection, or it broke.
    Connection,
    /// It took longer than allowed.
    Timeout,
    /// A plugin is broken.
    Plugin,
    /// The run needed more turns than it may take.
    MaxTurns,
    /// A budget has too little left; nothing was sent.
    Budget,
    /// The model made the same tool call again and again.
    Repeated,
    /// The caller stopped it.
    Aborted,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// From the number of an error event (`THW_FAILURE_*`).
    #[must_use]
    pub const fn from_num(num: i64) -> Self {
        match num {
            FAILURE_RATE_LIMIT => Self::RateLimit,
            FAILURE_OVERLOADED => Self::Overloaded,
            FAILURE_CONTEXT_OVERFLOW => Self::ContextOverflow,
            FAILURE_AUTH => Self::Auth,
            FAILURE_INVALID_REQUEST => Self::InvalidRequest,
            FAILURE_CONTENT_FILTER => Self::ContentFilter,
            FAILURE_SERVER => Self::Server,
            FAILURE_MALFORMED => Self::Malformed,
            _ => Self::Other,
        }
    }

    /// Whether failures of this kind pass by themselves.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::RateLimit | Self::Overloaded | Self::Server | Self::Connection | Self::Truncated)
    }

    /// The word of the JSON form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Overloaded => "overloaded",
            Self::ContextOverflow => "context_overflow",
            Self::Auth => "auth",
            Self::InvalidRequest => "invalid_request",
            Self::ContentFilter => "content_filter",
            Self::Server => "server",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Plugin => "plugin",
            Self::MaxTurns => "max_turns",
            Self::Budget => "budget",
            Self::Repeated => "repeated",
            Self::Aborted => "aborted",
            Self::Other => "other",
        }
    }
}

/// A failure of a reply or of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it is.
    pub kind: FailureKind,
    /// What happened and what to do about it.
    pub message: String,
    /// HTTP status, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How long the provider asks to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether another try may help, where the provider or the way to it tells more than the kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// The provider's own error object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl Failure {
    /// A failure with a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), http_status: None, retry_after_ms: None, retryable: None, details: None }
    }

    /// Whether it may pass by itself, so that another try may help.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self.retryable {
            Some(retryable) => retryable,
            None => self.kind.may_pass(),
        }
    }

    /// The same failure with the HTTP status of the reply.
    #[must_use]
    pub const fn with_http_status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// The same failure with the wait that the provider asks for.
    #[must_use]
    pub const fn with_retry_after_ms(mut self, wait_ms: u64) -> Self {
        self.retry_after_ms = Some(wait_ms);
        self
    }
}
