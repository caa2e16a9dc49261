//! Checks the JSON text of a tool call's arguments once it is complete.

use serde_json::Value;

/// What the text of arguments turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// The text of a JSON object.
    Object,
    /// Nothing, blanks, or `null`: a call without arguments.
    Nothing,
    /// Not a JSON object, and why.
    Invalid(String),
}

impl Arguments {
    /// Checks `text`; nesting beyond 128 levels is refused.
    #[must_use]
    pub fn check(text: &str) -> Self {
        if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
            return Self::Nothing;
        }
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_)) => Self::Object,
            Ok(Value::Null) => Self::Nothing,
            Ok(_) => Self::Invalid("not a JSON object".to_owned()),
            Err(error) => Self::Invalid(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_nothing_and_wrong_texts_are_told_apart() {
        for text in ["{}", " {\"a\":[1,{\"b\":null}]}\n", "{\"é\":\"\\ud83d\\ude00\"}"] {
            assert_eq!(Arguments::check(text), Arguments::Object, "{text}");
        }
        for text in ["", " \n", "null", " null "] {
            assert_eq!(Arguments::check(text), Arguments::Nothing, "{text}");
        }
        for text in ["{", "{\"a\":1", "[1]", "\"x\"", "{} {}", "{'a':1}", "nul", "\u{a0}"] {
            assert!(matches!(Arguments::check(text), Arguments::Invalid(_)), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_overflowed() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(Arguments::check(&deep), Arguments::Invalid(_)));
    }
}
