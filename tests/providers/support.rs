//! Servers and replies that the tests share.

use std::time::Duration;

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::{Agent, AgentBuilder, Error};
use thalweg_replay::{Exchange, Options, Recording, Server};

/// A chat chunk with `delta` and, at the end, a finish reason.
pub(crate) fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {body}\n\n")
}

pub(crate) fn text_reply(pieces: &[&str]) -> Exchange {
    let mut chunks: Vec<String> = pieces.iter().map(|piece| chunk(&json!({"content": piece}), None)).collect();
    chunks.push(chunk(&json!({}), Some("stop")));
    chunks.push("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7}}\n\n".to_owned());
    chunks.push("data: [DONE]\n\n".to_owned());
    Exchange::of_chunks(chunks)
}

pub(crate) fn call_reply(id: &str, name: &str, arguments: &str) -> Exchange {
    let begin = json!({"tool_calls": [{"index": 0, "id": id, "type": "function",
        "function": {"name": name, "arguments": arguments}}]});
    let chunks = [chunk(&begin, None), chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()];
    Exchange::of_chunks(chunks)
}

/// A reply that is not streamed.
pub(crate) fn whole_reply(body: &Value) -> Exchange {
    let mut exchange = Exchange::of_chunks([body.to_string()]);
    exchange.response.headers = vec![("content-type".into(), "application/json".into())];
    exchange
}

pub(crate) fn server(exchanges: Vec<Exchange>, options: Options) -> Server {
    let recording = Recording::by_hand("openai-chat", exchanges);
    Server::start(vec![recording], options).expect("a loopback port")
}

pub(crate) fn builder(server: &Server) -> AgentBuilder {
    Agent::builder().model("m").base_url(server.url()).link(thalweg_openai::module()).retry(soon())
}

/// The usual retries without the usual pauses.
pub(crate) fn soon() -> thalweg::http::Retry {
    thalweg::http::Retry { first_delay: Duration::from_millis(1), ..Default::default() }
}

pub(crate) fn body(server: &Server, request: usize) -> Value {
    serde_json::from_slice(&server.requests()[request].request.body).expect("a JSON body")
}

pub(crate) fn header(server: &Server, request: usize, name: &str) -> Option<String> {
    let captured = &server.requests()[request];
    captured.request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

pub(crate) fn failure(error: &Error) -> (FailureKind, String) {
    match error {
        Error::Run { failure, .. } => (failure.kind, failure.message.clone()),
        other => panic!("expected a failed run, got {other:?}"),
    }
}
