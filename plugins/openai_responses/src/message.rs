//! Messages: from the canonical form to items of the dialect.

use serde::Deserialize;
use serde_json::{Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Message, Part, Source, ToolResult};

use crate::options::Options;

/// Appends the wire form of `message` to `out`: one item or several, or nothing.
pub(crate) fn encode(message: &str, options: &Options, out: &mut String) -> Result<(), Failure> {
    let items = match canonical::message(message)? {
        Message::User { content } if content.is_empty() => Vec::new(),
        Message::User { content } => vec![json!({"role": "user", "content": user_content(&content)?}).to_string()],
        Message::Assistant { content, .. } => assistant(content, options),
        Message::Tool { content } => content.iter().map(tool_result).collect::<Result<_, _>>()?,
    };
    out.push_str(&items.join(","));
    Ok(())
}

/// A lone text is sent as a plain string, which every server understands.
fn user_content(parts: &[Part]) -> Result<Value, Failure> {
    match parts {
        [Part::Text { text, .. }] => Ok(json!(text)),
        _ => parts.iter().map(part).collect(),
    }
}

fn part(part: &Part) -> Result<Value, Failure> {
    Ok(match part {
        Part::Text { text, .. } => json!({"type": "input_text", "text": text}),
        Part::Image { source, .. } => json!({"type": "input_image", "detail": "auto", "image_url": source.url()}),
        Part::Document { source: Source::Url { url, .. }, .. } => json!({"type": "input_file", "file_url": url}),
        Part::Document { source, name, .. } => {
            let name = name.as_deref().unwrap_or("document");
            json!({"type": "input_file", "filename": name, "file_data": source.url()})
        }
        Part::Audio { source: Source::Data { media_type, data }, .. } => {
            let format = media_type.rsplit(['/', '-']).next().unwrap_or_default();
            let format = if format == "mpeg" { "mp3" } else { format };
            json!({"type": "input_audio", "input_audio": {"data": data, "format": format}})
        }
        Part::Audio { source: Source::Url { .. }, .. } => {
            return Err(Failure::unsupported(
                "this dialect takes no sound by its address; send the bytes of the sound instead",
            ));
        }
    })
}

fn assistant(content: Vec<Block>, options: &Options) -> Vec<String> {
    let mut items = Vec::new();
    let mut said: Vec<Value> = Vec::new();
    // The phase of the message that is being put together.
    let mut phase = None;
    for block in content {
        let item = match block {
            Block::Text { text, .. } if !text.is_empty() => {
                said.push(json!({"type": "output_text", "text": text, "annotations": []}));
                continue;
            }
            Block::Refusal { text } if !text.is_empty() => {
                said.push(json!({"type": "refusal", "refusal": text}));
                continue;
            }
            Block::Thinking { signature: Some(signature), .. } => {
                if let Some(next) = phase_of(&signature) {
                    items.extend(message_of(&mut said, &mut phase));
                    phase = Some(next);
                    continue;
                }
                signed(signature, options)
            }
            Block::RedactedThinking { data } => compacted(data),
            Block::ToolCall { id, name, arguments } => {
                let call =
                    json!({"type": "function_call", "call_id": call_id(&id), "name": name, "arguments": arguments});
                Some(call.to_string())
            }
            Block::Text { .. } | Block::Refusal { .. } | Block::Thinking { .. } | Block::Foreign => None,
        };
        if let Some(item) = item {
            items.extend(message_of(&mut said, &mut phase));
            items.push(item);
        }
    }
    items.extend(message_of(&mut said, &mut phase));
    items
}

/// The parts that were said so far as one message.
fn message_of(said: &mut Vec<Value>, phase: &mut Option<String>) -> Option<String> {
    let content = std::mem::take(said);
    if content.is_empty() {
        return None;
    }
    let mut message = json!({"type": "message", "role": "assistant", "content": content});
    if let Some(phase) = phase.take() {
        message["phase"] = phase.into();
    }
    Some(message.to_string())
}

/// The phase of the message before whose text this signature stands.
fn phase_of(signature: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Phased {
        r#type: String,
        phase: String,
    }
    let item: Phased = serde_json::from_str(signature).ok()?;
    (item.r#type == "message").then_some(item.phase)
}

/// The item that a signature holds, if the server can do anything with it: the provider reads what it has encrypted itself,
/// or has kept under that id; open models read their thinking.
fn signed(signature: String, options: &Options) -> Option<String> {
    #[derive(Deserialize)]
    struct Reasoning {
        r#type: String,
        #[serde(default)]
        encrypted_content: Option<String>,
        #[serde(default)]
        content: Option<Vec<Value>>,
    }
    let item: Reasoning = serde_json::from_str(&signature).ok()?;
    let is_readable = options.store
        || item.encrypted_content.is_some_and(|content| !content.is_empty())
        || item.content.is_some_and(|content| !content.is_empty());
    (item.r#type == "reasoning" && is_readable).then_some(signature)
}

/// What the provider has made shorter, if it comes from this dialect.
fn compacted(data: String) -> Option<String> {
    #[derive(Deserialize)]
    struct Compaction {
        r#type: String,
    }
    let item: Compaction = serde_json::from_str(&data).ok()?;
    (item.r#type == "compaction").then_some(data)
}

fn tool_result(result: &ToolResult) -> Result<String, Failure> {
    let has_media = result.content.iter().any(|part| part.text().is_none());
    let output: Value =
        if has_media { result.content.iter().map(part).collect::<Result<_, _>>()? } else { result.text().into() };
    Ok(json!({"type": "function_call_output", "call_id": call_id(&result.tool_call_id), "output": output}).to_string())
}

/// The id of a call as the provider takes it: those of others may be longer.
fn call_id(id: &str) -> String {
    id.chars().take(CALL_ID_CHARS_MAX).collect()
}

const CALL_ID_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(options: &str, message: &Value) -> Value {
        let mut out = String::new();
        encode(&message.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        serde_json::from_str(&format!("[{out}]")).unwrap()
    }

    #[test]
    fn user_message_keeps_text_and_media() {
        let text = json!({"role":"user","content":[{"type":"text","text":"hi","cache":true}]});
        assert_eq!(encoded("", &text), json!([{"role":"user","content":"hi"}]));
        let message = json!({"role":"user","content":[
            {"type":"text","text":"see"},
            {"type":"image","media_type":"image/png","data":"AA=="}, {"type":"image","url":"https://x/y.png"},
            {"type":"document","media_type":"application/pdf","data":"BB==","name":"a.pdf"},
            {"type":"document","url":"https://x/y.pdf"}, {"type":"audio","media_type":"audio/mpeg","data":"CC=="}]});
        assert_eq!(
            encoded("", &message),
            json!([{"role":"user","content":[
                {"type":"input_text","text":"see"},
                {"type":"input_image","detail":"auto","image_url":"data:image/png;base64,AA=="},
                {"type":"input_image","detail":"auto","image_url":"https://x/y.png"},
                {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,BB=="},
                {"type":"input_file","file_url":"https://x/y.pdf"},
                {"type":"input_audio","input_audio":{"data":"CC==","format":"mp3"}}]}])
        );
        assert_eq!(encoded("", &json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn assistant_message_is_its_items_in_their_order() {
        let reasoning = r#"{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"zz\"z"}"#;
        let message = json!({"role":"assistant","content":[
            {"type":"thinking","text":"part one"},
            {"type":"thinking","text":"part two","signature":reasoning},
            {"type":"text","text":"a"},{"type":"text","text":""},{"type":"refusal","text":"no"},
            {"type":"tool_call","id":"c1","name":"f","arguments":"{\"x\":1}"},
            {"type":"text","text":"b"},
            {"type":"redacted_thinking","data":"{\"type\":\"compaction\",\"encrypted_content\":\"q\"}"},
            {"type":"redacted_thinking","data":"of another provider"},
            {"type":"thinking","text":"of another provider","signature":"c2ln"}]});
        assert_eq!(
            encoded("", &message),
            json!([
                {"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"zz\"z"},
                {"type":"message","role":"assistant","content":[
                    {"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"x\":1}"},
                {"type":"message","role":"assistant","content":[{"type":"output_text","text":"b","annotations":[]}]},
                {"type":"compaction","encrypted_content":"q"}])
        );
    }

    #[test]
    fn each_message_goes_back_with_its_phase() {
        let phased = |phase: &str| json!({"id":"msg_1","type":"message","content":[],"phase":phase}).to_string();
        let message = json!({"role":"assistant","content":[
            {"type":"text","text":"a"},
            {"type":"thinking","text":"","signature":phased("commentary")},{"type":"text","text":"b"},
            {"type":"tool_call","id":"c1","name":"f","arguments":"{}"},
            {"type":"thinking","text":"","signature":phased("final_answer")},{"type":"text","text":"c"}]});
        let said = |text: &str| json!([{"type":"output_text","text":text,"annotations":[]}]);
        assert_eq!(
            encoded("", &message),
            json!([{"type":"message","role":"assistant","content":said("a")},
                {"type":"message","role":"assistant","content":said("b"),"phase":"commentary"},
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                {"type":"message","role":"assistant","content":said("c"),"phase":"final_answer"}])
        );
    }

    #[test]
    fn thinking_goes_back_only_where_it_can_be_read() {
        let message = |item: Value| json!({"role":"assistant","content":[{"type":"thinking","text":"","signature":item.to_string()}]});
        let bare = json!({"id":"rs_1","type":"reasoning","summary":[]});
        assert_eq!(encoded("", &message(bare.clone())), json!([]));
        assert_eq!(encoded(r#"{"flags":{"store":true}}"#, &message(bare.clone())), json!([bare]));
        let open = json!({"type":"reasoning","summary":[],"encrypted_content":"","content":[{"type":"reasoning_text","text":"t"}]});
        assert_eq!(encoded("", &message(open.clone())), json!([open]));
        assert_eq!(encoded("", &message(json!({"type":"other","encrypted_content":"q"}))), json!([]));
    }

    #[test]
    fn each_tool_result_is_an_item_with_its_media() {
        let long = "c".repeat(70);
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},
            {"type":"tool_result","tool_call_id":long,"content":[
                {"type":"text","text":"see"},{"type":"image","url":"https://x/y.png"}]}]});
        assert_eq!(
            encoded("", &message),
            json!([
                {"type":"function_call_output","call_id":"c1","output":"2\n3"},
                {"type":"function_call_output","call_id":"c".repeat(64),"output":[
                    {"type":"input_text","text":"see"},
                    {"type":"input_image","detail":"auto","image_url":"https://x/y.png"}]}])
        );
    }

    #[test]
    fn what_the_dialect_cannot_say_is_refused() {
        let sound = json!({"role":"user","content":[{"type":"audio","url":"https://x/y.wav"}]}).to_string();
        for message in ["", "{}", sound.as_str()] {
            assert!(encode(message, &Options::read("").unwrap(), &mut String::new()).is_err(), "{message}");
        }
    }
}
