//! Messages: from the form of the dialect to the canonical one.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;

/// The messages of a request.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// What the system says, wherever it stands.
    pub(super) system: Vec<String>,
    pub(super) messages: Vec<Value>,
    /// Names of the tools by the ids of their calls.
    called: HashMap<String, String>,
}

/// Reads a list of messages.
pub(super) fn read(list: Vec<Value>) -> Result<Conversation, Failure> {
    let mut conversation = Conversation::default();
    for (place, message) in list.into_iter().enumerate() {
        conversation.push(message).map_err(|failure| Failure {
            message: format!("message {place}: {}", failure.message).into(),
            ..failure
        })?;
    }
    Ok(conversation)
}

impl Conversation {
    fn push(&mut self, mut message: Value) -> Result<(), Failure> {
        let content = message.get_mut("content").map(Value::take).unwrap_or_default();
        match message["role"].as_str() {
            Some("system" | "developer") => self.system.push(plain(&content)?),
            Some("user") => {
                let content = parts(content)?;
                self.messages.push(json!({"role": "user", "content": content}));
            }
            Some("assistant") => {
                let content = self.assistant(&mut message, content)?;
                self.messages.push(json!({"role": "assistant", "content": content}));
            }
            Some("tool") => self.tool(&message, content)?,
            Some(role) => return Err(Failure::invalid(format!("the role `{role}` is not known"))),
            None => return Err(Failure::invalid("it has no role")),
        }
        Ok(())
    }

    fn assistant(&mut self, message: &mut Value, content: Value) -> Result<Vec<Value>, Failure> {
        let mut blocks = Vec::new();
        let thinking = ["reasoning_content", "reasoning"].iter().find_map(|field| message[*field].as_str());
        if let Some(text) = thinking.filter(|text| !text.is_empty()) {
            blocks.push(json!({"type": "thinking", "text": text}));
        }
        match content {
            Value::Array(list) => {
                for part in list {
                    let (kind, text) = match (part["text"].as_str(), part["refusal"].as_str()) {
                        (Some(text), _) => ("text", text),
                        (None, Some(text)) => ("refusal", text),
                        (None, None) => return Err(Failure::invalid("a part is neither text nor a refusal")),
                    };
                    blocks.push(json!({"type": kind, "text": text}));
                }
            }
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => blocks.push(json!({"type": "text", "text": text})),
            Value::Null => {}
            _ => return Err(Failure::invalid("its content is neither text nor a list")),
        }
        if let Some(text) = message["refusal"].as_str() {
            blocks.push(json!({"type": "refusal", "text": text}));
        }
        if let Value::Array(calls) = message["tool_calls"].take() {
            for call in calls {
                let (id, function) = (&call["id"], &call["function"]);
                let (Some(id), Some(name)) = (id.as_str(), function["name"].as_str()) else {
                    return Err(Failure::invalid("a tool call has no id or no name"));
                };
                let arguments = function["arguments"].as_str().unwrap_or("{}");
                self.called.insert(id.to_owned(), name.to_owned());
                blocks.push(json!({"type": "tool_call", "id": id, "name": name, "arguments": arguments}));
            }
        }
        Ok(blocks)
    }

    /// All results behind one reply are one message.
    fn tool(&mut self, message: &Value, content: Value) -> Result<(), Failure> {
        let Some(id) = message["tool_call_id"].as_str() else {
            return Err(Failure::invalid("a tool's answer has no tool_call_id"));
        };
        let name = message["name"].as_str().or_else(|| self.called.get(id).map(String::as_str)).unwrap_or_default();
        let result = json!({"type": "tool_result", "tool_call_id": id, "tool_name": name, "content": parts(content)?,
            "is_error": false});
        match self.messages.last_mut() {
            Some(last) if last["role"] == "tool" => {
                if let Value::Array(results) = &mut last["content"] {
                    results.push(result);
                }
            }
            _ => self.messages.push(json!({"role": "tool", "content": [result]})),
        }
        Ok(())
    }
}

/// Text alone.
fn plain(content: &Value) -> Result<String, Failure> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
            texts.map(|texts| texts.join("\n")).ok_or(Failure::invalid("what the system says is not all text"))
        }
        _ => Err(Failure::invalid("its content is neither text nor a list")),
    }
}

fn parts(content: Value) -> Result<Vec<Value>, Failure> {
    match content {
        Value::String(text) => Ok(vec![json!({"type": "text", "text": text})]),
        Value::Array(parts) => parts.into_iter().map(part).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err(Failure::invalid("its content is neither text nor a list")),
    }
}

fn part(part: Value) -> Result<Value, Failure> {
    let mut out = match part["type"].as_str() {
        Some("text") => Map::from_iter([("type".to_owned(), json!("text")), ("text".to_owned(), part["text"].clone())]),
        Some("image_url") => {
            source("image", part["image_url"]["url"].as_str().or(part["image_url"].as_str()).unwrap_or_default())?
        }
        Some("file") => {
            let Some(data) = part["file"]["file_data"].as_str() else {
                return Err(Failure::unsupported("a file is named by its id; send its bytes instead"));
            };
            let mut document = source("document", data)?;
            if let Some(name) = part["file"]["filename"].as_str() {
                document.insert("name".into(), json!(name));
            }
            document
        }
        Some("input_audio") => {
            let audio = &part["input_audio"];
            let format = audio["format"].as_str().unwrap_or("wav");
            let media_type = if format == "mp3" { "audio/mpeg".to_owned() } else { format!("audio/{format}") };
            let Some(data) = audio["data"].as_str() else { return Err(Failure::invalid("a sound has no data")) };
            let sound = json!({"type": "audio", "media_type": media_type, "data": data});
            sound.as_object().cloned().unwrap_or_default()
        }
        kind => {
            let kind = kind.unwrap_or("without a type");
            return Err(Failure::unsupported(format!(
                "a part is {kind}; text, image_url, file and input_audio are known"
            )));
        }
    };
    if !part["cache_control"].is_null() {
        out.insert("cache".into(), json!(true));
    }
    Ok(out.into())
}

/// A medium by its address, or by its bytes in an address of the scheme `data`.
fn source(kind: &str, url: &str) -> Result<Map<String, Value>, Failure> {
    let source = match url.strip_prefix("data:") {
        None if url.is_empty() => return Err(Failure::invalid(format!("a part of the type {kind} has no address"))),
        None => json!({"type": kind, "url": url}),
        Some(rest) => {
            let Some((media_type, data)) = rest.split_once(";base64,") else {
                return Err(Failure::invalid("an address of the scheme data is not in base64"));
            };
            json!({"type": kind, "media_type": media_type, "data": data})
        }
    };
    Ok(source.as_object().cloned().unwrap_or_default())
}
