//! Replies written by hand for the question of the example, and a server that plays them.

use serde_json::{Value, json};
use thalweg::AgentBuilder;
use thalweg_replay::{Chunk, Exchange, Options, Pace, Recording, Server};

use super::{ANSWER_NOW, QUESTION};

/// Plays the reply to each of the prompts below. A reply takes a moment, so that they come at once, or not at all.
pub(crate) fn server() -> Server {
    let parts = [
        ("What a thalweg is", "thalweg deepest", "It is the deepest channel of a river."),
        ("Why ships need it", "ships channel", "Ships keep to that channel, and both sides want it."),
        ("Which treaties use it", "treaty border", "The treaty of Lunéville used it for the Rhine."),
    ];
    let plan = parts.map(|(part, _, _)| part).join("\n");
    let mut recordings = vec![recording(QUESTION, vec![said(&plan)])];
    for (part, words, found) in parts {
        recordings.push(recording(part, vec![called(&json!({ "words": words })), said(found)]));
    }
    let answer =
        "The thalweg is the deepest channel, which ships need. A border along it leaves a part of it to both sides.";
    recordings.push(recording(ANSWER_NOW, vec![said(answer)]));
    Server::start(recordings, Options::pace(Pace::Recorded)).expect("a free loopback port")
}

/// Asks that server.
pub(crate) fn builder(server: &Server) -> AgentBuilder {
    let url = format!("{}/v1", server.url());
    thalweg::Agent::builder().base_url(url).api_key("anything").link(thalweg_openai::module())
}

fn recording(prompt: &str, replies: Vec<Vec<Value>>) -> Recording {
    let exchanges = replies.into_iter().map(|chunks| {
        let lines = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
        let mut exchange = Exchange::of_chunks(lines.chain(["data: [DONE]\n\n".to_owned()]));
        exchange.request.path = "/v1/chat/completions".to_owned();
        for (at, chunk) in exchange.chunks.iter_mut().enumerate() {
            *chunk = Chunk { at_us: 50_000 + 5_000 * at as u64, bytes: std::mem::take(&mut chunk.bytes) };
        }
        exchange
    });
    let exchanges = exchanges.collect();
    Recording { name: prompt.to_owned(), prompt: prompt.to_owned(), ..Recording::by_hand("openai-chat", exchanges) }
}

fn said(text: &str) -> Vec<Value> {
    let deltas = text.split_inclusive(' ').map(|word| json!({"content": word}));
    deltas.map(|delta| chunk(&delta, None)).chain([chunk(&json!({}), Some("stop"))]).collect()
}

fn called(arguments: &Value) -> Vec<Value> {
    let function = json!({"name": "search", "arguments": arguments.to_string()});
    let delta = json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]});
    vec![chunk(&delta, None), chunk(&json!({}), Some("tool_calls"))]
}

fn chunk(delta: &Value, end: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})
}
