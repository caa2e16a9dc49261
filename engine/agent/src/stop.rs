//! Why a message ended.

use serde::{Deserialize, Serialize};
use thalweg_abi::types::{
    STOP_CONTENT_FILTER, STOP_END, STOP_ERROR, STOP_LENGTH, STOP_PAUSE, STOP_SEQUENCE, STOP_TOOL_USE,
};

/// The engine's word for the end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// The model had said all.
    Stop,
    /// The limit on tokens was met.
    Length,
    /// The model waits for tools.
    ToolUse,
    /// A stop sequence was met.
    StopSequence,
    /// The provider's filter, or a refusal.
    ContentFilter,
    /// The turn is paused; sending it back continues it.
    Pause,
    /// An error, or a stream that ended too early.
    Error,
    /// The caller stopped it.
    Aborted,
    /// A reason that the engine has no word for.
    Other,
}

impl StopKind {
    /// From the number of a stop event (`THW_STOP_*`).
    #[must_use]
    pub const fn from_num(num: i64) -> Self {
        match num {
            STOP_END => Self::Stop,
            STOP_LENGTH => Self::Length,
            STOP_TOOL_USE => Self::ToolUse,
            STOP_SEQUENCE => Self::StopSequence,
            STOP_CONTENT_FILTER => Self::ContentFilter,
            STOP_PAUSE => Self::Pause,
            STOP_ERROR => Self::Error,
            _ => Self::Other,
        }
    }

    /// The word of the JSON form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolUse => "tool_use",
            Self::StopSequence => "stop_sequence",
            Self::ContentFilter => "content_filter",
            Self::Pause => "pause",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Other => "other",
        }
    }
}

/// Why a message ended, in the engine's word and in the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReason {
    /// The engine's word.
    pub mapped: StopKind,
    /// The provider's word; none where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The stop sequence that was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
}

impl StopReason {
    /// A reason that the provider did not give.
    #[must_use]
    pub const fn new(mapped: StopKind) -> Self {
        Self { mapped, raw: None, sequence: None }
    }
}
