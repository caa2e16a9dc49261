//! All of a request but its messages.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use thalweg_abi::guest::{Failure, Request};

use crate::options::{MaxTokens, Options, Thinking};

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

/// Writes path and body of `request`.
pub(crate) fn encode(request: &str, options: &Options, out: &mut Request) -> Result<(), Failure> {
    let request: Canonical = serde_json::from_str(request)
        .map_err(|error| Failure::invalid(format!("the request is not in the canonical form: {error}")))?;
    let system = request.system.as_deref().filter(|system| !system.is_empty());
    let system = system.map(|system| json!({"role": options.system_role, "content": system}));
    let body = Value::Object(fields(request, options)).to_string();
    out.path.push_str("/chat/completions");
    out.headers.push(("content-type".into(), "application/json".into()));
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"messages\":[");
    if let Some(system) = system {
        out.body_head.push_str(&system.to_string());
        out.body_head.push(',');
    }
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: Canonical, options: &Options) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set("model", Some(request.model.into()));
    set("stream", Some(request.stream.into()));
    if request.stream && options.has_stream_usage {
        set("stream_options", Some(json!({"include_usage": true})));
    }
    if !request.tools.is_empty() {
        set("tools", Some(request.tools.into_iter().map(tool).collect()));
    }
    set("tool_choice", request.tool_choice.map(tool_choice));
    let max_tokens = match options.max_tokens {
        MaxTokens::MaxTokens => "max_tokens",
        MaxTokens::MaxCompletionTokens => "max_completion_tokens",
    };
    set(max_tokens, request.max_tokens.map(Value::from));
    set("temperature", request.temperature);
    set("top_p", request.top_p);
    if !request.stop.is_empty() {
        set("stop", Some(request.stop.into()));
    }
    if let Some(Level { level, budget_tokens }) = request.thinking {
        match options.thinking {
            Thinking::ReasoningEffort => set("reasoning_effort", level.map(Value::from)),
            Thinking::Reasoning => set(
                "reasoning",
                match (budget_tokens, level) {
                    (Some(budget), _) => Some(json!({"max_tokens": budget})),
                    (None, level) => level.map(|level| json!({"effort": level})),
                },
            ),
            Thinking::None => {}
        }
    }
    body.extend(request.extra);
    body.remove("messages");
    body
}

fn tool(tool: Tool) -> Value {
    json!({"type": "function", "function": {
        "name": tool.name, "description": tool.description, "parameters": tool.parameters}})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) => mode.into(),
        ToolChoice::Tool { name } => json!({"type": "function", "function": {"name": name}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(options: &str, request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        assert_eq!(out.path, "/chat/completions");
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let user = json!({"role":"user","content":"x"});
        assert_eq!(
            body("", &json!({"model":"m","stream":false,"thinking":null})),
            json!({"model":"m","stream":false,"messages":[user]})
        );
        assert_eq!(
            body("", &json!({"model":"m","stream":true,"system":"s"})),
            json!({"model":"m","stream":true,"stream_options":{"include_usage":true},
                "messages":[{"role":"system","content":"s"},user]})
        );
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_server() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "tool_choice":{"name":"t"},"max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["x"],
            "thinking":{"level":"low","budget_tokens":7},"stream":true,
            "extra":{"seed":1,"top_p":0.1,"messages":[]}});
        let expected = json!({"model":"m","stream":true,"stream_options":{"include_usage":true},
            "tools":[{"type":"function","function":{"name":"t","description":"d","parameters":{"type":"object"}}}],
            "tool_choice":{"type":"function","function":{"name":"t"}},"max_completion_tokens":9,"temperature":0.5,
            "top_p":0.1,"stop":["x"],"reasoning_effort":"low","seed":1,
            "messages":[{"role":"system","content":"s"},{"role":"user","content":"x"}]});
        assert_eq!(body("", &request), expected);
        let other = body(
            r#"{"base_url":"https://openrouter.ai/api/v1","flags":{"system_role":"developer","stream_usage":false}}"#,
            &request,
        );
        assert_eq!(other["reasoning"], json!({"max_tokens":7}));
        assert_eq!(other["max_tokens"], json!(9));
        assert_eq!(other["messages"][0]["role"], json!("developer"));
        assert!(other.get("stream_options").is_none() && other.get("reasoning_effort").is_none());
    }

    #[test]
    fn what_is_no_canonical_request_is_refused() {
        for request in ["", "[]", "{}", r#"{"model":1}"#] {
            assert!(encode(request, &Options::read("").unwrap(), &mut Request::default()).is_err(), "{request}");
        }
    }
}
