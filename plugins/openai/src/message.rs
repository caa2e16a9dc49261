//! Messages: from the canonical form to that of the dialect.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;

use crate::options::Options;

/// A canonical message; keys that are not named here are of no interest to a provider.
#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Message {
    User { content: Vec<Part> },
    Assistant { content: Vec<Block> },
    Tool { content: Vec<ToolResult> },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: String,
    },
    Image {
        #[serde(flatten)]
        source: Source,
    },
    Document {
        #[serde(flatten)]
        source: Source,
        #[serde(default)]
        name: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Data { media_type: String, data: String },
    Url { url: String },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    Thinking {
        text: String,
    },
    Refusal {
        text: String,
    },
    ToolCall {
        id: String,
        name: String,
        arguments: String,
    },
    /// Thinking that only its own provider can read, and whatever else another dialect kept.
    #[serde(other)]
    Foreign,
}

#[derive(Deserialize)]
struct ToolResult {
    tool_call_id: String,
    #[serde(default)]
    tool_name: String,
    content: Vec<Part>,
}

/// Appends the wire form of `message` to `out`.
pub(crate) fn encode(message: &str, options: &Options, out: &mut String) -> Result<(), Failure> {
    let message = serde_json::from_str(message)
        .map_err(|error| Failure::invalid(format!("the message is not in the canonical form: {error}")))?;
    let encoded = match message {
        Message::User { content } if content.is_empty() => Vec::new(),
        Message::User { content } => vec![json!({"role": "user", "content": user_content(&content)?})],
        Message::Assistant { content } => assistant(&content, options).into_iter().collect(),
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
fn user_content(parts: &[Part]) -> Result<Value, Failure> {
    if let [Part::Text { text }] = parts {
        return Ok(json!(text));
    }
    parts.iter().map(part).collect()
}

fn part(part: &Part) -> Result<Value, Failure> {
    Ok(match part {
        Part::Text { text } => json!({"type": "text", "text": text}),
        Part::Image { source } => json!({"type": "image_url", "image_url": {"url": url(source)}}),
        Part::Document { source: source @ Source::Data { .. }, name } => {
            let name = name.as_deref().unwrap_or("document");
            json!({"type": "file", "file": {"filename": name, "file_data": url(source)}})
        }
        Part::Document { source: Source::Url { .. }, .. } => {
            return Err(Failure::unsupported(
                "this dialect takes no document by its address; send the document's bytes instead",
            ));
        }
    })
}

fn url(source: &Source) -> String {
    match source {
        Source::Data { media_type, data } => format!("data:{media_type};base64,{data}"),
        Source::Url { url } => url.clone(),
    }
}

/// None if nothing is left that the provider takes back.
fn assistant(content: &[Block], options: &Options) -> Option<Value> {
    let (mut text, mut thinking, mut refusal, mut calls) = (String::new(), String::new(), String::new(), Vec::new());
    for block in content {
        match block {
            Block::Text { text: more } => text.push_str(more),
            Block::Thinking { text: more } => thinking.push_str(more),
            Block::Refusal { text: more } => refusal.push_str(more),
            Block::ToolCall { id, name, arguments } => {
                calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
            }
            Block::Foreign => {}
        }
    }
    if text.is_empty() && refusal.is_empty() && calls.is_empty() {
        return None;
    }
    let mut message = Map::new();
    message.insert("role".into(), json!("assistant"));
    // Next to tool calls `null` is what the provider itself sends; alone it would be refused.
    let has_text = !text.is_empty() || (calls.is_empty() && refusal.is_empty());
    message.insert("content".into(), if has_text { json!(text) } else { Value::Null });
    if !refusal.is_empty() {
        message.insert("refusal".into(), json!(refusal));
    }
    if let Some(field) = &options.thinking_field
        && !thinking.is_empty()
    {
        message.insert(field.clone(), json!(thinking));
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
        let texts: Vec<&str> = result
            .content
            .iter()
            .filter_map(|part| if let Part::Text { text } = part { Some(text.as_str()) } else { None })
            .collect();
        let mut message = Map::new();
        message.insert("role".into(), json!("tool"));
        message.insert("tool_call_id".into(), json!(result.tool_call_id));
        if options.has_tool_result_name {
            message.insert("name".into(), json!(result.tool_name));
        }
        let others = result.content.iter().filter(|part| !matches!(part, Part::Text { .. }));
        let before = media.len();
        for other in others {
            media.push(part(other)?);
        }
        let text = if texts.is_empty() && media.len() > before { MEDIA_FOLLOW.to_owned() } else { texts.join("\n") };
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
    fn what_is_no_canonical_message_is_refused() {
        for message in
            ["", "{", "{}", r#"{"role":"system","content":[]}"#, r#"{"role":"user","content":[{"type":"x"}]}"#]
        {
            assert!(encode(message, &Options::read("").unwrap(), &mut String::new()).is_err(), "{message}");
        }
    }
}
