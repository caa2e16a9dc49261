//! What a team, or a member of it, is asked.

use std::sync::Arc;

use thalweg::message::{ContentBlock, Message, UserContent};
use thalweg::responder::Ask;

/// What a team or a member is asked: a conversation that ends with a question. Clones share its messages.
#[derive(Clone, Debug)]
pub struct Question {
    messages: Arc<[Message]>,
    session: Option<Arc<str>>,
}

impl Question {
    /// A question of one text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { messages: [Message::user(text)].into(), session: None }
    }

    /// What an agent asks. What members thought in earlier replies is left out: only the answers are of the conversation.
    pub(super) fn of(ask: &Ask) -> Self {
        let mut messages = ask.messages();
        for message in &mut messages {
            if let Message::Assistant(reply) = message {
                reply.content.retain(|block| {
                    !matches!(block, ContentBlock::Thinking { .. } | ContentBlock::RedactedThinking { .. })
                });
            }
        }
        Self { messages: messages.into(), session: ask.request().session.as_deref().map(Into::into) }
    }

    /// The conversation, which ends with the question.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The name of the conversation, where it was given one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The text of the question: of the last message of the user.
    #[must_use]
    pub fn text(&self) -> String {
        self.user_texts().next_back().unwrap_or_default()
    }

    /// The text of the first message of the user.
    #[must_use]
    pub fn first_text(&self) -> String {
        self.user_texts().next().unwrap_or_default()
    }

    fn user_texts(&self) -> impl DoubleEndedIterator<Item = String> {
        self.messages.iter().filter_map(|message| match message {
            Message::User(user) => Some(user.content.iter().filter_map(UserContent::as_text).collect()),
            _ => None,
        })
    }

    /// Another question, without the conversation before it.
    pub(super) fn only(&self, text: &str) -> Self {
        Self { messages: [Message::user(text)].into(), session: self.session.clone() }
    }

    /// The same conversation with another question at its end.
    pub(super) fn ending(&self, text: &str) -> Self {
        let before = self.messages.iter().rposition(|message| matches!(message, Message::User(_))).unwrap_or(0);
        let mut messages = self.messages[..before].to_vec();
        messages.push(Message::user(text));
        Self { messages: messages.into(), session: self.session.clone() }
    }
}
