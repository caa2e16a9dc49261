//! What a run answers.

use thalweg_agent::message::{Message, UserContent};

/// What a run answers: one text, or messages.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    pub(crate) messages: Vec<Message>,
}

impl Prompt {
    /// Answers what the conversation ends with.
    #[must_use]
    pub const fn go_on() -> Self {
        Self { messages: Vec::new() }
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Self { messages: vec![Message::user(text)] }
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self { messages: vec![Message::user(text)] }
    }
}

impl From<&String> for Prompt {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Message> for Prompt {
    fn from(message: Message) -> Self {
        Self { messages: vec![message] }
    }
}

impl From<Vec<Message>> for Prompt {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages }
    }
}

impl From<Vec<UserContent>> for Prompt {
    fn from(content: Vec<UserContent>) -> Self {
        Self { messages: vec![Message::user_content(content)] }
    }
}
