//! A server on this machine that plays replies written here, so that the examples need no key and no network.

use serde_json::{Value, json};
use thalweg_replay::{Exchange, Options, Recording, Server};

/// Plays one reply after the other, whatever is asked.
pub(crate) fn server(replies: impl IntoIterator<Item = Vec<Value>>) -> Server {
    let exchanges = replies.into_iter().map(|chunks| {
        let lines = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
        Exchange::of_chunks(lines.chain(["data: [DONE]\n\n".to_owned()]))
    });
    let recording = Recording::by_hand("openai-chat", exchanges.collect());
    Server::start(vec![recording], Options::in_order()).expect("a free loopback port")
}

/// A reply of one text, word by word.
pub(crate) fn text(words: &str) -> Vec<Value> {
    let deltas = words.split_inclusive(' ').map(|word| chunk(&json!({"content": word}), None));
    deltas.chain([chunk(&json!({}), Some("stop")), usage()]).collect()
}

/// A reply that calls a tool.
#[allow(dead_code, reason = "not every example has tools")]
pub(crate) fn call(name: &str, arguments: &Value) -> Vec<Value> {
    let function = json!({"name": name, "arguments": arguments.to_string()});
    let delta = json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]});
    vec![chunk(&delta, None), chunk(&json!({}), Some("tool_calls")), usage()]
}

fn chunk(delta: &Value, end: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
}

fn usage() -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4}}})
}
