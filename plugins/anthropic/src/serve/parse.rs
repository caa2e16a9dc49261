//! A client's request in the canonical form.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;

use super::messages::{self, cache_of, text};

/// A request, and what of it says how the reply is written.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) canonical: Value,
    pub(super) model: String,
    pub(super) is_streamed: bool,
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
    let mut out = Map::new();
    let is_streamed = body.remove("stream").is_some_and(|stream| stream == true);
    out.insert("model".into(), json!(model));
    out.insert("stream".into(), json!(is_streamed));
    out.insert("messages".into(), messages::read(list)?.into());
    // A breakpoint anywhere before the messages asks for the prompt to be kept.
    let mut cache = cache_of(&json!({"cache_control": body.remove("cache_control")}));
    if let Some(system) = body.remove("system") {
        for block in system.as_array().into_iter().flatten() {
            cache = cache.or_else(|| cache_of(block));
        }
        out.insert("system".into(), json!(text(&system)?));
    }
    if let Some(tools) = body.remove("tools") {
        let Value::Array(tools) = tools else { return Err(Failure::invalid("`tools` is no list")) };
        for tool in &tools {
            cache = cache.or_else(|| cache_of(tool));
        }
        out.insert("tools".into(), tools.into_iter().map(tool).collect::<Result<_, _>>()?);
    }
    if let Some(cache) = cache {
        out.insert("cache".into(), json!(cache));
    }
    if let Some(choice) = body.remove("tool_choice") {
        tool_choice(&choice, &mut out)?;
    }
    for (theirs, ours) in [
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("top_k", "top_k"),
        ("stop_sequences", "stop"),
    ] {
        if let Some(value) = body.remove(theirs) {
            out.insert(ours.into(), value);
        }
    }
    let mut output = body.remove("output_config").unwrap_or_default();
    let effort = output["effort"].take();
    match body.remove("thinking") {
        Some(thinking) if thinking["type"] == "enabled" => {
            out.insert("thinking".into(), json!({"budget_tokens": thinking["budget_tokens"]}));
        }
        Some(thinking) if thinking["type"] == "disabled" => {
            out.insert("thinking".into(), json!({"level": "none"}));
        }
        Some(_) if effort.is_string() => drop(out.insert("thinking".into(), json!({"level": effort}))),
        Some(_) => drop(out.insert("thinking".into(), json!({}))),
        None => {}
    }
    let format = output["format"].take();
    if format["type"] == "json_schema" {
        out.insert("output".into(), json!({"type": "json_schema", "schema": format["schema"]}));
    }
    if !body.is_empty() {
        out.insert("extra".into(), body.into());
    }
    Ok(Parsed { canonical: out.into(), model, is_streamed })
}

fn tool(mut tool: Value) -> Result<Value, Failure> {
    let schema = tool["input_schema"].take();
    if !schema.is_object() || !tool["name"].is_string() {
        let kind = tool["type"].as_str().unwrap_or("without a schema").to_owned();
        return Err(Failure::unsupported(format!("a tool is {kind}; only those with a name and a schema are known")));
    }
    let mut out = json!({"name": tool["name"], "parameters": schema});
    for key in ["description", "strict"] {
        if !tool[key].is_null() {
            out[key] = tool[key].take();
        }
    }
    Ok(out)
}

fn tool_choice(choice: &Value, out: &mut Map<String, Value>) -> Result<(), Failure> {
    let is_single = choice["disable_parallel_tool_use"] == true;
    if is_single {
        out.insert("parallel_tools".into(), json!(false));
    }
    let choice = match choice["type"].as_str() {
        // That is what holds without a choice.
        Some("auto") if is_single => return Ok(()),
        Some("auto") => json!("auto"),
        Some("none") => json!("none"),
        Some("any") => json!("required"),
        Some("tool") if choice["name"].is_string() => json!({"name": choice["name"]}),
        _ => return Err(Failure::invalid("`tool_choice` is neither auto, any, none nor a tool")),
    };
    out.insert("tool_choice".into(), choice);
    Ok(())
}
