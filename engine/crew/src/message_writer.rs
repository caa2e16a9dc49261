//! The end of a message to which tokens are added.

use std::sync::Arc;

use thalweg_actor::Failure;

use crate::field::Frozen;
use crate::message::Message;
use crate::message_promise::Token;
use crate::pieces::Closed;
use crate::promise::Settle;

/// Writes a message token by token; see [`MessagePromise::channel`](crate::MessagePromise::channel). One that is dropped
/// before it is finished leaves a message that was cancelled.
pub struct MessageWriter {
    settle: Settle<Token, Message>,
    class: String,
    known: Arc<Frozen>,
    content: String,
}

impl MessageWriter {
    pub(crate) const fn new(class: String, known: Arc<Frozen>, settle: Settle<Token, Message>) -> Self {
        Self { settle, class, known, content: String::new() }
    }

    /// Adds to the text. Readers see it at once.
    ///
    /// # Errors
    /// [`Closed`] if nobody can read it any more.
    pub fn append(&mut self, text: impl Into<String>) -> Result<(), Closed> {
        let text = text.into();
        self.content.push_str(&text);
        self.settle.shared.append(Token(text))
    }

    /// The text so far.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The message is complete. What turned out meanwhile is part of it; what was known before counts more.
    pub fn finish(mut self, found: Frozen) {
        let message = Message::of_text(&self.class, std::mem::take(&mut self.content));
        self.settle.shared.close();
        self.settle.resolve(Ok(message.with_all(&found).with_all(&self.known)));
    }

    /// The message is not complete, and why: readers get that behind the text so far.
    pub fn fail(self, error: impl Into<Failure>) {
        let failure = error.into();
        // Refused only if nobody reads it.
        let _ = self.settle.shared.append_error(failure.clone());
        self.settle.shared.close();
        self.settle.resolve(Err(failure));
    }
}
