//! What a responder is asked.

use std::sync::Arc;

use serde_json::Value;
use thalweg_agent::history::History;
use thalweg_agent::message::Message;
use thalweg_agent::request::{Delivery, Request};

/// What a responder is asked. Cloning it copies no text.
#[derive(Clone, Debug)]
pub struct Ask {
    request: Arc<Request>,
    messages: Arc<[Arc<String>]>,
    turn: u32,
    delivery: Delivery,
}

impl Ask {
    /// Asks for the reply to `messages`.
    #[must_use]
    pub fn new(request: Request, messages: Vec<Message>, delivery: Delivery) -> Self {
        Self::of_history(Arc::new(request), &History::new(messages), 1, delivery)
    }

    /// Asks for the reply of turn `turn` to what `history` holds.
    pub(crate) fn of_history(request: Arc<Request>, history: &History, turn: u32, delivery: Delivery) -> Self {
        let messages = history.sendable_from(0).map(|(_, entry)| Arc::clone(&entry.json)).collect();
        Self { request, messages, turn, delivery }
    }

    /// All of the request but its messages.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The request, to change it for who is asked next.
    pub fn request_mut(&mut self) -> &mut Request {
        Arc::make_mut(&mut self.request)
    }

    /// The canonical JSON of each message.
    #[must_use]
    pub fn messages_json(&self) -> &[Arc<String>] {
        &self.messages
    }

    /// The messages; reads their JSON.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.messages.iter().filter_map(|json| serde_json::from_str(json).ok()).collect()
    }

    /// Puts other messages in the place of these. Calls without results get an error as theirs.
    pub fn set_messages(&mut self, messages: Vec<Message>) {
        let history = History::new(messages);
        self.messages = history.sendable_from(0).map(|(_, entry)| Arc::clone(&entry.json)).collect();
    }

    pub(crate) fn set_messages_json(&mut self, messages: Arc<[Arc<String>]>) {
        self.messages = messages;
    }

    /// The text of the last message of the user; empty where there is none.
    #[must_use]
    pub fn last_user_text(&self) -> String {
        let is_user = |json: &&Arc<String>| json.starts_with("{\"role\":\"user\"");
        let last = self.messages.iter().rev().find(is_user).and_then(|json| serde_json::from_str(json).ok());
        let Some(Message::User(message)) = last else { return String::new() };
        message.content.iter().filter_map(|part| part.as_text()).collect()
    }

    /// Number of the turn in its run, from 1.
    #[must_use]
    pub const fn turn(&self) -> u32 {
        self.turn
    }

    /// Whether the reply is wanted as a stream or at once.
    #[must_use]
    pub const fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// All of the request but its messages, as canonical JSON.
    #[must_use]
    pub fn envelope(&self) -> String {
        self.request.envelope(self.turn, self.delivery)
    }

    /// The whole request as canonical JSON, with the key `messages`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let envelope = self.envelope();
        // It is an object with at least one key.
        let head = envelope.strip_suffix('}').unwrap_or(&envelope);
        let messages: Vec<&str> = self.messages.iter().map(|json| json.as_str()).collect();
        format!("{head},\"messages\":[{}]}}", messages.join(","))
    }

    /// Bytes of the messages' JSON and of the system prompt: a measure of how long the prompt is.
    #[must_use]
    pub fn prompt_bytes(&self) -> usize {
        let system = self.request.system.as_ref().map_or(0, String::len);
        self.messages.iter().map(|json| json.len()).sum::<usize>() + system
    }

    /// What makes two asks the same one: the request, and of each message who says what, without times and counters.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut identity = self.envelope();
        for json in self.messages.iter() {
            let message: Value = serde_json::from_str(json).unwrap_or_default();
            identity.push('\n');
            identity.push_str(&serde_json::json!([message["role"], message["content"]]).to_string());
        }
        identity
    }
}
