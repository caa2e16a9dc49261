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
    let mut body = Map::new();
    let think = request.thinking.as_ref().map(|thinking| think(thinking, &request.model)).transpose()?;
    body.insert("model".into(), request.model.into());
    body.insert("stream".into(), request.stream.into());
    let is_none = match request.tool_choice {
        Some(ToolChoice::Mode(mode)) if mode == "none" => true,
        None => false,
        Some(ToolChoice::Mode(mode)) if mode == "auto" => false,
        Some(_) => {
            return Err(Failure::unsupported("ollama cannot be told to call a tool; leave the tool choice at auto"));
        }
    };
    if !request.tools.is_empty() && !is_none {
        body.insert("tools".into(), request.tools.into_iter().map(tool).collect());
    }
    if let Some(think) = think {
        body.insert("think".into(), think);
    }
    match request.output {
        Some(Output::Json) => drop(body.insert("format".into(), json!("json"))),
        Some(Output::JsonSchema { schema, .. }) => drop(body.insert("format".into(), schema)),
        None => {}
    }
    let mut options = Map::new();
    let stop = (!request.stop.is_empty()).then(|| Value::from(request.stop));
    for (key, value) in [
        ("num_predict", request.max_tokens.map(Value::from)),
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_k", request.top_k),
        ("seed", request.seed),
        ("frequency_penalty", request.frequency_penalty),
        ("presence_penalty", request.presence_penalty),
        ("stop", stop),
    ] {
        if let Some(value) = value {
            options.insert(key.into(), value);
        }
    }
    let mut extra = request.extra;
    // What is set there goes beside what is set here, and over it.
    if let Some(Value::Object(more)) = extra.remove("options") {
        options.extend(more);
    }
    if !options.is_empty() {
        body.insert("options".into(), options.into());
    }
    body.extend(extra);
    body.remove("messages");
    Ok(body)
}

/// Thinking is on or off; only the models of one family have levels.
fn think(thinking: &Thinking, model: &str) -> Result<Value, Failure> {
    let budget = thinking.budget()?;
    if thinking.is_off() {
        return Ok(false.into());
    }
    if !model.contains("gpt-oss") {
        return Ok(true.into());
    }
    Ok(match thinking.level.as_deref() {
        Some("minimal" | "low") => json!("low"),
        Some("high" | "xhigh") => json!("high"),
        Some(_) => json!("medium"),
        None if budget <= 2048 => json!("low"),
        None if budget <= 8192 => json!("medium"),
        None => json!("high"),
    })
}

fn tool(tool: Tool) -> Value {
    json!({"type": "function", "function": {
        "name": tool.name, "description": tool.description, "parameters": tool.parameters}})
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
    fn everything_set_is_sent_in_the_words_of_the_server() {
        let request = json!({"model":"m","system":"s","tools":[{"name":"t","description":"d","parameters":{"type":"object"}}],
            "max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":3,"seed":7,"frequency_penalty":1,"presence_penalty":2,
            "stop":["x"],"thinking":{"level":"low"},"output":{"type":"json_schema","schema":{"type":"object"}},"stream":true,
            "extra":{"keep_alive":"5m","options":{"num_ctx":64,"seed":8},"messages":[]}});
        let expected = json!({"model":"m","stream":true,
            "tools":[{"type":"function","function":{"name":"t","description":"d","parameters":{"type":"object"}}}],
            "think":true,"format":{"type":"object"},
            "options":{"num_predict":9,"temperature":0.5,"top_p":0.9,"top_k":3,"seed":8,"frequency_penalty":1,
                "presence_penalty":2,"stop":["x"],"num_ctx":64},
            "keep_alive":"5m","messages":[{"role":"system","content":"s"},{"role":"user","content":"x"}]});
        assert_eq!(body(&request), expected);
        assert_eq!(body(&json!({"model":"m","output":{"type":"json"}}))["format"], "json");
    }

    #[test]
    fn thinking_is_on_or_off_but_for_models_with_levels() {
        for (model, thinking, expected) in [
            ("qwen3:4b", json!({"level":"high"}), json!(true)),
            ("qwen3:4b", json!({"level":"none"}), json!(false)),
            ("qwen3:4b", json!({"budget_tokens":0}), json!(false)),
            ("gpt-oss:20b", json!({"level":"minimal"}), json!("low")),
            ("gpt-oss:20b", json!({"level":"medium"}), json!("medium")),
            ("gpt-oss:20b", json!({"level":"xhigh"}), json!("high")),
            ("gpt-oss:20b", json!({"budget_tokens":20_000}), json!("high")),
            ("gpt-oss:20b", json!({"budget_tokens":100}), json!("low")),
        ] {
            assert_eq!(body(&json!({"model":model,"thinking":thinking}))["think"], expected, "{model} {thinking}");
        }
    }

    #[test]
    fn tools_can_be_hidden_and_not_be_forced() {
        let tools = json!([{"name":"t","parameters":{}}]);
        assert!(body(&json!({"model":"m","tools":tools,"tool_choice":"none"})).get("tools").is_none());
        for choice in [json!("required"), json!({"name":"t"})] {
            let request = json!({"model":"m","tools":tools,"tool_choice":choice}).to_string();
            let failure = encode(&request, &mut Request::default()).unwrap_err();
            assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED);
        }
        assert!(encode(r#"{"model":"m","thinking":{"level":"huge"}}"#, &mut Request::default()).is_err());
    }
}
