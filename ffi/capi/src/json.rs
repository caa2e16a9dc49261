//! JSON that comes in and goes out.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thalweg::Saved;
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

/// Writes a conversation.
pub(crate) fn write_conversation(saved: &Saved) -> String {
    // Strings, numbers and JSON values only, with string keys: nothing of it can fail.
    serde_json::to_string(saved).unwrap_or_default()
}

/// Reads one.
pub(crate) fn read_conversation(text: &str) -> Result<Saved, Fault> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let invalid = |error: serde_json::Error| Failure::invalid(format!("`conversation`: {error}"));
    let Head { schema } = serde_json::from_str(text).map_err(invalid)?;
    if schema != Saved::SCHEMA {
        let message = format!("the conversation has schema {schema}, and this library reads {}", Saved::SCHEMA);
        return Err(Failure::new(E_VERSION, message).into());
    }
    Ok(serde_json::from_str(text).map_err(invalid)?)
}

/// Version of the JSON of results.
pub(crate) const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversation_comes_back_and_another_schema_does_not() {
        let saved = Saved::new(vec![Message::user("hi")]);
        assert_eq!(read_conversation(&write_conversation(&saved)).ok(), Some(saved));
        for wrong in ["", "[]", r#"{"schema":2,"messages":[]}"#, r#"{"schema":1,"messages":[],"more":1}"#] {
            assert!(read_conversation(wrong).is_err(), "{wrong}");
        }
    }
}
