//! All of a request but its messages.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use thalweg_abi::guest::{Failure, Request};

/// The canonical request.
#[derive(Deserialize)]
struct Canonical {
    model: String,
    system: Option<String>,
    #[serde(default)]
    tools: Vec<Tool>,
    tool_choice: Option<ToolChoice>,
    max_tokens: Option<u64>,
    temperature: Option<Value>,
    top_p: Option<Value>,
    #[serde(default)]
    stop: Vec<String>,
    thinking: Option<Level>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default)]
    description: String,
    parameters: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ToolChoice {
    Mode(String),
    Tool { name: String },
}

#[derive(Deserialize)]
struct Level {
    level: Option<String>,
    budget_tokens: Option<u64>,
}

/// The provider wants a limit on tokens in every request.
const MAX_TOKENS_DEFAULT: u64 = 4096;
/// The least that the provider takes as a budget of thinking.
const BUDGET_TOKENS_MIN: u64 = 1024;

/// Writes headers and body of `request`.
pub(crate) fn encode(request: &str, out: &mut Request) -> Result<(), Failure> {
    let request: Canonical = serde_json::from_str(request)
        .map_err(|error| Failure::invalid(format!("the request is not in the canonical form: {error}")))?;
    let body = Value::Object(fields(request)?).to_string();
    out.headers.push(("content-type".into(), "application/json".into()));
    out.headers.push(("anthropic-version".into(), "2023-06-01".into()));
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"messages\":[");
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: Canonical) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let max_tokens = request.max_tokens.unwrap_or(MAX_TOKENS_DEFAULT);
    let budget = request.thinking.as_ref().map(budget_tokens).transpose()?;
    set("model", Some(request.model.into()));
    // The budget counts as part of the limit, which would leave nothing for the answer.
    let max_tokens = match budget {
        Some(budget) if budget >= max_tokens => budget.saturating_add(max_tokens),
        _ => max_tokens,
    };
    set("max_tokens", Some(max_tokens.into()));
    set("stream", Some(request.stream.into()));
    set("system", request.system.filter(|system| !system.is_empty()).map(Value::from));
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.into_iter().map(tool).collect()));
    }
    set("tool_choice", request.tool_choice.map(tool_choice));
    if let Some(budget) = budget {
        set("thinking", Some(json!({"type": "enabled", "budget_tokens": budget})));
    } else {
        // With thinking the provider refuses any other temperature than its own.
        set("temperature", request.temperature);
    }
    set("top_p", request.top_p);
    if !request.stop.is_empty() {
        set("stop_sequences", Some(request.stop.into()));
    }
    body.extend(request.extra);
    body.remove("messages");
    Ok(body)
}

fn budget_tokens(thinking: &Level) -> Result<u64, Failure> {
    let budget = match (thinking.budget_tokens, thinking.level.as_deref()) {
        (Some(budget), _) => budget,
        (None, Some("low")) => 2048,
        (None, None | Some("medium")) => 8192,
        (None, Some("high")) => 16_384,
        (None, Some(_)) => {
            return Err(Failure::invalid("the level of thinking is unknown; use low, medium or high, or a budget"));
        }
    };
    Ok(budget.max(BUDGET_TOKENS_MIN))
}

fn tool(tool: Tool) -> Value {
    json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) if mode == "required" => json!({"type": "any"}),
        ToolChoice::Mode(mode) => json!({"type": mode}),
        ToolChoice::Tool { name } => json!({"type": "tool", "name": name}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &mut out).unwrap();
        assert!(out.headers.contains(&("anthropic-version".into(), "2023-06-01".into())));
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent_but_for_the_limit() {
        let user = json!({"role":"user","content":"x"});
        let expected = json!({"model":"m","max_tokens":4096,"stream":true,"messages":[user]});
        assert_eq!(body(&json!({"model":"m","stream":true,"system":""})), expected);
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":"required","max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["x"],"stream":false,
            "extra":{"metadata":{"user_id":"u"},"messages":[]}});
        let expected = json!({"model":"m","max_tokens":9,"stream":false,"system":"s",
            "tools":[{"name":"t","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},
            "temperature":0.5,"top_p":0.9,"stop_sequences":["x"],"metadata":{"user_id":"u"},
            "messages":[{"role":"user","content":"x"}]});
        assert_eq!(body(&request), expected);
        assert_eq!(
            body(&json!({"model":"m","tool_choice":{"name":"t"}}))["tool_choice"],
            json!({"type":"tool","name":"t"})
        );
    }

    #[test]
    fn thinking_leaves_room_for_the_answer() {
        for (thinking, max_tokens, budget, limit) in [
            (json!({"level":"low"}), 4096, 2048, 4096),
            (json!({"level":"high"}), 1000, 16_384, 17_384),
            (json!({"level":"low","budget_tokens":5}), 4096, 1024, 4096),
            (json!({"budget_tokens":5000}), 5000, 5000, 10_000),
        ] {
            let sent = body(&json!({"model":"m","max_tokens":max_tokens,"thinking":thinking,"temperature":0.1}));
            assert_eq!(sent["thinking"], json!({"type":"enabled","budget_tokens":budget}), "{thinking}");
            assert_eq!(sent["max_tokens"], json!(limit), "{thinking}");
            assert!(sent.get("temperature").is_none());
        }
    }

    #[test]
    fn what_is_no_canonical_request_is_refused() {
        for request in ["", "[]", "{}", r#"{"model":1}"#, r#"{"model":"m","thinking":{"level":"huge"}}"#] {
            assert!(encode(request, &mut Request::default()).is_err(), "{request}");
        }
    }
}
