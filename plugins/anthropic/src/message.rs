//! Messages: from the canonical form to that of the dialect.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Mark, Message, Part, Source, ToolResult};

use crate::options::Options;

/// Appends the wire form of `message` to `out`; nothing when the provider would refuse it as empty.
pub(crate) fn encode(message: &str, options: &Options, out: &mut String) -> Result<(), Failure> {
    let (role, content) = match canonical::message(message)? {
        Message::User { content } => ("user", parts(&content, options)?),
        Message::Assistant { content, .. } => ("assistant", assistant(content, options)),
        Message::Tool { content } => {
            ("user", content.iter().map(|result| tool_result(result, options)).collect::<Result<_, _>>()?)
        }
    };
    if !content.is_empty() {
        out.push_str(&json!({"role": role, "content": content}).to_string());
    }
    Ok(())
}

/// Empty texts are left out: the provider refuses them.
fn parts(parts: &[Part], options: &Options) -> Result<Vec<Value>, Failure> {
    let is_empty = |part: &&Part| part.text().is_some_and(str::is_empty);
    parts.iter().filter(|part| !is_empty(part)).map(|part| self::part(part, options)).collect()
}

fn part(part: &Part, options: &Options) -> Result<Value, Failure> {
    let mut value = match part {
        Part::Text { text, .. } => json!({"type": "text", "text": text}),
        Part::Image { source, .. } => json!({"type": "image", "source": self::source(source)}),
        Part::Document { source, name: None, .. } => json!({"type": "document", "source": self::source(source)}),
        Part::Document { source, name: Some(name), .. } => {
            json!({"type": "document", "source": self::source(source), "title": name})
        }
        Part::Audio { .. } => {
            return Err(Failure::unsupported("this dialect takes no sound; send its transcript as text"));
        }
    };
    mark(&mut value, part.mark(), options);
    Ok(value)
}

/// Puts the mark of a breakpoint of the cache on a block.
fn mark(value: &mut Value, mark: Mark, options: &Options) {
    if let (Some(cache), true) = (mark.0, options.cache) {
        value["cache_control"] = options.cache_control(cache);
    }
}

fn source(source: &Source) -> Value {
    match source {
        Source::Data { media_type, data } => json!({"type": "base64", "media_type": media_type, "data": data}),
        Source::Url { url, .. } => json!({"type": "url", "url": url}),
    }
}

fn assistant(content: Vec<Block>, options: &Options) -> Vec<Value> {
    let blocks = content.into_iter().filter_map(|block| match block {
        Block::Text { text, .. } | Block::Refusal { text } if text.is_empty() => None,
        Block::Text { text, cache } => {
            let mut value = json!({"type": "text", "text": text});
            mark(&mut value, cache, options);
            Some(value)
        }
        Block::Refusal { text } => Some(json!({"type": "text", "text": text})),
        // Those of other dialects are JSON.
        Block::Thinking { text, signature: Some(signature) }
            if !signature.is_empty() && !signature.starts_with(['{', '[']) =>
        {
            Some(json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        // Without its signature, so from another provider or cut: it would be refused.
        Block::Thinking { .. } | Block::Foreign => None,
        Block::RedactedThinking { data } => Some(json!({"type": "redacted_thinking", "data": data})),
        Block::ToolCall { id, name, arguments } => {
            let input = serde_json::from_str::<Map<String, Value>>(&arguments).unwrap_or_default();
            Some(json!({"type": "tool_use", "id": call_id(&id), "name": name, "input": input}))
        }
    });
    let blocks: Vec<Value> = blocks.collect();
    // Thinking alone is no message.
    let has_more = blocks.iter().any(|block| block["type"] == "text" || block["type"] == "tool_use");
    if has_more { blocks } else { Vec::new() }
}

fn tool_result(result: &ToolResult, options: &Options) -> Result<Value, Failure> {
    let mut value = json!({"type": "tool_result", "tool_use_id": call_id(&result.tool_call_id)});
    let mut content = parts(&result.content, options)?;
    // A breakpoint stands at the result itself, not within it.
    for part in content.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(control) = part.remove("cache_control") {
            value["cache_control"] = control;
        }
    }
    if !content.is_empty() {
        value["content"] = content.into();
    }
    if result.is_error {
        value["is_error"] = true.into();
    }
    Ok(value)
}

/// The id of a call as this provider takes it; calls of other providers have others.
fn call_id(id: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let fitting: String = id.chars().map(allowed).collect();
    if fitting.len() <= CALL_ID_CHARS_MAX {
        return fitting;
    }
    // Long ids of other providers differ at their ends: FNV-1a tells them apart.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{}_{hash:016x}", &fitting[..CALL_ID_CHARS_MAX - 17])
}

const CALL_ID_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Value) -> Value {
        let mut out = String::new();
        encode(&message.to_string(), &Options::read("").unwrap(), &mut out).unwrap();
        serde_json::from_str(&format!("[{out}]")).unwrap()
    }

    #[test]
    fn user_message_keeps_text_and_media() {
        let message = json!({"role":"user","content":[
            {"type":"text","text":"hi","cache":true}, {"type":"text","text":""},
            {"type":"image","media_type":"image/png","data":"AA=="}, {"type":"image","url":"https://x/y.png"},
            {"type":"document","media_type":"application/pdf","data":"BB==","name":"a.pdf"},
            {"type":"document","url":"https://x/y.pdf"}],"time_us":1});
        assert_eq!(
            encoded(&message),
            json!([{"role":"user","content":[
            {"type":"text","text":"hi","cache_control":{"type":"ephemeral"}},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
            {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BB=="},"title":"a.pdf"},
            {"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}]}])
        );
        assert_eq!(encoded(&json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn assistant_message_goes_back_with_signed_and_hidden_thinking_only() {
        let message = json!({"role":"assistant","content":[
            {"type":"thinking","text":"hm","signature":"s"}, {"type":"thinking","text":"cut"},
            {"type":"thinking","text":"other","signature":"{\"type\":\"reasoning\"}"},
            {"type":"redacted_thinking","data":"d"}, {"type":"text","text":"t"}, {"type":"refusal","text":"no"},
            {"type":"tool_call","id":"call.1|x","name":"add","arguments":"{\"b\":1,\"a\":[2]}"},
            {"type":"tool_call","id":"c2","name":"sub","arguments":"{\"cut"}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"s"},
            {"type":"redacted_thinking","data":"d"},
            {"type":"text","text":"t"},
            {"type":"text","text":"no"},
            {"type":"tool_use","id":"call_1_x","name":"add","input":{"b":1,"a":[2]}},
            {"type":"tool_use","id":"c2","name":"sub","input":{}}]}])
        );
        let alone = json!({"role":"assistant","content":[{"type":"thinking","text":"hm","signature":"s"}]});
        assert_eq!(encoded(&alone), json!([]));
    }

    #[test]
    fn all_tool_results_of_a_turn_are_one_user_message() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"call.1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2"},{"type":"image","url":"https://x/y.png"}]},
            {"type":"tool_result","tool_call_id":"c2","tool_name":"sub","is_error":true,"content":[]}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"user","content":[
            {"type":"tool_result","tool_use_id":"call_1","content":[
                {"type":"text","text":"2"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},
            {"type":"tool_result","tool_use_id":"c2","is_error":true}]}])
        );
    }

    #[test]
    fn what_is_no_canonical_message_is_refused() {
        for message in [
            "",
            "{",
            "{}",
            r#"{"role":"system","content":[]}"#,
            r#"{"role":"user","content":[{"type":"x"}]}"#,
            r#"{"role":"user","content":[{"type":"audio","url":"https://x/y"}]}"#,
        ] {
            assert!(encode(message, &Options::read("").unwrap(), &mut String::new()).is_err(), "{message}");
        }
    }
}
