//! Servers, agents and tools for the tests of this folder.

use std::time::Duration;

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::message::Message;
use thalweg::{Agent, AgentBuilder, Error, Outcome, Run, Tool};
use thalweg_replay::{Exchange, Options, Recording, Server};

/// A chat chunk with `delta` and, at the end, a finish reason.
pub(crate) fn chunk(delta: Value, finish: Option<&str>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {body}\n\n")
}

pub(crate) fn text_reply(pieces: &[&str]) -> Exchange {
    let mut chunks: Vec<String> = pieces.iter().map(|piece| chunk(json!({"content": piece}), None)).collect();
    chunks.push(chunk(json!({}), Some("stop")));
    chunks.push("data: [DONE]\n\n".to_owned());
    Exchange::of_chunks(chunks)
}

pub(crate) fn call_reply(id: &str, name: &str, arguments: &str) -> Exchange {
    Exchange::of_chunks([
        chunk(
            json!({"tool_calls": [{"index": 0, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}),
            None,
        ),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}), None),
        chunk(json!({}), Some("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ])
}

pub(crate) fn server(exchanges: Vec<Exchange>, options: Options) -> Server {
    let recording = Recording::by_hand("openai-chat", exchanges);
    Server::start(vec![recording], options).expect("a loopback port")
}

pub(crate) fn agent(server: &Server) -> AgentBuilder {
    Agent::builder().model("m").base_url(server.url()).link(thalweg_openai::module())
}

pub(crate) async fn outcome(builder: AgentBuilder) -> Outcome {
    let run = builder.build().expect("a complete description").prompt("go").expect("an idle agent");
    tokio::time::timeout(Duration::from_secs(20), run.finished()).await.expect("every run ends")
}

pub(crate) async fn reply_to(exchange: Exchange, options: Options) -> Outcome {
    let server = server(vec![exchange], options);
    outcome(agent(&server)).await
}

pub(crate) fn failure(outcome: &Outcome) -> (FailureKind, String) {
    match &outcome.error {
        Some(Error::Run { failure, .. }) => (failure.kind, failure.message.clone()),
        other => panic!("expected a failed run, got {other:?}"),
    }
}

pub(crate) fn text(outcome: &Outcome) -> String {
    outcome.message.as_ref().map(thalweg::message::AssistantMessage::text).unwrap_or_default()
}

pub(crate) fn tool_results(outcome: &Outcome) -> Vec<(String, bool)> {
    let results = outcome.messages.iter().filter_map(|message| match message {
        Message::Tool(results) => Some(results.content.clone()),
        _ => None,
    });
    results.flatten().map(|result| (format!("{:?}", result.content), result.is_error)).collect()
}

pub(crate) fn echo_tool() -> Tool {
    Tool::new("echo", "Says it again.", json!({"type": "object"}), |arguments, _| async move {
        Ok(arguments["text"].as_str().unwrap_or("nothing").to_owned())
    })
}

/// A reply that calls several tools: id, name, arguments.
pub(crate) fn calls_reply(calls: &[(&str, &str, &str)]) -> Exchange {
    let mut chunks: Vec<String> = Vec::new();
    for (index, (id, name, arguments)) in calls.iter().enumerate() {
        let function = json!({"name": name, "arguments": arguments});
        let call = json!({"index": index, "id": id, "type": "function", "function": function});
        chunks.push(chunk(json!({ "tool_calls": [call] }), None));
    }
    chunks.push(chunk(json!({}), Some("tool_calls")));
    chunks.push("data: [DONE]\n\n".to_owned());
    Exchange::of_chunks(chunks)
}

/// A tool that answers with what its argument `text` says, as late as `ms` says.
pub(crate) fn slow_tool() -> Tool {
    Tool::new("slow", "", json!({"type": "object"}), |arguments, _| async move {
        tokio::time::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        Ok(arguments["text"].as_str().unwrap_or("slow").to_owned())
    })
}

pub(crate) async fn finished(run: &Run) -> Outcome {
    tokio::time::timeout(Duration::from_secs(20), run.finished()).await.expect("every run ends")
}

/// The results of the run's tools: text, and whether it is an error.
pub(crate) fn answers(outcome: &Outcome) -> Vec<(String, bool)> {
    let results = outcome.messages.iter().filter_map(|message| match message {
        Message::Tool(results) => Some(&results.content),
        _ => None,
    });
    results.flatten().map(|result| (result.text(), result.is_error)).collect()
}

/// What users said in these messages.
pub(crate) fn said(messages: &[Message]) -> Vec<String> {
    let said = messages.iter().filter_map(|message| match message {
        Message::User(user) => user.content.first().and_then(|part| part.as_text()).map(str::to_owned),
        _ => None,
    });
    said.collect()
}

/// The types of the run's events, as far as it is.
pub(crate) async fn event_types(run: &Run) -> Vec<&'static str> {
    let (mut types, mut events) = (Vec::new(), run.events());
    while let Some(event) = events.next().await {
        types.push(event.view.event_type());
    }
    types
}

/// The body of the last request.
pub(crate) fn last_request(server: &Server) -> Value {
    let requests = server.requests();
    serde_json::from_slice(&requests.last().expect("a request").request.body).expect("JSON")
}
