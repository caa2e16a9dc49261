//! What the proxy is asked, in its own words.

use serde_json::{Map, Value, json};
use thalweg_agent::message::{ContentBlock, Message, UserContent};

use crate::responder::Ask;

/// `provider/model` taken apart; a name without a slash is a model.
pub(super) fn provider_and_model(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

/// The body of the request.
pub(super) fn body(ask: &Ask, api: &str) -> String {
    let request = ask.request();
    let (provider, model) = provider_and_model(&request.model);
    let level = request.thinking.as_ref().map(|thinking| thinking.level.as_str()).filter(|level| *level != "none");
    let messages: Vec<Value> = ask.messages().iter().flat_map(encode_message).collect();
    let mut context = json!({"system_prompt": request.system.as_deref().unwrap_or_default(), "messages": messages});
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters, "label": tool.name})
        });
        context["tools"] = tools.collect();
    }
    let mut options = Map::new();
    if let Some(temperature) = request.temperature {
        options.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(tokens) = request.max_tokens {
        options.insert("maxTokens".to_owned(), json!(tokens));
    }
    if let Some(level) = level {
        options.insert("reasoning".to_owned(), json!(level));
    }
    let model = json!({"provider": provider, "id": model, "api": api, "thinking_level": level.unwrap_or("off")});
    json!({"model": model, "context": context, "options": options}).to_string()
}

/// A message in the proxy's form; tool results are a message each.
fn encode_message(message: &Message) -> Vec<Value> {
    match message {
        Message::User(message) => {
            vec![json!({"role": "user", "content": message.content.iter().map(encode_content).collect::<Vec<_>>()})]
        }
        Message::Assistant(message) => {
            let content: Vec<Value> = message.content.iter().filter_map(encode_block).collect();
            let stop = if message.tool_calls().next().is_some() { "tool_calls" } else { "stop" };
            let (provider, model) = (message.provider.as_deref(), message.model.as_deref());
            vec![
                json!({"role": "assistant", "content": content, "stop_reason": stop, "provider": provider, "model": model}),
            ]
        }
        Message::Tool(message) => {
            let result = |result: &thalweg_agent::message::ToolResult| {
                json!({"role": "tool_result", "tool_call_id": result.tool_call_id, "tool_name": result.tool_name,
                    "content": result.content.iter().map(encode_content).collect::<Vec<_>>(), "is_error": result.is_error})
            };
            message.content.iter().map(result).collect()
        }
        // Not sent.
        Message::Custom(_) => Vec::new(),
    }
}

/// Text and images, which is all that the proxy knows; images are addresses there, also of bytes.
fn encode_content(content: &UserContent) -> Value {
    let content = serde_json::to_value(content).unwrap_or_default();
    if content["type"] == "image" {
        let media_type = &content["media_type"];
        return match (content["url"].as_str(), media_type.as_str(), content["data"].as_str()) {
            (None, Some(media), Some(data)) => {
                json!({"type": "image", "url": format!("data:{media};base64,{data}"), "mime_type": media})
            }
            (url, _, _) => json!({"type": "image", "url": url, "mime_type": media_type}),
        };
    }
    content
}

fn encode_block(block: &ContentBlock) -> Option<Value> {
    Some(match block {
        ContentBlock::Text { text } | ContentBlock::Refusal { text } => json!({"type": "text", "text": text}),
        ContentBlock::Thinking { text, signature } => {
            json!({"type": "thinking", "thinking": text, "thinking_signature": signature})
        }
        // The proxy has no word for it.
        ContentBlock::RedactedThinking { .. } => return None,
        ContentBlock::ToolCall(call) => {
            let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": arguments})
        }
    })
}
