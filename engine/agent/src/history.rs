//! The messages of a conversation, each with its JSON, which is written once.

use std::sync::Arc;

use crate::message::{AssistantMessage, Message, ToolMessage, ToolResult, UserContent};

/// Why a tool call of an earlier, interrupted conversation has no answer.
const INTERRUPTED: &str = "not executed: the run was interrupted";

/// A message and its canonical JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The message.
    pub message: Arc<Message>,
    /// Its canonical JSON.
    pub json: Arc<String>,
}

/// A conversation that any provider accepts: every tool call is answered, right behind its message. A clone shares the
/// messages.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Entry>,
}

impl History {
    /// Takes over messages from elsewhere. Tool calls without a result get an error result, and results without a call
    /// are dropped.
    #[must_use]
    pub fn new(messages: Vec<Message>) -> Self {
        let mut history = Self::default();
        let mut messages = messages.into_iter().peekable();
        while let Some(message) = messages.next() {
            match message {
                Message::Tool(_) => {}
                Message::Assistant(reply) => {
                    let answers = match messages.next_if(|next| matches!(next, Message::Tool(_))) {
                        Some(Message::Tool(answers)) => answers,
                        _ => ToolMessage::default(),
                    };
                    let answers = complete(&reply, answers);
                    history.push(Message::Assistant(reply));
                    if !answers.content.is_empty() {
                        history.push(Message::Tool(answers));
                    }
                }
                Message::User(_) | Message::Custom(_) => drop(history.push(message)),
            }
        }
        history
    }

    /// Appends a message and gives its JSON.
    pub(crate) fn push(&mut self, message: Message) -> Arc<String> {
        let json = Arc::new(message.to_json());
        self.entries.push(Entry { message: Arc::new(message), json: Arc::clone(&json) });
        json
    }

    /// Number of messages.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All messages.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All messages, without their JSON.
    #[must_use]
    pub fn into_messages(self) -> Vec<Message> {
        self.entries.into_iter().map(|entry| Arc::unwrap_or_clone(entry.message)).collect()
    }

    /// The messages from number `from` on that a request carries, each as its number and entry. Empty replies are left
    /// out.
    pub fn sendable_from(&self, from: usize) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().skip(from).filter(|(_, entry)| entry.message.is_sendable())
    }
}

/// One result a call, in the order of the calls.
pub(crate) fn complete(reply: &AssistantMessage, mut answers: ToolMessage) -> ToolMessage {
    let mut content = Vec::new();
    for call in reply.tool_calls() {
        let found = answers.content.iter().position(|result| result.tool_call_id == call.id);
        content.push(match found {
            Some(at) => answers.content.remove(at),
            None => ToolResult {
                tool_call_id: call.id.clone(),
                tool_name: call.name.clone(),
                content: vec![UserContent::text(INTERRUPTED)],
                is_error: true,
                details: None,
            },
        });
    }
    ToolMessage { content, time_us: answers.time_us }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ContentBlock, ToolCall};

    fn call(id: &str) -> ContentBlock {
        ContentBlock::ToolCall(ToolCall {
            id: id.into(),
            name: "t".into(),
            arguments: "{}".into(),
            ..ToolCall::default()
        })
    }

    fn result(id: &str) -> ToolResult {
        ToolResult { tool_call_id: id.into(), tool_name: "t".into(), content: vec![], is_error: false, details: None }
    }

    fn reply(content: Vec<ContentBlock>) -> Message {
        Message::Assistant(AssistantMessage { content, ..AssistantMessage::default() })
    }

    #[test]
    fn orphan_calls_are_answered_and_orphan_results_dropped() {
        let stray = Message::Tool(ToolMessage { content: vec![result("z")], time_us: None });
        let some = Message::Tool(ToolMessage { content: vec![result("x"), result("b")], time_us: None });
        let history = History::new(vec![
            stray,
            Message::user("hi"),
            reply(vec![call("a"), call("b")]),
            some,
            reply(vec![call("c")]),
            Message::user("and?"),
        ]);
        let roles: Vec<_> = history.entries().iter().map(|entry| entry.message.role()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "assistant", "tool", "user"]);
        let results = |at: usize| match &*history.entries()[at].message {
            Message::Tool(tool) => {
                tool.content.iter().map(|r| (r.tool_call_id.clone(), r.is_error)).collect::<Vec<_>>()
            }
            other => panic!("not a tool message: {other:?}"),
        };
        assert_eq!(results(2), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(results(4), [("c".to_owned(), true)]);
    }

    #[test]
    fn empty_replies_are_kept_but_not_sent() {
        let history = History::new(vec![Message::user("hi"), reply(vec![]), Message::user("again")]);
        assert_eq!(history.len(), 3);
        let sent: Vec<_> = history.sendable_from(0).map(|(number, _)| number).collect();
        assert_eq!(sent, [0, 2]);
        assert_eq!(history.sendable_from(1).count(), 1);
    }
}
