//! Compares a request with what its recording expects, and says every difference.

use serde_json::json;

use crate::conversation::{Call, Conversation, ToolResult, as_json};
use crate::recording::{Expect, ExpectedResult, Value};

/// One thing that is not as expected.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference {
    /// What it is about, for example a call id.
    pub about: String,
    /// What the recording expects.
    pub expected: Value,
    /// What the request has; `null` for nothing.
    pub got: Value,
}

impl Difference {
    fn new(about: impl Into<String>, expected: impl Into<Value>, got: impl Into<Value>) -> Self {
        Self { about: about.into(), expected: expected.into(), got: got.into() }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"about": self.about, "expected": self.expected, "got": self.got})
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {}, got ", self.about, shown(&self.expected))?;
        if self.got.is_null() { f.write_str("nothing") } else { f.write_str(&shown(&self.got)) }
    }
}

/// Every difference between a request and what is expected of it. The rules that any provider has are checked first:
/// each call is answered once, and only calls that were made are answered.
pub(crate) fn differences(conversation: &Conversation, expect: &Expect) -> Vec<Difference> {
    let mut found = Vec::new();
    answered_once(conversation, &mut found);
    for tool in &expect.tools {
        if !conversation.tools.contains(tool) {
            let offered = conversation.tools.join(", ");
            found.push(Difference::new("tools offered", format!("{tool} among them"), offered));
        }
    }
    let results = &conversation.results[conversation.results.len() - conversation.last_results..];
    for expected in &expect.results {
        let call = conversation.calls.iter().find(|call| call.id == expected.call_id);
        let result = results.iter().find(|result| result.call_id == expected.call_id);
        one_result(expected, call, result, &mut found);
    }
    if !expect.results.is_empty() {
        for result in results {
            if !expect.results.iter().any(|expected| expected.call_id == result.call_id) {
                let about = format!("result of {}", result.call_id);
                found.push(Difference::new(about, "no such result", result.text.as_str()));
            }
        }
    }
    for signature in &expect.signatures {
        if !conversation.signatures.contains(signature) {
            found.push(Difference::new(
                "thinking signatures sent back",
                signature.as_str(),
                if conversation.signatures.is_empty() { Value::Null } else { json!(conversation.signatures) },
            ));
        }
    }
    found
}

fn answered_once(conversation: &Conversation, found: &mut Vec<Difference>) {
    for call in &conversation.calls {
        let answers = conversation.results.iter().filter(|result| result.call_id == call.id).count();
        // A recorded question that is asked again brings the same ids again, each with its result.
        let calls = conversation.calls.iter().filter(|other| other.id == call.id).count();
        if answers != calls {
            let got = if answers == 0 { Value::Null } else { Value::from(format!("{answers} results")) };
            found.push(Difference::new(format!("call {} ({})", call.id, call.name), "one result", got));
        }
    }
    for result in &conversation.results {
        if !conversation.calls.iter().any(|call| call.id == result.call_id) {
            let about = format!("result of {}", result.call_id);
            found.push(Difference::new(about, "a result of a call that the assistant made", result.text.as_str()));
        }
    }
}

fn one_result(
    expected: &ExpectedResult,
    call: Option<&Call>,
    result: Option<&ToolResult>,
    found: &mut Vec<Difference>,
) {
    let id = &expected.call_id;
    if let Some(tool) = &expected.tool {
        let got = call.map_or(Value::Null, |call| Value::from(call.name.as_str()));
        if got != tool.as_str() {
            found.push(Difference::new(format!("tool of call {id}"), tool.as_str(), got));
        }
    }
    if let (Some(arguments), Some(call)) = (&expected.arguments, call)
        && !same(arguments, &call.arguments)
    {
        found.push(Difference::new(format!("arguments of call {id}"), arguments.clone(), call.arguments.clone()));
    }
    let about = match &expected.tool {
        Some(tool) => format!("result of {id} ({tool})"),
        None => format!("result of {id}"),
    };
    let Some(result) = result else {
        let wanted = expected.equals.clone().or_else(|| expected.includes.clone());
        let wanted = wanted.unwrap_or_else(|| Value::from(expected.contains.as_deref().unwrap_or("a result")));
        found.push(Difference::new(about, wanted, Value::Null));
        return;
    };
    let got = as_json(result.text.trim());
    if let Some(equals) = &expected.equals {
        let wanted = equals.as_str().map_or_else(|| equals.clone(), |text| as_json(text.trim()));
        if !same(&wanted, &got) {
            found.push(Difference::new(about.as_str(), equals.clone(), got.clone()));
        }
    }
    if let Some(includes) = &expected.includes
        && !contained(includes, &got)
    {
        found.push(Difference::new(about.as_str(), json!({"at least": includes}), got));
    }
    if let Some(contains) = &expected.contains
        && !result.text.contains(contains.as_str())
    {
        found.push(Difference::new(about, format!("a text with {contains:?} in it"), result.text.as_str()));
    }
}

/// Equal as JSON: order of members does not matter, 391 equals 391.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Whether `whole` has every member that `part` has.
fn contained(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| contained(value, other)))
        }
        _ => same(part, whole),
    }
}

/// A value on one line, cut when it is long.
fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_equal_by_value_and_members_in_any_order() {
        assert!(same(&json!({"a": 1, "b": [2.0]}), &json!({"b": [2], "a": 1.0})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(!same(&json!("391"), &json!(391)));
        assert!(contained(&json!({"a": {"b": 1}}), &json!({"a": {"b": 1, "c": 2}, "d": 3})));
        assert!(!contained(&json!({"a": 1}), &json!([1])));
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let text = shown(&Value::from("é".repeat(1000)));
        assert!(text.ends_with("… (2002 bytes)"), "{text}");
    }
}
