//! Messages out of the form in which they are hashed and stored.

use serde_json::Value;

use crate::field::{Field, Frozen};
use crate::message::Message;

/// Why a message could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is not what [`Message::serialized`] gives.
    #[error("this is no message as it is stored: {0}")]
    Form(String),
    /// A message within it is not there.
    #[error("it refers to message {hash_key}, which is not there")]
    Missing {
        /// The one.
        hash_key: String,
    },
}

impl Message {
    /// A message out of what [`Message::serialized`] gave. `find` gives the messages within, by their hash keys.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(serialized: &str, find: &mut dyn FnMut(&str) -> Option<Self>) -> Result<Self, RestoreError> {
        let value: Value = serde_json::from_str(serialized).map_err(|error| RestoreError::Form(error.to_string()))?;
        let class = value["class_"].as_str().ok_or_else(|| RestoreError::Form("it has no `class_`".into()))?.to_owned();
        match field(value, find)? {
            Field::Frozen(fields) => Ok(Self::new(class, fields)),
            _ => Err(RestoreError::Form("it is no object".into())),
        }
    }
}

fn field(value: Value, find: &mut dyn FnMut(&str) -> Option<Message>) -> Result<Field, RestoreError> {
    match value {
        Value::Array(list) => {
            let list = list.into_iter().map(|value| field(value, find));
            Ok(Field::List(list.collect::<Result<_, _>>()?))
        }
        Value::Object(map) => {
            let mut fields = Frozen::new();
            for (name, value) in map {
                if name == "class_" {
                    continue;
                }
                let (name, value) = match (name.strip_suffix("__hash_key"), name.strip_suffix("__hash_keys"), value) {
                    (Some(name), _, Value::String(key)) => (name.to_owned(), message(&key, find)?),
                    (_, Some(name), Value::Array(keys)) => {
                        let keys = keys.iter().map(|key| message(key.as_str().unwrap_or_default(), find));
                        (name.to_owned(), Field::List(keys.collect::<Result<_, _>>()?))
                    }
                    (_, _, value) => (name, field(value, find)?),
                };
                fields.set(name, value);
            }
            Ok(Field::Frozen(fields))
        }
        single => Ok(single.into()),
    }
}

fn message(key: &str, find: &mut dyn FnMut(&str) -> Option<Message>) -> Result<Field, RestoreError> {
    find(key).map(Field::Message).ok_or_else(|| RestoreError::Missing { hash_key: key.to_owned() })
}
