//! What an agent behind a mailbox is asked, and what it answers.

use thalweg::cost::Cost;
use thalweg::message::{AssistantMessage, Message, Usage};
use thalweg::{Error, Run};
use thalweg_actor::Message as Mail;
use tokio::sync::oneshot;

use super::memory::MemoryError;

/// A question to an agent. The one who asks gets a [`Response`], or why there is none; who only tells gets nothing.
#[derive(Debug)]
pub struct Prompt {
    pub(super) messages: Vec<Message>,
    pub(super) watcher: Option<oneshot::Sender<Run>>,
}

impl Mail for Prompt {
    type Reply = Result<Response, Refused>;
}

impl Prompt {
    /// A question of one text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(vec![Message::user(text)])
    }

    /// A question of messages, such as one with an image.
    #[must_use]
    pub const fn of(messages: Vec<Message>) -> Self {
        Self { messages, watcher: None }
    }

    /// The same question, and the run that will answer it, once the agent comes to it: its events can be read while they come,
    /// by any number of readers, each from the first one on. There is no run if the agent stops before, or has no budget left.
    #[must_use]
    pub fn watched(mut self) -> (Self, oneshot::Receiver<Run>) {
        let (watcher, run) = oneshot::channel();
        self.watcher = Some(watcher);
        (self, run)
    }
}

/// What an agent answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The last reply of its model.
    pub message: AssistantMessage,
    /// Tokens of all turns.
    pub usage: Usage,
    /// What they cost; `None` if that is not known.
    pub cost: Option<Cost>,
}

impl Response {
    /// The text of the answer.
    #[must_use]
    pub fn text(&self) -> String {
        self.message.text()
    }
}

/// Why an agent does not answer. It goes on with the next question; what was said so far is in its memory.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The run could not be started, or did not end well.
    #[error(transparent)]
    Run(#[from] Error),
    /// The memory cannot be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The run ended without an answer: a person, or a hook, has to be asked first.
    #[error("the run ended without an answer: {reason}")]
    NoAnswer {
        /// The word for its end.
        reason: &'static str,
    },
}
