//! What an agent behind a mailbox remembers.

use std::future::Future;
use std::pin::Pin;

use thalweg::message::Message;

/// What an agent remembers of its conversation.
pub trait Memory: Send + 'static {
    /// Adds messages at the end.
    fn append<'a>(&'a mut self, messages: &'a [Message]) -> MemoryFuture<'a, ()>;

    /// The last messages, oldest first: `most` of them as far as that can be kept, or all. Ends of one exchange only: see [`window`].
    fn recent(&mut self, most: Option<usize>) -> MemoryFuture<'_, Vec<Message>>;

    /// What was said that fits `query` best, the best first.
    fn search<'a>(&'a mut self, query: &'a str, most: usize) -> MemoryFuture<'a, Vec<Recalled>>;
}

/// What a memory is busy with.
pub type MemoryFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MemoryError>> + Send + 'a>>;

/// Something that was said, and how well it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    /// What was said.
    pub message: Message,
    /// How well it fits: higher is better, and only to be compared within one answer.
    pub score: f32,
}

/// A memory cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory: {0}")]
pub struct MemoryError(pub String);

/// The last of `messages`, `most` of them as far as that can be kept: a window begins with what a user says, so that no result of
/// a tool is without its call and no reply without its question. An exchange that is longer than that stays whole if it is the
/// last one, and goes whole if it is not.
#[must_use]
pub fn window(messages: &[Message], most: usize) -> &[Message] {
    let is_begin = |at: &usize| {
        matches!(messages[*at], Message::User(_)) && (*at == 0 || !matches!(messages[*at - 1], Message::User(_)))
    };
    let from = messages.len().saturating_sub(most);
    let begin = (from..messages.len()).find(is_begin).or_else(|| (0..from).rev().find(is_begin));
    &messages[begin.unwrap_or(0)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `u`, `a` and `t` for messages of the user, the model and its tools.
    fn conversation(roles: &str) -> Vec<Message> {
        let message = |role| match role {
            'u' => Message::user("u"),
            'a' => Message::Assistant(Default::default()),
            _ => Message::Tool(Default::default()),
        };
        roles.chars().map(message).collect()
    }

    #[test]
    fn a_window_begins_with_a_question() {
        let cases = [
            // All of it, the most, and what is left.
            ("", 3, ""),
            ("ua", 3, "ua"),
            ("uaua", 3, "ua"),
            ("uaua", 4, "uaua"),
            ("uatauata", 5, "uata"),
            ("uatauata", 7, "uata"),
            ("uatauata", 8, "uatauata"),
            // The last exchange stays whole, however long it is.
            ("uauatatat", 2, "uatatat"),
            ("uatatat", 1, "uatatat"),
            ("uatatat", 0, "uatatat"),
            // Two messages of the user in a row are one question.
            ("uauu", 1, "uu"),
            ("uauua", 2, "uua"),
            // What has no question at its head is not cut.
            ("ata", 1, "ata"),
        ];
        for (roles, most, expected) in cases {
            let all = conversation(roles);
            assert_eq!(window(&all, most), conversation(expected), "{roles} {most}");
        }
    }
}
