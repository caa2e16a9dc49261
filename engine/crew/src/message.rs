//! What agents say to each other: named values that never change, with a hash of what is in them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::field::{Field, Frozen};
use crate::hash::{serialized, sha256};

/// A message. Cheap to clone, never changed. Two with the same content are equal and have the same hash key.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    class: String,
    fields: Frozen,
    hash: OnceLock<String>,
}

impl Message {
    /// A message that is a text.
    pub fn text(content: impl Into<String>) -> Self {
        Self::of_text("TextMessage", content)
    }

    /// A message that says what went wrong.
    pub fn error(content: impl Into<String>) -> Self {
        Self::of_text("ErrorMessage", content)
    }

    /// What a user says: a text with the role `user`.
    pub fn user(content: impl Into<String>) -> Self {
        Self::of_text("UserMessage", content).with("role", "user")
    }

    /// Instructions for a model: a text with the role `system`.
    pub fn system(content: impl Into<String>) -> Self {
        Self::of_text("SystemMessage", content).with("role", "system")
    }

    /// What a model says: a text with the role `assistant`.
    pub fn assistant(content: impl Into<String>) -> Self {
        let message = Self::of_text("AssistantMessage", content).with("role", "assistant");
        message.with("model", Field::Null).with("agent_alias", Field::Null)
    }

    /// A message of a type of the caller's own, read back by [`Message::to`]. A list or an object in it becomes a
    /// field that never changes; messages within it are added by [`Message::with`].
    ///
    /// # Errors
    /// When it cannot be written as an object of JSON.
    pub fn of<T: Serialize>(class: impl Into<String>, value: &T) -> Result<Self, serde_json::Error> {
        match Field::from(serde_json::to_value(value)?) {
            Field::Frozen(fields) => Ok(Self::new(class, fields)),
            _ => Err(serde::ser::Error::custom("a message is made of named values")),
        }
    }

    /// Its values as a type of the caller's own; what that does not name is left out.
    ///
    /// # Errors
    /// When a value is missing or of another type.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.fields().to_plain_json())
    }

    pub(crate) fn of_text(class: &str, content: impl Into<String>) -> Self {
        Self::new(class, Frozen::new().with("content", content.into()).with("content_template", Field::Null))
    }

    /// A message of a class of the caller's own.
    pub fn new(class: impl Into<String>, fields: Frozen) -> Self {
        Self(Arc::new(Inner { class: class.into(), fields, hash: OnceLock::new() }))
    }

    /// Another message: this one with one more value, or another one under a name that is there.
    #[must_use]
    pub fn with(self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        let (class, mut fields) = match Arc::try_unwrap(self.0) {
            Ok(inner) => (inner.class, inner.fields),
            Err(shared) => (shared.class.clone(), shared.fields.clone()),
        };
        fields.set(name.into(), value.into());
        Self::new(class, fields)
    }

    pub(crate) fn with_all(self, fields: &Frozen) -> Self {
        fields.iter().fold(self, |message, (name, value)| message.with(name, value.clone()))
    }

    /// The name of its class, such as `TextMessage`.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.0.class
    }

    /// Its values.
    #[must_use]
    pub fn fields(&self) -> &Frozen {
        &self.0.fields
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.fields.get(name)
    }

    /// 40 hexadecimal digits that stand for its content.
    #[must_use]
    pub fn hash_key(&self) -> &str {
        &self.longer_hash_key()[..40]
    }

    /// All 64 digits.
    #[must_use]
    pub fn longer_hash_key(&self) -> &str {
        self.0.hash.get_or_init(|| sha256(&self.serialized()))
    }

    /// The JSON that is hashed: sorted, with the hash keys of messages within in place of them.
    #[must_use]
    pub fn serialized(&self) -> String {
        serialized(&self.0.class, &self.0.fields)
    }

    /// All of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.0.fields.to_json(&self.0.class)
    }

    /// The messages within, children before parents.
    #[must_use]
    pub fn sub_messages(&self) -> Vec<Self> {
        let mut found = Vec::new();
        for (_, value) in self.0.fields.iter() {
            value.messages(&mut found);
        }
        found
    }
}

/// The content if it is a text; or its `content_template`, where `{name}` stands for the value under that name; else its JSON
/// in a fence.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get("content") {
            Some(Field::Text(content)) if self.get("content_template").is_some() => f.write_str(content),
            Some(Field::Null) if self.class() == "TextMessage" => match self.get("content_template") {
                Some(Field::Text(template)) => f.write_str(&filled_in(template, self.fields())),
                _ => Ok(()),
            },
            _ => write!(f, "```json\n{}\n```", self.to_json()),
        }
    }
}

/// A template with values in it, as Python's `format` writes them. A name that is not there stays as it is.
fn filled_in(template: &str, fields: &Frozen) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')).map(|(name, _)| name);
        let (written, len) = match (&rest[..2.min(rest.len())], name) {
            ("{{", _) => ("{".to_owned(), 2),
            ("}}", _) => ("}".to_owned(), 2),
            (_, Some(name)) => match fields.get(name) {
                Some(value) => (value.to_python(), name.len() + 2),
                None => (rest[..1].to_owned(), 1),
            },
            _ => (rest[..1].to_owned(), 1),
        };
        text.push_str(&written);
        rest = &rest[len..];
    }
    text + rest
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.class() == other.class() && self.fields() == other.fields())
    }
}

impl Eq for Message {}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_key().hash(state);
    }
}

impl From<&str> for Message {
    fn from(content: &str) -> Self {
        Self::text(content)
    }
}

impl From<String> for Message {
    fn from(content: String) -> Self {
        Self::text(content)
    }
}
