//! The client of the proxy protocol against a small server of it.

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::message::{ContentBlock, StopKind};
use thalweg::proxy::Proxy;
use thalweg::{Agent, AgentBuilder, Error, Outcome, Tool};
use thalweg_replay::{Exchange, Fault, Options, Recording, Server};

fn reply(lines: &[Value]) -> Exchange {
    Exchange::of_chunks(lines.iter().map(|line| format!("data: {line}\n\n")))
}

fn server(exchanges: Vec<Exchange>, options: Options) -> Server {
    Server::start(vec![Recording::by_hand("openai-chat", exchanges)], options).expect("a loopback port")
}

fn agent(server: &Server) -> AgentBuilder {
    let proxy = Proxy::new(&server.url(), "token-of-the-user").expect("an address").api("a");
    Agent::builder().model("proxy/p/m").responder(proxy.responder())
}

async fn run(builder: AgentBuilder) -> Outcome {
    builder.build().expect("a complete description").prompt("go").expect("an idle agent").finished().await
}

fn text(text: &str) -> [Value; 3] {
    [
        json!({"type": "text_start", "contentIndex": 0}),
        json!({"type": "text_delta", "contentIndex": 0, "delta": text}),
        json!({"type": "text_end", "contentIndex": 0}),
    ]
}

fn done(reason: &str) -> Value {
    let usage = json!({"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 3});
    json!({"type": "done", "reason": reason, "usage": usage})
}

fn failure(outcome: &Outcome) -> (FailureKind, String) {
    match &outcome.error {
        Some(Error::Run { failure, .. }) => (failure.kind, failure.message.clone()),
        other => panic!("expected a failed run, got {other:?}"),
    }
}

#[tokio::test]
async fn a_run_with_a_tool_goes_through_the_proxy() {
    let call = [
        json!({"type": "start"}),
        json!({"type": "thinking_start", "contentIndex": 0}),
        json!({"type": "thinking_delta", "contentIndex": 0, "delta": "hm"}),
        json!({"type": "thinking_end", "contentIndex": 0, "contentSignature": "sig0"}),
        json!({"type": "toolcall_start", "contentIndex": 1, "id": "t1", "toolName": "fast"}),
        json!({"type": "toolcall_delta", "contentIndex": 1, "delta": "{\"y\""}),
        json!({"type": "toolcall_delta", "contentIndex": 1, "delta": ": 3}"}),
        json!({"type": "toolcall_end", "contentIndex": 1}),
        done("toolUse"),
    ];
    let [start, delta, end] = text("Hi");
    let server = server(vec![reply(&call), reply(&[start, delta, end, done("stop")])], Options::in_order());
    let tool =
        Tool::new("fast", "Fast.", json!({"type": "object"}), |args, _| async move { Ok(args["y"].to_string()) });
    let outcome = run(agent(&server).system("Be brief.").max_tokens(9).temperature(0.5).tool(tool)).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let message = outcome.message.expect("a reply");
    assert_eq!((message.text().as_str(), message.provider.as_deref()), ("Hi", Some("p")));
    assert_eq!((outcome.usage.input_tokens, outcome.usage.output_tokens), (Some(2), Some(4)));

    let requests = server.requests();
    let first = &requests[0].request;
    assert_eq!(first.target, "/api/stream");
    assert_eq!(first.header("authorization"), Some("Bearer token-of-the-user"));
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(body["model"], json!({"provider": "p", "id": "m", "api": "a", "thinking_level": "off"}));
    assert_eq!(body["options"], json!({"temperature": 0.5, "maxTokens": 9}));
    assert_eq!(body["context"]["system_prompt"], "Be brief.");
    assert_eq!(body["context"]["tools"][0]["label"], "fast");
    assert_eq!(body["context"]["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "go"}]}]));
    let body: Value = serde_json::from_slice(&requests[1].request.body).unwrap();
    let messages = body["context"]["messages"].as_array().unwrap();
    assert_eq!(messages[1]["content"][0], json!({"type": "thinking", "thinking": "hm", "thinking_signature": "sig0"}));
    assert_eq!(
        messages[1]["content"][1],
        json!({"type": "tool_call", "id": "t1", "name": "fast", "arguments": {"y": 3}})
    );
    let result = json!({"role": "tool_result", "tool_call_id": "t1", "tool_name": "fast",
        "content": [{"type": "text", "text": "3"}], "is_error": false});
    assert_eq!(messages[2], result);
}

#[tokio::test]
async fn a_stream_without_done_is_incomplete_and_what_came_is_kept() {
    let [start, delta, _] = text("half");
    let server = server(vec![reply(&[start, delta])], Options::in_order());
    let outcome = run(agent(&server)).await;
    assert_eq!(failure(&outcome).0, FailureKind::Truncated);
    assert_eq!(outcome.message.expect("what came").text(), "half");
}

#[tokio::test]
async fn an_error_of_the_proxy_keeps_its_words_its_usage_and_what_came() {
    let [start, delta, _] = text("half");
    let error = json!({"type": "error", "reason": "error", "errorMessage": "boom", "usage": {"input": 5}});
    let server = server(vec![reply(&[start, delta, error])], Options::in_order());
    let outcome = run(agent(&server)).await;
    assert_eq!(failure(&outcome), (FailureKind::Other, "boom".to_owned()));
    assert_eq!(outcome.usage.input_tokens, Some(5));
    assert_eq!(outcome.message.expect("what came").text(), "half");
}

#[tokio::test]
async fn a_refusal_has_its_status_and_never_the_token() {
    let body = r#"{"error":"no right for token-of-the-user"}"#;
    let server = server(vec![reply(&[])], Options::in_order().fault(0..9, Fault::status(403, body)));
    let (kind, message) = failure(&run(agent(&server)).await);
    assert_eq!((kind, message.as_str()), (FailureKind::Auth, "proxy error: 403: no right for …"));
}

#[tokio::test]
async fn a_reply_cut_by_its_length_says_so() {
    let [start, delta, end] = text("Hi");
    let server = server(vec![reply(&[start, delta, end, done("length")])], Options::in_order());
    let outcome = run(agent(&server)).await;
    let message = outcome.message.expect("a reply");
    assert_eq!(message.stop_kind(), Some(StopKind::Length));
    assert_eq!(message.content, [ContentBlock::Text { text: "Hi".to_owned() }]);
}
