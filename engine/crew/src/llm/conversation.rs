//! Messages of a crew as a model is told them.

use serde_json::{Value, json};
use thalweg::message::Message as Sent;
use thalweg_actor::Failure;

use crate::field::Field;
use crate::message::Message;

/// What a model is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conversation {
    /// Texts of system messages.
    pub(super) system: Vec<String>,
    pub(super) messages: Vec<Sent>,
}

/// Reads messages by their role. A message without one is said by the user.
pub(super) fn read(messages: &[Message]) -> Result<Conversation, Failure> {
    let mut conversation = Conversation::default();
    for message in messages {
        let role = message.get("role").and_then(Field::as_str).unwrap_or("user");
        match role {
            "system" | "developer" => conversation.system.push(message.to_string()),
            "user" => conversation.messages.push(said(role, message)?),
            "assistant" => {
                let tools = message.get("tools").map(Field::to_plain_json);
                called(tools.as_ref().and_then(Value::as_array), &mut conversation.messages)?;
                if !message.to_string().is_empty() {
                    conversation.messages.push(said(role, message)?);
                }
            }
            other => {
                let roles = "user, assistant and system";
                return Err(Failure::new(format!("no model knows the role {other:?}; there is {roles}")));
            }
        }
    }
    Ok(conversation)
}

/// What was said: a text, or parts such as images, in the form of the engine's own messages.
fn said(role: &str, message: &Message) -> Result<Sent, Failure> {
    let content = match message.get("content") {
        Some(parts @ Field::List(_)) => parts.to_plain_json(),
        _ => json!([{"type": "text", "text": message.to_string()}]),
    };
    let mut sent = json!({"role": role, "content": content});
    if role == "assistant" {
        sent["stop_reason"] = json!({"mapped": "stop"});
    }
    Ok(serde_json::from_value(sent)?)
}

/// The calls that a message lists, and their results, turn by turn.
fn called(tools: Option<&Vec<Value>>, out: &mut Vec<Sent>) -> Result<(), Failure> {
    for turn in tools.into_iter().flat_map(|tools| tools.chunk_by(|one, next| one["turn"] == next["turn"])) {
        let calls = turn.iter().map(|call| {
            json!({"type": "tool_call", "id": call["tool_call_id"], "name": call["tool_name"],
                "arguments": call["args"].to_string()})
        });
        let results = turn.iter().map(|call| {
            json!({"type": "tool_result", "tool_call_id": call["tool_call_id"], "tool_name": call["tool_name"],
                "content": call["result"]["content"], "is_error": call["is_error"]})
        });
        let calls: Vec<Value> = calls.collect();
        let results: Vec<Value> = results.collect();
        let stop = json!({"mapped": "tool_use"});
        out.push(serde_json::from_value(json!({"role": "assistant", "content": calls, "stop_reason": stop}))?);
        out.push(serde_json::from_value(json!({"role": "tool", "content": results}))?);
    }
    Ok(())
}
