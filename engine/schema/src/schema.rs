//! JSON Schemas, compiled once and asked often.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::coerce::coerce;

/// What is done with arguments that the schema of their tool does not allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Nothing: the tool gets what the model wrote.
    Off,
    /// The tool is not run, and the model is told what is wrong.
    #[default]
    Check,
    /// As [`Validation::Check`], but values whose type can be made right are first: `"17"` becomes 17 where an integer is
    /// asked for. Strings become numbers, booleans, null, objects or arrays if they are their JSON; numbers and booleans
    /// become strings; 1 and 0 become booleans; 17.0 becomes 17.
    Coerce,
}

/// A schema that is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    message: String,
}

/// A JSON Schema, drafts 4 to 2020-12. References go within it only: nothing is fetched.
pub struct Schema {
    validator: jsonschema::Validator,
    source: Value,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let wrong = |error: jsonschema::ValidationError<'_>| SchemaError { message: shorten(&error.to_string()) };
        let validator = jsonschema::validator_for(schema).map_err(wrong)?;
        Ok(Self { validator, source: schema.clone() })
    }

    /// Whether the schema allows `value`; the first errors of those there are, each with its place.
    ///
    /// # Errors
    /// In words that help a model to do better.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mut errors = self.validator.iter_errors(value);
        let mut told: Vec<String> = errors.by_ref().take(ERRORS_MAX).map(|error| tell(&error)).collect();
        let more = errors.take(ERRORS_COUNTED_MAX).count();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        Err(told.join("; "))
    }

    /// `value` with the types that the schema asks for, where they can be made: see [`Validation::Coerce`].
    #[must_use]
    pub fn coerce(&self, value: Value) -> Value {
        coerce(value, &self.source)
    }

    /// What a tool gets for what the model wrote.
    ///
    /// # Errors
    /// As [`Schema::check`].
    pub fn arguments(&self, value: Value, validation: Validation) -> Result<Value, String> {
        if validation == Validation::Off {
            return Ok(value);
        }
        let Err(why) = self.check(&value) else {
            return Ok(if validation == Validation::Coerce { self.coerce(value) } else { value });
        };
        if validation == Validation::Coerce {
            let value = self.coerce(value);
            if self.check(&value).is_ok() {
                return Ok(value);
            }
        }
        Err(why)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

fn tell(error: &jsonschema::ValidationError<'_>) -> String {
    let (place, text) = (error.instance_path().to_string(), shorten(&error.to_string()));
    if place.is_empty() { text } else { format!("{place}: {text}") }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Errors that are told; more do not help.
const ERRORS_MAX: usize = 5;
/// Errors that are counted: an array of a million wrong items is not walked through.
const ERRORS_COUNTED_MAX: usize = 100;
/// An error quotes the value, which may be long.
const ERROR_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        Schema::new(&json!({"type":"object","required":["n"],"additionalProperties":false,
            "properties":{"n":{"type":"integer","minimum":1},"s":{"type":"string"}}}))
        .unwrap()
    }

    #[test]
    fn every_error_is_told_with_its_place() {
        let why = schema().check(&json!({"n":"x","s":1,"z":0})).unwrap_err();
        assert!(why.contains("/n: \"x\" is not of type \"integer\""), "{why}");
        assert!(why.contains("/s: 1 is not of type \"string\"") && why.contains("'z'"), "{why}");
        assert!(schema().check(&json!({})).unwrap_err().contains("\"n\" is a required property"));
        assert_eq!(schema().check(&json!({"n":1})), Ok(()));
    }

    #[test]
    fn an_error_is_never_longer_than_helps() {
        let numbers: Vec<_> = (0..10_000).collect();
        let texts = Schema::new(&json!({"type":"object","properties":{"a":{"items":{"type":"string"}}}})).unwrap();
        let why = texts.check(&json!({"a":numbers,"b":"x".repeat(100_000)})).unwrap_err();
        assert!(why.ends_with("and 100 more") && why.len() < 1000, "{why}");
        let why = schema().check(&json!({"n": "é".repeat(100_000)})).unwrap_err();
        assert!(why.len() < 1000 && why.contains('…'));
    }

    #[test]
    fn coercion_is_asked_for_and_never_breaks_what_fits() {
        let schema = schema();
        assert!(schema.arguments(json!({"n":"17"}), Validation::Check).is_err());
        assert_eq!(schema.arguments(json!({"n":"17"}), Validation::Off), Ok(json!({"n":"17"})));
        assert_eq!(schema.arguments(json!({"n":"17","s":true}), Validation::Coerce), Ok(json!({"n":17,"s":"true"})));
        assert_eq!(schema.arguments(json!({"n":17.0}), Validation::Coerce), Ok(json!({"n":17})));
        // What is wrong is told of what the model wrote.
        let why = schema.arguments(json!({"n":"-17"}), Validation::Coerce).unwrap_err();
        assert!(why.contains("\"-17\" is not of type"), "{why}");
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        let error = Schema::new(&json!({"type":"object","properties":{"x":{"type":"int"}}})).unwrap_err();
        assert!(error.to_string().contains("\"int\""), "{error}");
        assert!(Schema::new(&json!({"$ref":"http://127.0.0.1:9/schema.json"})).is_err());
    }
}
