//! A server on this machine that plays replies written here, and agents that ask it.

use serde_json::{Value, json};
use thalweg::AgentBuilder;
use thalweg_replay::{Exchange, Fault, Options, Recording, Server};

/// Plays one reply after the other, whatever is asked.
pub(crate) fn server(replies: impl IntoIterator<Item = Vec<Value>>) -> Server {
    start(replies, Options::in_order())
}

/// The same, but the first request meets a fault.
#[allow(dead_code, reason = "not every test has faults")]
pub(crate) fn faulty(replies: impl IntoIterator<Item = Vec<Value>>, fault: Fault) -> Server {
    start(replies, Options::in_order().fault(0..1, fault))
}

fn start(replies: impl IntoIterator<Item = Vec<Value>>, options: Options) -> Server {
    let exchanges = replies.into_iter().map(|chunks| {
        let lines = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
        Exchange::of_chunks(lines.chain(["data: [DONE]\n\n".to_owned()]))
    });
    let recording = Recording::by_hand("openai-chat", exchanges.collect());
    Server::start(vec![recording], options).expect("a free loopback port")
}

/// A reply of one text, word by word.
pub(crate) fn text(words: &str) -> Vec<Value> {
    let deltas = words.split_inclusive(' ').map(|word| chunk(&json!({"content": word}), None));
    deltas.chain([chunk(&json!({}), Some("stop")), usage()]).collect()
}

/// A reply that calls a tool.
#[allow(dead_code, reason = "not every test has tools")]
pub(crate) fn call(id: &str, name: &str, arguments: &Value) -> Vec<Value> {
    let function = json!({"name": name, "arguments": arguments.to_string()});
    let delta = json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": function}]});
    vec![chunk(&delta, None), chunk(&json!({}), Some("tool_calls")), usage()]
}

fn chunk(delta: &Value, end: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
}

/// What made MiniAgents fail: a last chunk without choices.
fn usage() -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}})
}

/// Asks a model of that server.
pub(crate) fn builder(server: &Server) -> AgentBuilder {
    let builder = thalweg::Agent::builder().base_url(format!("{}/v1", server.url())).api_key("anything");
    builder.retry(thalweg::http::Retry::never()).link(thalweg_openai::module())
}

/// The body of the request with this number.
pub(crate) fn body(server: &Server, number: usize) -> Value {
    serde_json::from_slice(&server.requests()[number].request.body).expect("a body of JSON")
}
