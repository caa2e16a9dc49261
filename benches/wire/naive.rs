//! The slow twin: a buffer, a search for the blank line, and a `serde_json::Value` an event. Shares nothing with the
//! engine.

use memchr::memmem;
use serde_json::Value;
use std::hint::black_box;
use thalweg_benches::reply::{Cut, Input, Reply};

/// What one reply says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    text: String,
    arguments: String,
    output_tokens: i64,
}

/// Adds one JSON event of a dialect.
pub(crate) type Read = fn(&Value, &mut Content);

pub(crate) fn openai(event: &Value, content: &mut Content) {
    if let Some(tokens) = event["usage"]["completion_tokens"].as_i64() {
        content.output_tokens = tokens;
    }
    let delta = &event["choices"][0]["delta"];
    content.text.push_str(delta["content"].as_str().unwrap_or_default());
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        content.arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
    }
}

pub(crate) fn anthropic(event: &Value, content: &mut Content) {
    if let Some(tokens) = event["usage"]["output_tokens"].as_i64() {
        content.output_tokens = tokens;
    }
    content.text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
    content.arguments.push_str(event["delta"]["partial_json"].as_str().unwrap_or_default());
}

fn read_reply(reply: &Reply, cut: Cut, read: Read) -> Content {
    let mut content = Content::default();
    let mut buffer: Vec<u8> = Vec::new();
    for chunk in reply.chunks(cut) {
        buffer.extend_from_slice(black_box(chunk));
        let mut start = 0;
        while let Some(len) = memmem::find(&buffer[start..], b"\n\n") {
            let event = String::from_utf8_lossy(&buffer[start..start + len]);
            let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            if let Ok(value) = serde_json::from_str::<Value>(&data.join("\n")) {
                read(&value, &mut content);
            }
            start += len + 2;
        }
        buffer.drain(..start);
    }
    content
}

/// Decodes every reply and compares the sizes.
pub(crate) fn decode(input: &Input, cut: Cut, read: Read) {
    for reply in &input.replies {
        let content = read_reply(reply, cut, read);
        assert_eq!((content.text.len(), content.output_tokens), (reply.text.len(), reply.output_tokens));
    }
}

/// Decodes every reply once and compares the content itself.
pub(crate) fn check(input: &Input, read: Read) {
    for reply in &input.replies {
        let expected = Content {
            text: reply.text.clone(),
            arguments: reply.arguments.clone(),
            output_tokens: reply.output_tokens,
        };
        assert_eq!(read_reply(reply, Cut::Bytes(1000), read), expected);
    }
}
