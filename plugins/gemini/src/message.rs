//! Messages: from the canonical form to that of the dialect.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Message, Part, Source, ToolResult};

use crate::options::Options;

/// Appends the wire form of `message` to `out`: one content or several, or nothing.
pub(crate) fn encode(message: &str, options: &Options, out: &mut String) -> Result<(), Failure> {
    let contents = match canonical::message(message)? {
        Message::User { content } => content_of("user", content.iter().filter_map(part).collect()),
        Message::Assistant { content, provider } => {
            let is_foreign = match (&provider, &options.provider) {
                (Some(theirs), Some(ours)) => theirs != ours,
                _ => false,
            };
            content_of("model", assistant(content, is_foreign, options))
        }
        Message::Tool { content } => tool_results(&content, options),
    };
    let encoded: Vec<String> = contents.iter().map(Value::to_string).collect();
    out.push_str(&encoded.join(","));
    Ok(())
}

/// The provider refuses a content without parts.
fn content_of(role: &str, parts: Vec<Value>) -> Vec<Value> {
    if parts.is_empty() { Vec::new() } else { vec![json!({"role": role, "parts": parts})] }
}

/// None for an empty text.
fn part(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } if text.is_empty() => None,
        Part::Text { text, .. } => Some(json!({"text": text})),
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source, .. } => Some(medium(source)),
    }
}

fn medium(source: &Source) -> Value {
    match source {
        Source::Data { media_type, data } => json!({"inlineData": {"mimeType": media_type, "data": data}}),
        Source::Url { url, media_type: None } => json!({"fileData": {"fileUri": url}}),
        Source::Url { url, media_type: Some(kind) } => json!({"fileData": {"mimeType": kind, "fileUri": url}}),
    }
}

/// A block of thinking without text holds the signature of the call behind it, or of the text before it.
fn assistant(content: Vec<Block>, is_foreign: bool, options: &Options) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut signature = None;
    let mut has_calls = false;
    for block in content {
        if let Block::ToolCall { id, name, arguments } = block {
            let args = serde_json::from_str::<Map<String, Value>>(&arguments).unwrap_or_default();
            let mut call = json!({"name": name, "args": args});
            if options.call_ids {
                call["id"] = id.into();
            }
            let mut part = json!({"functionCall": call});
            // The first call of a turn has to be signed; this word stands for calls that another provider's model made.
            let placeholder = (is_foreign && !has_calls).then(|| UNSIGNED.to_owned());
            if let Some(signature) = signature.take().or(placeholder) {
                part["thoughtSignature"] = signature.into();
            }
            has_calls = true;
            parts.push(part);
            continue;
        }
        if let Some(signature) = signature.take() {
            parts.push(json!({"text": "", "thoughtSignature": signature}));
        }
        match block {
            Block::Text { text, .. } | Block::Refusal { text } if !text.is_empty() => parts.push(json!({"text": text})),
            Block::Thinking { text, signature: Some(theirs) } if !is_foreign => {
                if text.is_empty() {
                    signature = Some(theirs);
                } else {
                    parts.push(json!({"text": text, "thought": true, "thoughtSignature": theirs}));
                }
            }
            // Thinking without its signature is of no use to the provider.
            _ => {}
        }
    }
    if let Some(signature) = signature {
        parts.push(json!({"text": "", "thoughtSignature": signature}));
    }
    parts
}

/// Takes the place of a signature, as the provider's documentation names it.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// All results are parts of one content. Their media cannot stand among them and follow in a content of their own.
fn tool_results(results: &[ToolResult], options: &Options) -> Vec<Value> {
    let mut media = Vec::new();
    let parts = results.iter().map(|result| {
        media.extend(result.content.iter().filter(|part| part.text().is_none()).filter_map(part));
        let key = if result.is_error { "error" } else { "output" };
        let mut text = result.text();
        if text.is_empty() && result.content.iter().any(|part| part.text().is_none()) {
            text = MEDIA_FOLLOW.to_owned();
        }
        let mut response = json!({"name": result.tool_name, "response": {key: text}});
        if options.call_ids {
            response["id"] = result.tool_call_id.as_str().into();
        }
        json!({"functionResponse": response})
    });
    let mut contents = content_of("user", parts.collect());
    if !media.is_empty() {
        media.insert(0, json!({"text": MEDIA_HERE}));
        contents.extend(content_of("user", media));
    }
    contents
}

const MEDIA_FOLLOW: &str = "(see the media in the next message)";
const MEDIA_HERE: &str = "Media of the tool results:";

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
        let message = json!({"role":"user","content":[
            {"type":"text","text":"hi"}, {"type":"text","text":""},
            {"type":"image","media_type":"image/png","data":"AA=="}, {"type":"image","url":"https://x/y.png"},
            {"type":"document","url":"gs://b/y.pdf","media_type":"application/pdf","name":"y.pdf"},
            {"type":"audio","media_type":"audio/wav","data":"BB=="}]});
        assert_eq!(
            encoded("", &message),
            json!([{"role":"user","parts":[
                {"text":"hi"},
                {"inlineData":{"mimeType":"image/png","data":"AA=="}},
                {"fileData":{"fileUri":"https://x/y.png"}},
                {"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/y.pdf"}},
                {"inlineData":{"mimeType":"audio/wav","data":"BB=="}}]}])
        );
        assert_eq!(encoded("", &json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn signatures_go_back_where_they_came_from() {
        let message = json!({"role":"assistant","provider":"google","content":[
            {"type":"thinking","text":"not shown again"},
            {"type":"thinking","text":"hm","signature":"s0"},
            {"type":"text","text":"a"},
            {"type":"thinking","text":"","signature":"s1"},
            {"type":"text","text":"b"},
            {"type":"thinking","text":"","signature":"s2"},
            {"type":"tool_call","id":"c1","name":"f","arguments":"{\"x\":1}"},
            {"type":"tool_call","id":"c2","name":"g","arguments":"cut"},
            {"type":"redacted_thinking","data":"d"},
            {"type":"refusal","text":"no"},
            {"type":"thinking","text":"","signature":"s3"}]});
        let parts = json!([
            {"text":"hm","thought":true,"thoughtSignature":"s0"},
            {"text":"a"},{"text":"","thoughtSignature":"s1"},{"text":"b"},
            {"functionCall":{"name":"f","args":{"x":1},"id":"c1"},"thoughtSignature":"s2"},
            {"functionCall":{"name":"g","args":{},"id":"c2"}},
            {"text":"no"},{"text":"","thoughtSignature":"s3"}]);
        assert_eq!(encoded(r#"{"provider":"google"}"#, &message), json!([{"role":"model","parts":parts}]));
        assert_eq!(encoded("", &message), json!([{"role":"model","parts":parts}]));
    }

    #[test]
    fn signatures_of_other_providers_do_not() {
        let message = json!({"role":"assistant","provider":"anthropic","content":[
            {"type":"thinking","text":"hm","signature":"s"},
            {"type":"tool_call","id":"c1","name":"f","arguments":"{}"},
            {"type":"tool_call","id":"c2","name":"f","arguments":"{}"}]});
        let options = r#"{"provider":"google","flags":{"call_ids":false}}"#;
        assert_eq!(
            encoded(options, &message),
            json!([{"role":"model","parts":[
                {"functionCall":{"name":"f","args":{}},"thoughtSignature":UNSIGNED},{"functionCall":{"name":"f","args":{}}}]}])
        );
        let alone = json!({"role":"assistant","content":[{"type":"thinking","text":"hm"}]});
        assert_eq!(encoded("", &alone), json!([]));
    }

    #[test]
    fn all_tool_results_of_a_turn_are_one_content_and_their_media_follow() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},
            {"type":"tool_result","tool_call_id":"c2","tool_name":"draw","is_error":true,
             "content":[{"type":"image","media_type":"image/png","data":"AA=="}]}]});
        assert_eq!(
            encoded("", &message),
            json!([
                {"role":"user","parts":[
                    {"functionResponse":{"name":"add","response":{"output":"2\n3"},"id":"c1"}},
                    {"functionResponse":{"name":"draw","response":{"error":MEDIA_FOLLOW},"id":"c2"}}]},
                {"role":"user","parts":[{"text":MEDIA_HERE},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}])
        );
    }

    #[test]
    fn what_is_no_canonical_message_is_refused() {
        for message in ["", "{}", r#"{"role":"user","content":[{"type":"x"}]}"#] {
            assert!(encode(message, &Options::read("").unwrap(), &mut String::new()).is_err(), "{message}");
        }
    }
}
