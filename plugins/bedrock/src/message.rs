//! Messages: from the canonical form to that of Converse.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Message, Part, Source, ToolResult};

/// Appends the wire form of `message` to `out`; nothing when the provider would refuse it as empty.
pub(crate) fn encode(message: &str, out: &mut String) -> Result<(), Failure> {
    let (role, content) = match canonical::message(message)? {
        Message::User { content } => ("user", parts(&content, Cached::Marked)?),
        Message::Assistant { content, .. } => ("assistant", assistant(content)),
        Message::Tool { content } => ("user", tool_results(&content)?),
    };
    if !content.is_empty() {
        out.push_str(&json!({"role": role, "content": content}).to_string());
    }
    Ok(())
}

/// The mark up to which a prompt is cached.
pub(crate) fn cache_point() -> Value {
    json!({"cachePoint": {"type": "default"}})
}

/// Whether marks of the cache stand among the parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cached {
    Marked,
    /// The provider takes none inside of a tool's result.
    Unmarked,
}

/// Empty texts are left out: the provider refuses them.
fn parts(parts: &[Part], cached: Cached) -> Result<Vec<Value>, Failure> {
    let mut values = Vec::new();
    for part in parts {
        if part.text() != Some("") {
            values.push(self::part(part)?);
        }
        if part.is_cached() && cached == Cached::Marked && !values.is_empty() {
            values.push(cache_point());
        }
    }
    Ok(values)
}

fn part(part: &Part) -> Result<Value, Failure> {
    Ok(match part {
        Part::Text { text, .. } => json!({"text": text}),
        Part::Image { source, .. } => json!({"image": {"format": format(source, IMAGES)?, "source": bytes(source)?}}),
        Part::Document { source, name, .. } => {
            let name = name.as_deref().map(document_name).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| "document".into());
            json!({"document": {"format": format(source, DOCUMENTS)?, "name": name, "source": bytes(source)?}})
        }
        Part::Audio { source, .. } => json!({"audio": {"format": format(source, SOUNDS)?, "source": bytes(source)?}}),
    })
}

/// The bytes, or the address where it is one of S3: the provider fetches no others.
fn bytes(source: &Source) -> Result<Value, Failure> {
    match source {
        Source::Data { data, .. } => Ok(json!({"bytes": data})),
        Source::Url { url, .. } if url.starts_with("s3://") => Ok(json!({"s3Location": {"uri": url}})),
        Source::Url { .. } => {
            Err(Failure::unsupported("bedrock fetches media from s3:// only; send the bytes, or an address of S3"))
        }
    }
}

/// The provider's word for the type of a medium.
fn format(source: &Source, known: &[(&str, &'static str)]) -> Result<&'static str, Failure> {
    let (Source::Data { media_type, .. } | Source::Url { media_type: Some(media_type), .. }) = source else {
        return Err(Failure::unsupported("bedrock has to be told the type of media; set media_type beside the url"));
    };
    let word = known.iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name)).map(|(_, word)| *word);
    word.ok_or_else(|| {
        let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Failure::unsupported(format!("bedrock takes no {media_type}; send one of {}", known.join(", ")))
    })
}

const IMAGES: &[(&str, &str)] = &[
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];
const SOUNDS: &[(&str, &str)] = &[
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/flac", "flac"),
    ("audio/ogg", "ogg"),
    ("audio/mp4", "m4a"),
];

/// The name of a document in the characters that the provider allows, and without two blanks in a row.
fn document_name(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
    let name: String = name.chars().map(allowed).collect();
    name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_CHARS_MAX).collect()
}

const NAME_CHARS_MAX: usize = 200;

fn assistant(content: Vec<Block>) -> Vec<Value> {
    let blocks = content.into_iter().filter_map(|block| match block {
        Block::Text { text, .. } | Block::Refusal { text } if text.trim().is_empty() => None,
        Block::Text { text, .. } | Block::Refusal { text } => Some(json!({"text": text})),
        // Those of other dialects are JSON.
        Block::Thinking { text, signature: Some(signature) }
            if !signature.is_empty() && !signature.starts_with(['{', '[']) =>
        {
            Some(json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}))
        }
        // Without its signature, so from another provider or cut: it would be refused.
        Block::Thinking { .. } | Block::Foreign => None,
        Block::RedactedThinking { data } => Some(json!({"reasoningContent": {"redactedContent": data}})),
        Block::ToolCall { id, name, arguments } => {
            let input = serde_json::from_str::<Map<String, Value>>(&arguments).unwrap_or_default();
            Some(json!({"toolUse": {"toolUseId": call_id(&id), "name": name, "input": input}}))
        }
    });
    let blocks: Vec<Value> = blocks.collect();
    // Thinking alone is no message.
    let has_more = blocks.iter().any(|block| block.get("reasoningContent").is_none());
    if has_more { blocks } else { Vec::new() }
}

fn tool_results(results: &[ToolResult]) -> Result<Vec<Value>, Failure> {
    let mut values = Vec::new();
    for result in results {
        let status = if result.is_error { "error" } else { "success" };
        let content = parts(&result.content, Cached::Unmarked)?;
        let id = call_id(&result.tool_call_id);
        values.push(json!({"toolResult": {"toolUseId": id, "content": content, "status": status}}));
        if result.content.iter().any(Part::is_cached) {
            values.push(cache_point());
        }
    }
    Ok(values)
}

/// The id of a call as this provider takes it; calls of other providers have others.
fn call_id(id: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    id.chars().map(allowed).take(CALL_ID_CHARS_MAX).collect()
}

const CALL_ID_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &Value) -> Value {
        let mut out = String::new();
        encode(&message.to_string(), &mut out).unwrap();
        serde_json::from_str(&format!("[{out}]")).unwrap()
    }

    #[test]
    fn user_message_keeps_text_media_and_marks_of_the_cache() {
        let message = json!({"role":"user","content":[
            {"type":"text","text":"hi","cache":true}, {"type":"text","text":""},
            {"type":"image","media_type":"image/png","data":"AA=="},
            {"type":"image","url":"s3://b/y","media_type":"image/jpeg"},
            {"type":"document","media_type":"application/pdf","data":"BB==","name":"a_b  (1).pdf"},
            {"type":"document","media_type":"text/plain","data":"BB=="},
            {"type":"audio","media_type":"audio/mpeg","data":"CC=="}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"user","content":[
            {"text":"hi"}, {"cachePoint":{"type":"default"}},
            {"image":{"format":"png","source":{"bytes":"AA=="}}},
            {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://b/y"}}}},
            {"document":{"format":"pdf","name":"a b (1) pdf","source":{"bytes":"BB=="}}},
            {"document":{"format":"txt","name":"document","source":{"bytes":"BB=="}}},
            {"audio":{"format":"mp3","source":{"bytes":"CC=="}}}]}])
        );
        assert_eq!(encoded(&json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn what_the_provider_cannot_read_is_refused() {
        for part in [
            json!({"type":"image","url":"https://x/y.png","media_type":"image/png"}),
            json!({"type":"image","url":"s3://x/y.png"}),
            json!({"type":"image","media_type":"image/tiff","data":"AA=="}),
        ] {
            let message = json!({"role":"user","content":[part]}).to_string();
            let failure = encode(&message, &mut String::new()).unwrap_err();
            assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED, "{message}");
        }
        assert!(encode("{}", &mut String::new()).is_err());
    }

    #[test]
    fn assistant_message_goes_back_with_signed_and_hidden_thinking_only() {
        let message = json!({"role":"assistant","content":[
            {"type":"thinking","text":"hm","signature":"s"}, {"type":"thinking","text":"cut"},
            {"type":"thinking","text":"other","signature":"{\"type\":\"reasoning\"}"},
            {"type":"redacted_thinking","data":"d"}, {"type":"text","text":"t"}, {"type":"text","text":" \n"},
            {"type":"tool_call","id":"call.1|x","name":"add","arguments":"{\"b\":1,\"a\":[2]}"},
            {"type":"tool_call","id":"c2","name":"sub","arguments":"{\"cut"}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"assistant","content":[
            {"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},
            {"reasoningContent":{"redactedContent":"d"}},
            {"text":"t"},
            {"toolUse":{"toolUseId":"call_1_x","name":"add","input":{"b":1,"a":[2]}}},
            {"toolUse":{"toolUseId":"c2","name":"sub","input":{}}}]}])
        );
        let alone = json!({"role":"assistant","content":[{"type":"thinking","text":"hm","signature":"s"}]});
        assert_eq!(encoded(&alone), json!([]));
    }

    #[test]
    fn all_tool_results_of_a_turn_are_one_user_message() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"call.1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2","cache":true}]},
            {"type":"tool_result","tool_call_id":"c2","tool_name":"sub","is_error":true,"content":[]}]});
        assert_eq!(
            encoded(&message),
            json!([{"role":"user","content":[
            {"toolResult":{"toolUseId":"call_1","content":[{"text":"2"}],"status":"success"}},
            {"cachePoint":{"type":"default"}},
            {"toolResult":{"toolUseId":"c2","content":[],"status":"error"}}]}])
        );
    }
}
