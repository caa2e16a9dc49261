//! Messages: from the canonical form to that of the dialect.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Message, Part, ToolResult};

/// Appends the wire form of `message` to `out`.
pub(crate) fn encode(message: &str, out: &mut String) -> Result<(), Failure> {
    let encoded = match canonical::message(message)? {
        Message::User { content } if content.is_empty() => Vec::new(),
        Message::User { content } => vec![json!({"role": "user", "content": user_content(&content)?})],
        Message::Assistant { content, provider } => {
            let is_own = provider.is_none_or(|provider| provider == "cohere");
            assistant(content, is_own).into_iter().collect()
        }
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

/// A lone text is sent as a plain string.
fn user_content(parts: &[Part]) -> Result<Value, Failure> {
    match parts {
        [Part::Text { text, .. }] => Ok(json!(text)),
        parts => parts.iter().map(part).collect(),
    }
}

fn part(part: &Part) -> Result<Value, Failure> {
    match part {
        Part::Text { text, .. } => Ok(json!({"type": "text", "text": text})),
        Part::Image { source, .. } => Ok(json!({"type": "image_url", "image_url": {"url": source.url()}})),
        Part::Document { .. } | Part::Audio { .. } => {
            Err(Failure::unsupported("cohere takes neither documents nor sound in messages; send their text instead"))
        }
    }
}

/// None if nothing is left that the provider takes back. Thinking goes back to the provider that it came from.
fn assistant(content: Vec<Block>, is_own: bool) -> Option<Value> {
    let (mut parts, mut calls, mut has_text) = (Vec::new(), Vec::new(), false);
    for block in content {
        match block {
            Block::Text { text, .. } | Block::Refusal { text } if !text.is_empty() => {
                has_text = true;
                parts.push(json!({"type": "text", "text": text}));
            }
            Block::Thinking { text, .. } if is_own && !text.is_empty() => {
                parts.push(json!({"type": "thinking", "thinking": text}));
            }
            Block::ToolCall { id, name, arguments } => {
                let is_object = serde_json::from_str::<Map<String, Value>>(&arguments).is_ok();
                // Arguments that were cut off would make the provider refuse the whole request.
                let arguments = if is_object { arguments } else { "{}".into() };
                calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
            }
            _ => {}
        }
    }
    if !has_text && calls.is_empty() {
        return None;
    }
    let mut message = json!({"role": "assistant"});
    if !parts.is_empty() {
        message["content"] = parts.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Some(message)
}

fn tool_result(result: &ToolResult) -> Result<Value, Failure> {
    if result.content.iter().any(|part| part.text().is_none()) {
        return Err(Failure::unsupported("cohere takes text only as the result of a tool"));
    }
    Ok(json!({"role": "tool", "tool_call_id": result.tool_call_id, "content": result.text()}))
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
    fn user_message_with_one_text_is_a_string_and_with_pictures_a_list() {
        let text = json!({"type":"text","text":"hi"});
        assert_eq!(encoded(&json!({"role":"user","content":[text]})), json!([{"role":"user","content":"hi"}]));
        let message = json!({"role":"user","content":[text,{"type":"image","media_type":"image/png","data":"AA=="},
            {"type":"image","url":"https://x/y.png"}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"user","content":[{"type":"text","text":"hi"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},
                {"type":"image_url","image_url":{"url":"https://x/y.png"}}]}])
        );
        assert_eq!(encoded(&json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn assistant_message_keeps_calls_and_thinking_of_its_own_provider() {
        let message = |provider: &str| {
            encoded(&json!({"role":"assistant","provider":provider,"content":[
                {"type":"thinking","text":"hm"},{"type":"text","text":"t"},{"type":"text","text":""},
                {"type":"tool_call","id":"c1","name":"add","arguments":"{\"a\":1}"},
                {"type":"tool_call","id":"c2","name":"sub","arguments":"{\"cut"}]}))
        };
        let calls = json!([{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},
            {"id":"c2","type":"function","function":{"name":"sub","arguments":"{}"}}]);
        let (thinking, text) = (json!({"type":"thinking","thinking":"hm"}), json!({"type":"text","text":"t"}));
        assert_eq!(message("cohere"), json!([{"role":"assistant","content":[thinking,text],"tool_calls":calls}]));
        assert_eq!(message("openai"), json!([{"role":"assistant","content":[text],"tool_calls":calls}]));
        let alone = json!({"role":"assistant","content":[{"type":"thinking","text":"hm"}]});
        assert_eq!(encoded(&alone), json!([]));
    }

    #[test]
    fn each_tool_result_is_a_message_of_text() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},
            {"type":"tool_result","tool_call_id":"c2","content":[]}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"tool","tool_call_id":"c1","content":"2\n3"},{"role":"tool","tool_call_id":"c2","content":""}])
        );
    }

    #[test]
    fn what_the_provider_cannot_read_is_refused() {
        for message in [
            json!({"role":"user","content":[{"type":"document","url":"https://x/y.pdf"}]}),
            json!({"role":"tool","content":[{"tool_call_id":"c","content":[{"type":"image","url":"https://x/y.png"}]}]}),
        ] {
            let failure = encode(&message.to_string(), &mut String::new()).unwrap_err();
            assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED, "{message}");
        }
        assert!(encode("{}", &mut String::new()).is_err());
    }
}
