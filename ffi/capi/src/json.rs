//! JSON that comes in and goes out.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thalweg::message::Message;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::E_VERSION;

use crate::fault::Fault;

/// Reads an object with known keys; no text counts as an empty one. An unknown key is named.
pub(crate) fn read<T: DeserializeOwned + Default>(text: &str, name: &str) -> Result<T, Fault> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| Failure::invalid(format!("`{name}`: {error}")).into())
}

/// Reads messages: an array of them.
pub(crate) fn messages(text: &str, name: &str) -> Result<Vec<Message>, Fault> {
    serde_json::from_str(text).map_err(|error| Failure::invalid(format!("`{name}`: {error}")).into())
}

/// A conversation as it goes out and comes back in.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conversation {
    schema: u32,
    messages: Vec<Message>,
}

impl Conversation {
    /// Writes a conversation.
    pub(crate) fn write(messages: Vec<Message>) -> String {
        // Strings, numbers and JSON values only, with string keys: nothing of it can fail.
        serde_json::to_string(&Self { schema: SCHEMA, messages }).unwrap_or_default()
    }

    /// Reads one.
    pub(crate) fn read(text: &str) -> Result<Vec<Message>, Fault> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let invalid = |error: serde_json::Error| Failure::invalid(format!("`conversation`: {error}"));
        let Head { schema } = serde_json::from_str(text).map_err(invalid)?;
        if schema != SCHEMA {
            let message = format!("the conversation has schema {schema}, and this library reads {SCHEMA}");
            return Err(Failure::new(E_VERSION, message).into());
        }
        let Self { messages, .. } = serde_json::from_str(text).map_err(invalid)?;
        Ok(messages)
    }
}

/// Version of the JSON of conversations and results.
pub(crate) const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversation_comes_back_and_another_schema_does_not() {
        let written = Conversation::write(vec![Message::user("hi")]);
        assert_eq!(Conversation::read(&written).ok(), Some(vec![Message::user("hi")]));
        for wrong in ["", "[]", r#"{"schema":2,"messages":[]}"#, r#"{"schema":1,"messages":[],"more":1}"#] {
            assert!(Conversation::read(wrong).is_err(), "{wrong}");
        }
    }
}
