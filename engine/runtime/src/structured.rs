//! Structured output: a reply read as the JSON that was asked for.

use serde::de::DeserializeOwned;
use serde_json::Value;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::message::AssistantMessage;
use thalweg_agent::request::Output;
use thalweg_schema::Schema;

use crate::error::Error;

/// The JSON of `message`, once the schema of `output` allows it.
pub(crate) fn read<T: DeserializeOwned>(message: AssistantMessage, output: Option<&Output>) -> Result<T, Error> {
    checked(&message.text(), output).map_err(|why| {
        let failure = Failure::new(FailureKind::Malformed, format!("the reply is not the JSON asked for: {why}"));
        Error::Run { failure: Box::new(failure), partial: Some(Box::new(message)) }
    })
}

fn checked<T: DeserializeOwned>(text: &str, output: Option<&Output>) -> Result<T, String> {
    let value: Value = serde_json::from_str(unfenced(text)).map_err(|error| error.to_string())?;
    if let Some(Output::JsonSchema { schema, .. }) = output {
        let schema = Schema::new(schema).map_err(|error| format!("its schema is wrong: {error}"))?;
        schema.check(&value)?;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// JSON without the code fence that models like to put around it.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else { return text };
    inner.split_once('\n').map_or(inner, |(_, json)| json).trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_schema_does_not_allow_is_refused_with_its_place() {
        let schema =
            json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]});
        let output = Output::JsonSchema { schema, name: None, strict: None };
        let read = |text: &str| checked::<Value>(text, Some(&output));
        assert_eq!(read("```json\n{\"age\": 3}\n```"), Ok(json!({"age": 3})));
        assert!(read("{\"age\": -3}").is_err_and(|why| why.contains("/age")));
        assert!(read("{}").is_err_and(|why| why.contains("age")));
        assert!(read("I am three").is_err_and(|why| why.contains("expected value")));
        assert_eq!(checked::<Value>("{}", Some(&Output::Json)), Ok(json!({})));
    }
}
