//! All of a request but its messages.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::canonical::{self, Output, Thinking, Tool, ToolChoice};
use thalweg_abi::guest::{Failure, Request};

/// Writes headers and body of `request`.
pub(crate) fn encode(request: &str, out: &mut Request) -> Result<(), Failure> {
    let request = canonical::request(request)?;
    let system = request.system.clone().filter(|system| !system.is_empty());
    let body = Value::Object(fields(request)?).to_string();
    out.headers.push(("content-type".into(), "application/json".into()));
    // The messages are the last field: the object stays open for them.
    out.body_head.push_str(body.strip_suffix('}').unwrap_or(&body));
    out.body_head.push_str(",\"messages\":[");
    if let Some(system) = system {
        out.body_head.push_str(&json!({"role": "system", "content": system}).to_string());
        out.body_head.push(',');
    }
    out.body_tail.push_str("]}");
    Ok(())
}

fn fields(request: canonical::Request) -> Result<Map<String, Value>, Failure> {
    let is_strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let has_tools = !request.tools.is_empty();
    let tools = has_tools.then(|| request.tools.into_iter().map(tool).collect::<Value>());
    let tool_choice = match request.tool_choice {
        Some(ToolChoice::Mode(mode)) if mode == "required" => Some(json!("REQUIRED")),
        Some(ToolChoice::Mode(mode)) if mode == "none" => Some(json!("NONE")),
        Some(ToolChoice::Tool { .. }) => {
            return Err(Failure::unsupported(
                "cohere cannot be told which tool to call; use required, or offer that tool only",
            ));
        }
        _ => None,
    };
    let stop = (!request.stop.is_empty()).then(|| Value::from(request.stop));
    let fields = [
        ("model", Some(request.model.into())),
        ("stream", Some(request.stream.into())),
        ("tools", tools),
        ("strict_tools", is_strict.then(|| true.into())),
        ("tool_choice", tool_choice),
        ("max_tokens", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature),
        ("p", request.top_p),
        ("k", request.top_k),
        ("seed", request.seed),
        ("frequency_penalty", request.frequency_penalty),
        ("presence_penalty", request.presence_penalty),
        ("stop_sequences", stop),
        ("response_format", request.output.map(output)),
        ("thinking", request.thinking.map(thinking).transpose()?),
    ];
    let mut body: Map<String, Value> =
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    body.extend(request.extra);
    body.remove("messages");
    Ok(body)
}

fn tool(tool: Tool) -> Value {
    json!({"type": "function", "function": {
        "name": tool.name, "description": tool.description, "parameters": tool.parameters}})
}

fn output(output: Output) -> Value {
    match output {
        Output::Json => json!({"type": "json_object"}),
        Output::JsonSchema { schema, .. } => json!({"type": "json_object", "json_schema": schema}),
    }
}

/// Thinking is off, on, or on with a budget; a level becomes one.
fn thinking(thinking: Thinking) -> Result<Value, Failure> {
    let budget = thinking.budget()?;
    if thinking.is_off() {
        return Ok(json!({"type": "disabled"}));
    }
    if thinking.budget_tokens.is_none() && thinking.level.is_none() {
        return Ok(json!({"type": "enabled"}));
    }
    Ok(json!({"type": "enabled", "token_budget": budget}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Value) -> Value {
        let mut out = Request::default();
        encode(&request.to_string(), &mut out).unwrap();
        let body = format!("{}{}{}", out.body_head, r#"{"role":"user","content":"x"}"#, out.body_tail);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let expected = json!({"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]});
        assert_eq!(body(&json!({"model":"m","system":"","tool_choice":"auto"})), expected);
    }

    #[test]
    fn everything_set_is_sent_in_the_words_of_the_provider() {
        let request = json!({"model":"m","system":"s",
            "tools":[{"name":"t","description":"d","parameters":{"type":"object"},"strict":true}],"tool_choice":"required",
            "max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"seed":7,"frequency_penalty":1,"presence_penalty":2,
            "stop":["x"],"thinking":{"level":"low"},"output":{"type":"json_schema","schema":{"type":"object"}},"stream":true,
            "extra":{"safety_mode":"OFF","seed":8,"messages":[]}});
        let expected = json!({"model":"m","stream":true,
            "tools":[{"type":"function","function":{"name":"t","description":"d","parameters":{"type":"object"}}}],
            "strict_tools":true,"tool_choice":"REQUIRED","max_tokens":9,"temperature":0.5,"p":0.9,"k":3,"seed":8,
            "frequency_penalty":1,"presence_penalty":2,"stop_sequences":["x"],
            "response_format":{"type":"json_object","json_schema":{"type":"object"}},
            "thinking":{"type":"enabled","token_budget":2048},"safety_mode":"OFF",
            "messages":[{"role":"system","content":"s"},{"role":"user","content":"x"}]});
        assert_eq!(body(&request), expected);
        assert_eq!(body(&json!({"model":"m","tool_choice":"none"}))["tool_choice"], "NONE");
        assert_eq!(
            body(&json!({"model":"m","output":{"type":"json"}}))["response_format"],
            json!({"type":"json_object"})
        );
    }

    #[test]
    fn thinking_is_off_or_on_or_has_a_budget() {
        for (thinking, expected) in [
            (json!({"level":"none"}), json!({"type":"disabled"})),
            (json!({}), json!({"type":"enabled"})),
            (json!({"level":"low","budget_tokens":77}), json!({"type":"enabled","token_budget":77})),
        ] {
            assert_eq!(body(&json!({"model":"m","thinking":thinking}))["thinking"], expected);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for request in
            [r#"{"model":"m","tool_choice":{"name":"t"}}"#, r#"{"model":"m","thinking":{"level":"huge"}}"#, "{}"]
        {
            assert!(encode(request, &mut Request::default()).is_err(), "{request}");
        }
    }
}
