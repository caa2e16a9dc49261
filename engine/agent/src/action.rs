//! What the agent loop asks its driver to do.

use serde::{Deserialize, Serialize};

use crate::message::ToolCall;

/// What the driver shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the history to the provider and feed what comes back; `turn` counts from 1.
    SendRequest {
        /// Number of the turn.
        turn: u32,
    },
    /// Run a tool and feed its result. Several may run at once.
    RunTool {
        /// The call; its arguments are a JSON object.
        call: ToolCall,
    },
    /// Stop all tools that run; their results are no longer waited for.
    CancelTools,
    /// The run is over.
    Finished {
        /// Why.
        reason: EndReason,
    },
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The model said all and waits for no tool.
    Complete,
    /// The last reply was cut by the limit on tokens.
    Length,
    /// The last reply was ended by a filter or a refusal.
    ContentFilter,
    /// A reply failed or was truncated; see [`Machine::failure`](crate::machine::Machine::failure).
    Error,
    /// The caller stopped it.
    Aborted,
    /// It needed more turns than it may take.
    MaxTurns,
}

impl EndReason {
    /// The word of the JSON form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::MaxTurns => "max_turns",
        }
    }
}
