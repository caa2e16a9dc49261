//! Messages: from the form of the dialect to the canonical one.

use std::collections::HashMap;

use serde_json::{Value, json};
use thalweg_abi::guest::Failure;

/// Reads a list of messages.
pub(super) fn read(list: Vec<Value>) -> Result<Vec<Value>, Failure> {
    let mut messages = Vec::new();
    let mut called = HashMap::new();
    for (place, mut message) in list.into_iter().enumerate() {
        let content = message.get_mut("content").map(Value::take).unwrap_or_default();
        let read = match message["role"].as_str() {
            Some("user") => user(content, &called, &mut messages),
            Some("assistant") => assistant(content, &mut called).map(|content| {
                messages.push(json!({"role": "assistant", "content": content}));
            }),
            _ => Err(Failure::invalid("its role is neither user nor assistant")),
        };
        read.map_err(|failure| Failure { message: format!("message {place}: {}", failure.message).into(), ..failure })?;
    }
    Ok(messages)
}

/// Text, or the texts of a list of blocks.
pub(super) fn text(content: &Value) -> Result<String, Failure> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(blocks) => {
            let texts: Option<Vec<&str>> = blocks.iter().map(|block| block["text"].as_str()).collect();
            texts.map(|texts| texts.join("\n")).ok_or(Failure::invalid("the system prompt is not all text"))
        }
        _ => Err(Failure::invalid("the system prompt is neither text nor a list")),
    }
}

/// How long the prompt is kept up to this block.
pub(super) fn cache_of(block: &Value) -> Option<&'static str> {
    let control = block.get("cache_control").filter(|control| !control.is_null())?;
    Some(if control["ttl"] == "1h" { "long" } else { "short" })
}

/// Blocks, of which a lone text is one.
fn blocks(content: Value) -> Result<Vec<Value>, Failure> {
    match content {
        Value::String(text) => Ok(vec![json!({"type": "text", "text": text})]),
        Value::Array(blocks) => Ok(blocks),
        _ => Err(Failure::invalid("its content is neither text nor a list")),
    }
}

/// Answers of tools are a message of their own.
fn user(content: Value, called: &HashMap<String, String>, messages: &mut Vec<Value>) -> Result<(), Failure> {
    let (mut results, mut parts) = (Vec::new(), Vec::new());
    for block in blocks(content)? {
        if block["type"] == "tool_result" {
            results.push(tool_result(block, called)?);
        } else {
            parts.push(part(block)?);
        }
    }
    if !results.is_empty() {
        messages.push(json!({"role": "tool", "content": results}));
    }
    if !parts.is_empty() || messages.last().is_none_or(|last| last["role"] != "tool") {
        messages.push(json!({"role": "user", "content": parts}));
    }
    Ok(())
}

fn tool_result(mut block: Value, called: &HashMap<String, String>) -> Result<Value, Failure> {
    let content = match block["content"].take() {
        Value::Null => Vec::new(),
        content => blocks(content)?.into_iter().map(part).collect::<Result<_, _>>()?,
    };
    let Some(id) = block["tool_use_id"].as_str() else {
        return Err(Failure::invalid("a tool's answer has no tool_use_id"));
    };
    let name = called.get(id).map(String::as_str).unwrap_or_default();
    Ok(json!({"type": "tool_result", "tool_call_id": id, "tool_name": name, "content": content,
        "is_error": block["is_error"] == true}))
}

fn part(mut block: Value) -> Result<Value, Failure> {
    let cached = cache_of(&block).is_some();
    let mut part = match block["type"].as_str() {
        Some("text") => json!({"type": "text", "text": block["text"].take()}),
        Some(kind @ ("image" | "document")) => {
            let source = &block["source"];
            let mut medium = match source["type"].as_str() {
                Some("base64") => json!({"type": kind, "media_type": source["media_type"], "data": source["data"]}),
                Some("url") => json!({"type": kind, "url": source["url"]}),
                other => {
                    let other = other.unwrap_or("nothing");
                    let message = format!("the source of a part is {other}; base64 and url are known");
                    return Err(Failure::unsupported(message));
                }
            };
            if !block["title"].is_null() {
                medium["name"] = block["title"].take();
            }
            medium
        }
        kind => {
            let kind = kind.unwrap_or("without a type");
            return Err(Failure::unsupported(format!("a part is {kind}; text, image and document are known")));
        }
    };
    if cached {
        part["cache"] = json!(true);
    }
    Ok(part)
}

fn assistant(content: Value, called: &mut HashMap<String, String>) -> Result<Vec<Value>, Failure> {
    let mut out = Vec::new();
    for mut block in blocks(content)? {
        out.push(match block["type"].as_str() {
            Some("text") => json!({"type": "text", "text": block["text"].take()}),
            Some("thinking") => {
                json!({"type": "thinking", "text": block["thinking"].take(), "signature": block["signature"].take()})
            }
            Some("redacted_thinking") => json!({"type": "redacted_thinking", "data": block["data"].take()}),
            Some("tool_use") => {
                let (Some(id), Some(name)) = (block["id"].as_str(), block["name"].as_str()) else {
                    return Err(Failure::invalid("a tool call has no id or no name"));
                };
                called.insert(id.to_owned(), name.to_owned());
                json!({"type": "tool_call", "id": id, "name": name, "arguments": block["input"].to_string()})
            }
            // What the provider's own tools did: only it can read that.
            _ => continue,
        });
    }
    Ok(out)
}
