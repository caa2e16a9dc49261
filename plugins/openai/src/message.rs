//! Messages: from the canonical form to that of the dialect.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{self, Block, Cache, Mark, Message, Part, Source, ToolResult};

use crate::details;
use crate::options::Options;

/// Appends the wire form of `message` to `out`.
pub(crate) fn encode(message: &str, options: &Options, out: &mut String) -> Result<(), Failure> {
    let encoded = match canonical::message(message)? {
        Message::User { content } if content.is_empty() => Vec::new(),
        Message::User { content } => vec![json!({"role": "user", "content": user_content(&content, options)?})],
        Message::Assistant { content, .. } => assistant(&content, options).into_iter().collect(),
        Message::Tool { content } => tool_results(&content, options)?,
    };
    for (position, message) in encoded.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        out.push_str(&message.to_string());
    }
    Ok(())
}

/// A lone text is sent as a plain string, which every server understands.
fn user_content(parts: &[Part], options: &Options) -> Result<Value, Failure> {
    let is_marked = |part: &Part| options.quirks.cache_control && part.is_cached();
    let texts: Option<Vec<&str>> = parts.iter().map(Part::text).collect();
    match texts.as_deref() {
        Some([text]) if !parts.iter().any(is_marked) => Ok(json!(text)),
        Some(texts) if options.quirks.plain_content => Ok(json!(texts.join("\n"))),
        _ => parts.iter().map(|part| self::part(part, options)).collect(),
    }
}

fn part(part: &Part, options: &Options) -> Result<Value, Failure> {
    let mut value = match part {
        Part::Text { text, .. } => json!({"type": "text", "text": text}),
        Part::Image { source, .. } => json!({"type": "image_url", "image_url": {"url": source.url()}}),
        Part::Document { source: Source::Url { .. }, .. } if !options.quirks.document_url => {
            return Err(Failure::unsupported(
                "this dialect takes no document by its address; send the document's bytes instead",
            ));
        }
        Part::Document { source, name, .. } => {
            let name = name.as_deref().unwrap_or("document");
            json!({"type": "file", "file": {"filename": name, "file_data": source.url()}})
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
    };
    if let Some(control) = cache_control(part.mark(), options) {
        value["cache_control"] = control;
    }
    Ok(value)
}

/// The mark of a breakpoint of the cache, where the server takes some.
pub(crate) fn cache_control(mark: Mark, options: &Options) -> Option<Value> {
    match mark.0.filter(|_| options.quirks.cache_control)? {
        Cache::Long => Some(json!({"type": "ephemeral", "ttl": "1h"})),
        _ => Some(json!({"type": "ephemeral"})),
    }
}

/// None if nothing is left that the provider takes back.
fn assistant(content: &[Block], options: &Options) -> Option<Value> {
    let (mut text, mut thinking, mut refusal, mut calls) = (String::new(), String::new(), String::new(), Vec::new());
    let mut details = Vec::new();
    let mut marked = None;
    for block in content {
        match block {
            Block::Text { text: more, cache } => {
                text.push_str(more);
                marked = cache_control(*cache, options).or(marked);
            }
            Block::Thinking { text: more, signature } => {
                thinking.push_str(more);
                if let (true, Some(signature)) = (options.quirks.thinking_details, signature) {
                    details.extend(details::of_block(more, signature));
                }
            }
            Block::Refusal { text: more } => refusal.push_str(more),
            Block::ToolCall { id, name, arguments } => {
                let id = call_id(id, options);
                calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
            }
            // Thinking that only its own provider can read, and whatever else another dialect kept.
            Block::RedactedThinking { .. } | Block::Foreign => {}
        }
    }
    if text.is_empty() && refusal.is_empty() && calls.is_empty() {
        return None;
    }
    if options.quirks.think_tags && !thinking.is_empty() {
        text = format!("<think>\n{}\n</think>\n\n{}", thinking.trim(), text.trim_start());
    }
    let mut message = Map::new();
    message.insert("role".into(), json!("assistant"));
    // Next to tool calls `null` is what the provider itself sends; alone it would be refused.
    let has_text = !text.is_empty() || (calls.is_empty() && refusal.is_empty());
    let content = match marked {
        Some(control) if !text.is_empty() => json!([{"type": "text", "text": text, "cache_control": control}]),
        _ if has_text => json!(text),
        _ => Value::Null,
    };
    message.insert("content".into(), content);
    if !refusal.is_empty() {
        message.insert("refusal".into(), json!(refusal));
    }
    if let Some(field) = &options.thinking_field
        && !thinking.is_empty()
    {
        message.insert(field.clone(), json!(thinking));
    }
    if !details.is_empty() {
        message.insert("reasoning_details".into(), details.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    Some(message.into())
}

/// One message a result. The dialect has no place for media in results, so they follow as a user's message.
fn tool_results(results: &[ToolResult], options: &Options) -> Result<Vec<Value>, Failure> {
    let mut messages = Vec::new();
    let mut media = Vec::new();
    for result in results {
        let mut message = Map::new();
        message.insert("role".into(), json!("tool"));
        message.insert("tool_call_id".into(), json!(call_id(&result.tool_call_id, options)));
        if options.quirks.tool_result_name {
            message.insert("name".into(), json!(result.tool_name));
        }
        let before = media.len();
        for other in result.content.iter().filter(|part| part.text().is_none()) {
            media.push(part(other, options)?);
        }
        let has_text = result.content.iter().any(|part| part.text().is_some());
        let text = if !has_text && media.len() > before { MEDIA_FOLLOW.to_owned() } else { result.text() };
        message.insert("content".into(), json!(text));
        messages.push(message.into());
    }
    if !media.is_empty() {
        media.insert(0, json!({"type": "text", "text": MEDIA_HERE}));
        messages.push(json!({"role": "user", "content": media}));
    }
    Ok(messages)
}

const MEDIA_FOLLOW: &str = "(the result is attached below)";
const MEDIA_HERE: &str = "Attached from the tool results above:";

/// The id of a call as the server takes it. One that does not fit becomes one that does, the same for call and result.
fn call_id(id: &str, options: &Options) -> String {
    let Some(chars) = options.quirks.call_id_chars else { return id.to_owned() };
    if id.len() == chars && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a, written in digits and letters.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let digit = |number: u64| char::from_digit((number % 36) as u32, 36).unwrap_or('0');
    (0..chars)
        .map(|_| {
            let digit = digit(hash);
            hash = (hash / 36) ^ hash.rotate_left(23);
            digit
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(options: &str, message: &Value) -> Value {
        let mut out = String::new();
        encode(&message.to_string(), &Options::read(options).unwrap(), &mut out).unwrap();
        serde_json::from_str(&format!("[{out}]")).unwrap()
    }

    #[test]
    fn user_message_with_one_text_is_a_string_and_with_media_a_list() {
        let text = json!({"type":"text","text":"hi \"there\"\n"});
        assert_eq!(
            encoded("", &json!({"role":"user","content":[text],"time_us":1})),
            json!([
            {"role":"user","content":"hi \"there\"\n"}])
        );
        let content = json!([text,
            {"type":"image","media_type":"image/png","data":"AA=="}, {"type":"image","url":"https://x/y.png"},
            {"type":"document","media_type":"application/pdf","data":"BB==","name":"a.pdf"}]);
        assert_eq!(
            encoded("", &json!({"role":"user","content":content})),
            json!([{"role":"user","content":[text,
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},
            {"type":"image_url","image_url":{"url":"https://x/y.png"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BB=="}}]}])
        );
        assert_eq!(encoded("", &json!({"role":"user","content":[]})), json!([]));
    }

    #[test]
    fn document_by_address_is_refused() {
        let message = json!({"role":"user","content":[{"type":"document","url":"https://x/y.pdf"}]});
        let failure = encode(&message.to_string(), &Options::read("").unwrap(), &mut String::new()).unwrap_err();
        assert_eq!(failure.code, thalweg_abi::types::E_UNSUPPORTED);
    }

    #[test]
    fn assistant_message_keeps_calls_and_drops_what_only_its_provider_reads() {
        let message = json!({"role":"assistant","content":[
            {"type":"thinking","text":"hm","signature":"s"},
            {"type":"redacted_thinking","data":"d"},
            {"type":"tool_call","id":"c1","name":"add","arguments":"{\"a\":1}","wire_arguments":"x"},
            {"type":"tool_call","id":"c2","name":"sub","arguments":"{}"}],
            "model":"m","usage":{}});
        let calls = json!([
            {"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},
            {"id":"c2","type":"function","function":{"name":"sub","arguments":"{}"}}]);
        assert_eq!(encoded("", &message), json!([{"role":"assistant","content":null,"tool_calls":calls}]));
        assert_eq!(
            encoded(r#"{"flags":{"thinking_field":"reasoning_content"}}"#, &message),
            json!([{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":calls}])
        );
        let words = json!({"role":"assistant","content":[
            {"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"refusal","text":"no"}]});
        assert_eq!(encoded("", &words), json!([{"role":"assistant","content":"ab","refusal":"no"}]));
        let nothing = json!({"role":"assistant","content":[{"type":"thinking","text":"hm"},{"type":"text","text":""}]});
        assert_eq!(encoded("", &nothing), json!([]));
    }

    #[test]
    fn each_tool_result_is_a_message_and_their_media_follow() {
        let message = json!({"role":"tool","content":[
            {"type":"tool_result","tool_call_id":"c1","tool_name":"add","is_error":false,
             "content":[{"type":"text","text":"2"},{"type":"text","text":"3"}]},
            {"type":"tool_result","tool_call_id":"c2","tool_name":"draw","is_error":false,
             "content":[{"type":"image","url":"https://x/y.png"}]}]});
        assert_eq!(
            encoded("", &message),
            json!([
            {"role":"tool","tool_call_id":"c1","content":"2\n3"},
            {"role":"tool","tool_call_id":"c2","content":MEDIA_FOLLOW},
            {"role":"user","content":[{"type":"text","text":MEDIA_HERE},
                {"type":"image_url","image_url":{"url":"https://x/y.png"}}]}])
        );
        let named = encoded(r#"{"provider":"mistral"}"#, &message);
        assert_eq!(named[0]["name"], json!("add"));
    }

    #[test]
    fn servers_get_what_only_they_want() {
        let text =
            json!({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache":true}]});
        assert_eq!(
            encoded(r#"{"provider":"openrouter"}"#, &text)[0]["content"],
            json!([{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}])
        );
        assert_eq!(encoded(r#"{"provider":"deepseek"}"#, &text)[0]["content"], json!("a\nb"));
        let document = json!({"role":"user","content":[{"type":"document","url":"https://x/y.pdf","name":"y.pdf"}]});
        assert_eq!(
            encoded(r#"{"provider":"openrouter"}"#, &document)[0]["content"],
            json!([{"type":"file","file":{"filename":"y.pdf","file_data":"https://x/y.pdf"}}])
        );
        let sound = json!({"role":"user","content":[{"type":"audio","media_type":"audio/x-wav","data":"AA=="}]});
        assert_eq!(
            encoded("", &sound)[0]["content"],
            json!([{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}])
        );
    }

    #[test]
    fn thinking_goes_back_as_the_server_had_it() {
        let message =
            json!({"role":"assistant","content":[{"type":"thinking","text":"\nhm\n"},{"type":"text","text":"\n\na"}]});
        assert_eq!(encoded("", &message), json!([{"role":"assistant","content":"\n\na"}]));
        assert_eq!(
            encoded(r#"{"provider":"minimax"}"#, &message),
            json!([{"role":"assistant","content":"<think>\nhm\n</think>\n\na"}])
        );
        let signature = r#"[{"type":"reasoning.encrypted","data":"d","id":"t"}]"#;
        let signed = json!({"role":"assistant","content":[{"type":"thinking","text":"","signature":signature},
            {"type":"text","text":"a"}]});
        assert_eq!(encoded("", &signed), json!([{"role":"assistant","content":"a"}]));
        assert_eq!(
            encoded(r#"{"provider":"openrouter"}"#, &signed),
            json!([{"role":"assistant","content":"a",
                "reasoning_details":[{"type":"reasoning.encrypted","data":"d","id":"t"}]}])
        );
        assert_eq!(
            encoded(r#"{"provider":"zai"}"#, &message),
            json!([{"role":"assistant","content":"\n\na","reasoning_content":"\nhm\n"}])
        );
    }

    #[test]
    fn ids_of_calls_fit_the_server_and_each_other() {
        let options = r#"{"provider":"mistral"}"#;
        let id_of = |id: &str| {
            let call = json!({"role":"assistant","content":[{"type":"tool_call","id":id,"name":"f","arguments":"{}"}]});
            let result = json!({"role":"tool","content":[{"type":"tool_result","tool_call_id":id,"tool_name":"f","content":[]}]});
            let sent = encoded(options, &call)[0]["tool_calls"][0]["id"].clone();
            assert_eq!(sent, encoded(options, &result)[0]["tool_call_id"]);
            sent.as_str().unwrap().to_owned()
        };
        assert_eq!(id_of("D681PevKs"), "D681PevKs");
        let (one, two) = (id_of("call_1"), id_of("call_2"));
        assert!(one.len() == 9 && two.len() == 9 && one != two && one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn what_is_no_canonical_message_is_refused() {
        for message in
            ["", "{", "{}", r#"{"role":"system","content":[]}"#, r#"{"role":"user","content":[{"type":"x"}]}"#]
        {
            assert!(encode(message, &Options::read("").unwrap(), &mut String::new()).is_err(), "{message}");
        }
    }
}
