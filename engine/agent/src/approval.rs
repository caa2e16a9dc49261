//! Tool calls that wait for a person: what of a run is kept until the answer comes, perhaps in another process.

use serde::{Deserialize, Serialize};

use crate::batch::ToolOutput;
use crate::message::{Message, ToolResult, UserContent};

/// The calls of the last reply that wait, and the results of its other calls. They stand behind the history, which ends
/// with that reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Ids of the calls that wait.
    pub waiting: Vec<String>,
    /// Results of the calls that do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ToolResult>,
}

/// What a person says to a call that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Approval {
    /// It may run, with its arguments or with these.
    Approve {
        /// A JSON object to run it with instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<serde_json::Value>,
    },
    /// It may not; the model is told why.
    Deny {
        /// What the model is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It does not run, and this is its answer.
    Answer {
        /// What the model gets to read.
        content: Vec<UserContent>,
        /// Whether that is an error.
        #[serde(default)]
        is_error: bool,
    },
}

impl Approval {
    /// It may run as it is.
    #[must_use]
    pub const fn approve() -> Self {
        Self::Approve { args: None }
    }

    /// It may not run, for a reason.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Deny { reason: Some(reason.into()) }
    }

    /// It does not run, and this is its answer.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::Answer { content: vec![UserContent::text(text)], is_error: false }
    }

    /// The answer of a call that does not run.
    pub(crate) fn output(self) -> Option<ToolOutput> {
        match self {
            Self::Approve { .. } => None,
            Self::Deny { reason } => {
                let reason = reason.unwrap_or_else(|| "a person denied the call".to_owned());
                Some(ToolOutput::not_executed(&reason))
            }
            Self::Answer { content, is_error } => Some(ToolOutput { content, is_error, ..ToolOutput::default() }),
        }
    }
}

/// A conversation as it is kept between two processes: its messages, the calls that wait for a person, and what was said
/// and has not come in yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Version of this form, [`Saved::SCHEMA`].
    pub schema: u32,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The calls that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// What shall come in before the next request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steering: Vec<Message>,
    /// What shall come in once a run would end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_ups: Vec<Message>,
}

impl Saved {
    /// The version of the form that this code writes and reads.
    pub const SCHEMA: u32 = 1;

    /// A conversation in which nothing waits.
    #[must_use]
    pub const fn new(messages: Vec<Message>) -> Self {
        Self { schema: Self::SCHEMA, messages, pending: None, steering: Vec::new(), follow_ups: Vec::new() }
    }
}
