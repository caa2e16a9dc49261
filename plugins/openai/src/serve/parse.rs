//! A client's request in the canonical form.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;

use super::messages;

/// A request, and what of it says how the reply is written.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) canonical: Value,
    pub(super) model: String,
    pub(super) is_streamed: bool,
    pub(super) wants_usage: bool,
}

/// Reads the body of a request.
pub(super) fn request(body: &str) -> Result<Parsed, Failure> {
    let mut body: Map<String, Value> = serde_json::from_str(body)
        .map_err(|error| Failure::invalid(format!("the request is no JSON object: {error}")))?;
    body.retain(|_, value| !value.is_null());
    let Some(Value::String(model)) = body.remove("model") else { return Err(Failure::invalid("`model` is missing")) };
    let Some(Value::Array(list)) = body.remove("messages") else {
        return Err(Failure::invalid("`messages` is missing, or no list"));
    };
    let conversation = messages::read(list)?;
    let mut out = Map::new();
    let is_streamed = body.remove("stream").is_some_and(|stream| stream == true);
    let options = body.remove("stream_options").unwrap_or_default();
    let wants_usage = options["include_usage"] == true;
    out.insert("model".into(), json!(model));
    out.insert("stream".into(), json!(is_streamed));
    out.insert("messages".into(), conversation.messages.into());
    if !conversation.system.is_empty() {
        out.insert("system".into(), json!(conversation.system.join("\n\n")));
    }
    if let Some(tools) = body.remove("tools") {
        let Value::Array(tools) = tools else { return Err(Failure::invalid("`tools` is no list")) };
        out.insert("tools".into(), tools.into_iter().map(tool).collect::<Result<_, _>>()?);
    }
    if let Some(choice) = body.remove("tool_choice") {
        out.insert("tool_choice".into(), tool_choice(choice)?);
    }
    for (theirs, ours) in [
        ("parallel_tool_calls", "parallel_tools"),
        ("max_tokens", "max_tokens"),
        // Where both stand there, the newer one counts.
        ("max_completion_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_k", "top_k"),
        ("seed", "seed"),
        ("frequency_penalty", "frequency_penalty"),
        ("presence_penalty", "presence_penalty"),
        ("prompt_cache_key", "session"),
    ] {
        if let Some(value) = body.remove(theirs) {
            out.insert(ours.into(), value);
        }
    }
    match body.remove("stop") {
        Some(Value::String(stop)) => drop(out.insert("stop".into(), json!([stop]))),
        Some(stop) => drop(out.insert("stop".into(), stop)),
        None => {}
    }
    if let Some(level) = body.remove("reasoning_effort") {
        out.insert("thinking".into(), json!({"level": level}));
    }
    if body.get("prompt_cache_retention").is_some_and(|retention| retention == "24h") {
        body.remove("prompt_cache_retention");
        out.insert("cache".into(), json!("long"));
    }
    if let Some(output) = body.remove("response_format").map(format).transpose()?.flatten() {
        out.insert("output".into(), output);
    }
    if !body.is_empty() {
        out.insert("extra".into(), body.into());
    }
    Ok(Parsed { canonical: out.into(), model, is_streamed, wants_usage })
}

fn tool(mut tool: Value) -> Result<Value, Failure> {
    let function = match tool["type"].as_str() {
        Some("function") => tool["function"].take(),
        kind => {
            let kind = kind.unwrap_or("without a type").to_owned();
            return Err(Failure::unsupported(format!("a tool is {kind}; only those of the type function are known")));
        }
    };
    let Value::Object(mut function) = function else { return Err(Failure::invalid("a tool has no `function`")) };
    function.retain(|key, value| {
        ["name", "description", "parameters", "strict"].contains(&key.as_str()) && !value.is_null()
    });
    // One without parameters takes none.
    function.entry("parameters").or_insert_with(|| json!({"type": "object", "properties": {}}));
    Ok(function.into())
}

fn tool_choice(choice: Value) -> Result<Value, Failure> {
    match &choice {
        Value::String(_) => Ok(choice),
        Value::Object(_) if choice["function"]["name"].is_string() => Ok(json!({"name": choice["function"]["name"]})),
        _ => Err(Failure::invalid("`tool_choice` is neither auto, none, required nor a function")),
    }
}

fn format(mut format: Value) -> Result<Option<Value>, Failure> {
    match format["type"].as_str() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "json"}))),
        Some("json_schema") => {
            let Value::Object(mut schema) = format["json_schema"].take() else {
                return Err(Failure::invalid("`response_format` has no `json_schema`"));
            };
            schema.retain(|key, value| ["name", "schema", "strict"].contains(&key.as_str()) && !value.is_null());
            schema.insert("type".into(), json!("json_schema"));
            Ok(Some(schema.into()))
        }
        _ => Err(Failure::invalid("`response_format` is neither text, json_object nor json_schema")),
    }
}
