//! What is stored, as it is read.

use std::fmt;

use serde::{Deserialize, Serialize};
use thalweg_agent::message::Message;

/// The name of a session: eight hexadecimal digits, unless it was imported under another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub(crate) String);

impl SessionId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a session besides its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// A title; without it the beginning of the first question stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The model, as `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// A message and its place in the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Its number within the session, from 1.
    pub id: u64,
    /// The message that it follows; none for a first one.
    pub parent: Option<u64>,
    /// When it was stored, in microseconds since 1970.
    pub time_us: u64,
    /// The message.
    pub message: Message,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its name.
    pub id: SessionId,
    /// Its title, or the beginning of the first question.
    pub title: String,
    /// The model.
    pub model: Option<String>,
    /// When it began, in microseconds since 1970.
    pub created_us: u64,
    /// When its last message was stored.
    pub updated_us: u64,
    /// How many messages it has, on all branches.
    pub messages: u64,
    /// How many branches.
    pub branches: u64,
}

/// A message that a search has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The session.
    pub session: SessionId,
    /// Number of the message.
    pub message: u64,
    /// `user`, `assistant` or `tool`.
    pub role: String,
    /// What stands around the words, which are set in `[` and `]`.
    pub snippet: String,
}
