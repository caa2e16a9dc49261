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
        /// Whether a person has approved it, so that nobody is asked once more.
        is_approved: bool,
    },
    /// A turn is over and the run would go on: say by [`Machine::handle_decision`](crate::machine::Machine::handle_decision)
    /// whether it shall.
    Decide,
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
    /// A tool, or a hook beside it, ended it.
    Terminated,
    /// The hook after a turn ended it.
    Stopped,
    /// The model made the same call again and again.
    Repeated,
    /// Calls wait for a person; [`Machine::handle_approvals`](crate::machine::Machine::handle_approvals) goes on.
    WaitingForApproval,
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
            Self::Terminated => "terminated",
            Self::Stopped => "stopped",
            Self::Repeated => "repeated",
            Self::WaitingForApproval => "waiting_for_approval",
        }
    }
}
