//! Messages: from the canonical form to that of the dialect.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Message, Part, Source, ToolResult};

/// Appends the wire form of `message` to `out`.
pub(crate) fn encode(message: &str, out: &mut String) -> Result<(), Failure> {
    let encoded = match canonical::message(message)? {
        Message::User { content } if content.is_empty() => Vec::new(),
        Message::User { content } => vec![with_media("user", &content)?],
        Message::Assistant { content, .. } => assistant(&content).into_iter().collect(),
        Message::Tool { content } => content.iter().map(tool_result).collect::<Result<_, _>>()?,
    };
    for (position, message) in encoded.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(&message.to_string());
    }
    Ok(())
}

/// All texts as one, a line each, and beside them the bytes of all pictures.
fn with_media(role: &str, parts: &[Part]) -> Result<Value, Failure> {
    let texts: Vec<&str> = parts.iter().filter_map(Part::text).collect();
    let mut images = Vec::new();
    for part in parts {
        match part {
            Part::Text { .. } => {}
            Part::Image { source: Source::Data { data, .. }, .. } => images.push(json!(data)),
            Part::Image { source: Source::Url { .. }, .. } => {
                return Err(Failure::unsupported(
                    "ollama takes no image by its address; send the image's bytes instead",
                ));
            }
            Part::Document { .. } => {
                return Err(Failure::unsupported(
                    "ollama takes no documents; send their text or images of their pages",
                ));
            }
            Part::Audio { .. } => return Err(Failure::unsupported("ollama takes no sound; send its text instead")),
        }
    }
    let mut message = json!({"role": role, "content": texts.join("\n")});
    if !images.is_empty() {
        message["images"] = images.into();
    }
    Ok(message)
}

/// None if nothing is left that the server takes back.
fn assistant(content: &[Block]) -> Option<Value> {
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
    for block in content {
        match block {
            Block::Text { text: more, .. } | Block::Refusal { text: more } => text.push_str(more),
            Block::Thinking { text: more, .. } => thinking.push_str(more),
            Block::ToolCall { id, name, arguments } => {
                // Arguments that were cut off are no object; the server would refuse the whole request.
                let arguments = serde_json::from_str::<Map<String, Value>>(arguments).unwrap_or_default();
                let mut call = json!({"function": {"name": name, "arguments": arguments}});
                if !id.is_empty() {
                    call["id"] = json!(id);
                }
                calls.push(call);
            }
            Block::RedactedThinking { .. } | Block::Foreign => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !thinking.is_empty() {
        message["thinking"] = thinking.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Some(message)
}

fn tool_result(result: &ToolResult) -> Result<Value, Failure> {
    let mut message = with_media("tool", &result.content)?;
    // Newer servers tell results apart by the id, older ones by the name.
    for (key, value) in [("tool_name", &result.tool_name), ("tool_call_id", &result.tool_call_id)] {
        if !value.is_empty() {
            message[key] = json!(value);
        }
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Value) -> Value {
        let mut out = String::new();
        encode(&message.to_string(), &mut out).unwrap();
        serde_json::from_str(&format!("[{out}]")).unwrap()
    }

    #[test]
    fn texts_are_joined_and_pictures_stand_beside_them() {
        let message = json!({"role":"user","content":[{"type":"text","text":"a \"b\""},{"type":"text","text":"c"},
            {"type":"image","media_type":"image/png","data":"AA=="}],"time_us":1});
        assert_eq!(encoded(&message), json!([{"role":"user","content":"a \"b\"\nc","images":["AA=="]}]));
        assert_eq!(encoded(&json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn what_the_server_cannot_read_is_refused() {
        for part in [
            json!({"type":"image","url":"https://x/y.png"}),
            json!({"type":"document","url":"https://x/y.pdf"}),
            json!({"type":"audio","media_type":"audio/wav","data":"AA=="}),
        ] {
            let message = json!({"role":"user","content":[part]}).to_string();
            let failure = encode(&message, &mut String::new()).unwrap_err();
            assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED, "{message}");
        }
        assert!(encode("{}", &mut String::new()).is_err());
    }

    #[test]
    fn assistant_message_keeps_thinking_and_calls() {
        let message = json!({"role":"assistant","content":[{"type":"thinking","text":"hm","signature":"s"},
            {"type":"redacted_thinking","data":"d"},{"type":"text","text":"t"},
            {"type":"tool_call","id":"c1","name":"add","arguments":"{\"b\":1,\"a\":[2]}"},
            {"type":"tool_call","id":"","name":"sub","arguments":"{\"cut"}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"assistant","content":"t","thinking":"hm","tool_calls":[
                {"function":{"name":"add","arguments":{"b":1,"a":[2]}},"id":"c1"},
                {"function":{"name":"sub","arguments":{}}}]}])
        );
        let alone = json!({"role":"assistant","content":[{"type":"thinking","text":"hm"}]});
        assert_eq!(encoded(&alone), json!([]));
    }

    #[test]
    fn each_tool_result_is_a_message() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},
            {"type":"tool_result","tool_call_id":"","tool_name":"draw","is_error":true,
             "content":[{"type":"image","media_type":"image/png","data":"AA=="}]}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"tool","content":"2\n3","tool_name":"add","tool_call_id":"c1"},
                {"role":"tool","content":"","images":["AA=="],"tool_name":"draw"}])
        );
    }
}
