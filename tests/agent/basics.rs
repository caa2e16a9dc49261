//! The agent over a real HTTP connection: every way in which a reply, a tool or a server can go wrong.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::message::{ContentBlock, Message};
use thalweg::{Agent, Error, Tool};
use thalweg_replay::{Exchange, Fault, Options};

use crate::support::{
    agent, call_reply, chunk, echo_tool, failure, outcome, reply_to, server, text, text_reply, tool_results,
};

#[tokio::test]
async fn a_reply_is_streamed_to_every_reader_from_its_beginning() {
    let server = server(vec![text_reply(&["Hel", "lo ", "wörld"])], Options::in_order());
    let agent = agent(&server).build().unwrap();
    let run = agent.prompt("go").unwrap();
    assert_eq!(run.message().await.unwrap().text(), "Hello wörld");
    for _ in 0..2 {
        let mut late = run.text();
        let mut pieces = Vec::new();
        while let Some(piece) = late.next().await {
            pieces.push(piece);
        }
        assert_eq!(pieces, ["Hel", "lo ", "wörld"]);
    }
    assert_eq!(agent.messages().len(), 2);
}

#[tokio::test]
async fn a_tool_is_run_and_its_answer_sent_back() {
    let exchanges = vec![call_reply("c9", "echo", r#"{"text":"pong"}"#), text_reply(&["done"])];
    let server = server(exchanges, Options::in_order());
    let outcome = outcome(agent(&server).tool(echo_tool())).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(text(&outcome), "done");
    let second: Value = serde_json::from_slice(&server.requests()[1].request.body).unwrap();
    let last = second["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["role"], "tool");
    assert_eq!(last["tool_call_id"], "c9");
    assert_eq!(last["content"], "pong");
}

#[tokio::test]
async fn malformed_json_in_the_stream_is_an_error_and_keeps_the_text_before() {
    let reply = Exchange::of_chunks([chunk(json!({"content": "kept"}), None), "data: {\"choices\": [\n\n".to_owned()]);
    let outcome = reply_to(reply, Options::in_order()).await;
    assert_eq!(failure(&outcome).0, FailureKind::Malformed);
    assert_eq!(text(&outcome), "kept");
}

#[tokio::test]
async fn what_follows_malformed_json_is_not_waited_for() {
    let chunks = [chunk(json!({"content": "kept"}), None), "data: {\"choices\": [\n\n".to_owned()];
    let sent = chunks.concat().len();
    let reply = Exchange::of_chunks(chunks.into_iter().chain([chunk(json!({"content": "late"}), None)]));
    let started = Instant::now();
    let outcome = reply_to(reply, Options::in_order().fault(0..1, Fault::HangAfter(sent))).await;
    assert_eq!(failure(&outcome).0, FailureKind::Malformed);
    assert_eq!(text(&outcome), "kept");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_stream_without_an_end_mark_is_truncated_and_keeps_the_text() {
    let reply = Exchange::of_chunks([chunk(json!({"content": "kept"}), None)]);
    let outcome = reply_to(reply, Options::in_order()).await;
    assert_eq!(failure(&outcome).0, FailureKind::Truncated);
    assert_eq!(text(&outcome), "kept");
}

#[tokio::test]
async fn http_errors_are_told_in_the_providers_words() {
    for (status, kind, body) in [
        (
            401,
            FailureKind::Auth,
            r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        ),
        (429, FailureKind::RateLimit, r#"{"error":{"message":"Rate limit reached","type":"rate_limit_error"}}"#),
        (500, FailureKind::Server, r#"{"error":{"message":"The server had an error","type":"server_error"}}"#),
    ] {
        let options = Options::in_order().fault(0..100, Fault::status(status, body));
        let server = server(vec![text_reply(&["never"])], options);
        let retry = thalweg::http::Retry { retries: 1, first_delay: Duration::from_millis(1), ..Default::default() };
        let outcome = outcome(agent(&server).retry(retry)).await;
        let (got, message) = failure(&outcome);
        assert_eq!(got, kind, "{message}");
        assert!(message.contains(&format!("HTTP {status}")), "{message}");
        let said: Value = serde_json::from_str(body).unwrap();
        assert!(message.contains(said["error"]["message"].as_str().unwrap()), "{message}");
        let expected = if status == 401 { 1 } else { 2 };
        assert_eq!(server.requests().len(), expected, "only what may pass is tried again");
    }
}

#[tokio::test]
async fn a_request_is_sent_again_after_an_overload_and_the_reply_is_whole() {
    let options = Options::in_order().fault(0..1, Fault::status(503, r#"{"error":{"message":"overloaded"}}"#));
    let server = server(vec![text_reply(&["never"]), text_reply(&["here"])], options);
    let retry = thalweg::http::Retry { first_delay: Duration::from_millis(1), ..Default::default() };
    let outcome = outcome(agent(&server).retry(retry)).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.stats.requests, 2);
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let builder = Agent::builder().model("m").base_url("http://127.0.0.1:9/v1").link(thalweg_openai::module());
    let outcome = outcome(builder).await;
    let (kind, message) = failure(&outcome);
    assert_eq!(kind, FailureKind::Connection);
    assert!(message.contains("127.0.0.1:9"), "{message}");
}

#[tokio::test]
async fn a_reset_in_midstream_keeps_the_partial_text() {
    let reply = text_reply(&["one ", "two ", "three"]);
    let first_two = chunk(json!({"content": "one "}), None).len() + chunk(json!({"content": "two "}), None).len();
    let outcome = reply_to(reply, Options::in_order().fault(0..1, Fault::ResetAfter(first_two))).await;
    assert_eq!(failure(&outcome).0, FailureKind::Connection);
    assert_eq!(text(&outcome), "one two ");
}

#[tokio::test]
async fn a_tool_that_fails_or_panics_is_told_to_the_model_and_the_run_goes_on() {
    for (tool, expected) in [
        (
            Tool::new("echo", "", json!({"type": "object"}), |_, _| async { Err("no such thing".to_owned()) }),
            "no such thing",
        ),
        (Tool::new("echo", "", json!({"type": "object"}), |_, _| async { panic!("boom") }), "panicked"),
    ] {
        let server = server(vec![call_reply("c1", "echo", "{}"), text_reply(&["sorry"])], Options::in_order());
        let outcome = outcome(agent(&server).tool(tool)).await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(text(&outcome), "sorry");
        let results = tool_results(&outcome);
        assert_eq!(results.len(), 1);
        assert!(results[0].1 && results[0].0.contains(expected), "{results:?}");
    }
}

#[tokio::test]
async fn an_unknown_tool_and_arguments_that_are_not_json_are_told_to_the_model_and_not_run() {
    for (name, arguments, expected) in [("nosuch", "{}", "nosuch"), ("echo", "{\"text\":", "JSON")] {
        let server = server(vec![call_reply("c1", name, arguments), text_reply(&["ok"])], Options::in_order());
        let tool = Tool::new("echo", "", json!({"type": "object"}), |_, _| async { Ok("it ran".to_owned()) });
        let outcome = outcome(agent(&server).tool(tool)).await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let results = tool_results(&outcome);
        assert!(results[0].1 && results[0].0.contains(expected), "{results:?}");
        assert!(!results[0].0.contains("it ran"));
    }
}

#[tokio::test]
async fn an_endless_conversation_of_calls_ends_at_the_limit_of_turns() {
    let calls: Vec<_> = (0..3).map(|n| call_reply(&format!("c{n}"), "echo", "{}")).collect();
    let server = server(calls, Options::in_order());
    let outcome = outcome(agent(&server).tool(echo_tool()).max_turns(3)).await;
    assert_eq!(failure(&outcome).0, FailureKind::MaxTurns);
    assert_eq!(server.requests().len(), 3);
    assert_eq!(tool_results(&outcome).len(), 3, "no call is left without its result");
}

#[tokio::test]
async fn abort_closes_the_socket_and_keeps_the_partial_message() {
    let first = chunk(json!({"content": "partial"}), None).len();
    let options = Options::in_order().fault(0..1, Fault::HangAfter(first));
    let server = server(vec![text_reply(&["partial", "never"]), text_reply(&["after"])], options);
    let agent = agent(&server).build().unwrap();
    let run = agent.prompt("go").unwrap();
    assert_eq!(run.text().next().await.as_deref(), Some("partial"));
    let stopped = Instant::now();
    run.abort();
    let outcome = run.finished().await;
    assert!(stopped.elapsed() < Duration::from_millis(100), "{:?}", stopped.elapsed());
    assert_eq!(failure(&outcome).0, FailureKind::Aborted);
    assert_eq!(text(&outcome), "partial");
    while server.connections().first().is_some_and(|connection| connection.closed.is_none()) {
        assert!(stopped.elapsed() < Duration::from_secs(2), "the socket stays open");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let run = agent.prompt("again").unwrap();
    assert_eq!(run.message().await.unwrap().text(), "after");
}

#[tokio::test]
async fn abort_stops_running_tools_and_leaves_no_call_without_result() {
    let server = server(vec![call_reply("c1", "slow", "{}")], Options::in_order());
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let tool = Tool::new("slow", "", json!({"type": "object"}), move |_, _| {
        let started = started.clone();
        async move {
            started.send(()).unwrap();
            std::future::pending::<()>().await;
            Ok(String::new())
        }
    });
    let agent = agent(&server).tool(tool).build().unwrap();
    let run = agent.prompt("go").unwrap();
    has_started.recv().await.unwrap();
    run.abort();
    run.abort();
    let outcome = run.finished().await;
    assert_eq!(failure(&outcome).0, FailureKind::Aborted);
    assert_eq!(tool_results(&outcome).len(), 1);
}

#[tokio::test]
async fn a_second_prompt_is_refused_while_a_run_is_going_on() {
    let server = server(vec![text_reply(&["x"])], Options::in_order().fault(0..1, Fault::NoAnswer));
    let agent = agent(&server).build().unwrap();
    let run = agent.prompt("one").unwrap();
    assert!(matches!(agent.prompt("two"), Err(Error::Busy)));
    agent.abort();
    run.finished().await;
    assert!(!agent.is_running());
}

#[tokio::test]
async fn two_tools_run_at_once_and_their_results_stand_in_the_order_of_the_calls() {
    let calls = Exchange::of_chunks([
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "slow", "function": {"name": "wait", "arguments": "{\"ms\":"}}]}),
            None,
        ),
        chunk(
            json!({"tool_calls": [{"index": 1, "id": "fast", "function": {"name": "wait", "arguments": "{\"ms\":"}}]}),
            None,
        ),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "300}"}}]}), None),
        chunk(json!({"tool_calls": [{"index": 1, "function": {"arguments": "1}"}}]}), None),
        chunk(json!({}), Some("tool_calls")),
    ]);
    let server = server(vec![calls, text_reply(&["ok"])], Options::in_order());
    let tool = Tool::new("wait", "", json!({"type": "object"}), |arguments, _| async move {
        let ms = arguments["ms"].as_u64().ok_or("no ms")?;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(ms.to_string())
    });
    let agent = agent(&server).tool(tool).build().unwrap();
    let run = agent.prompt("go").unwrap();
    let outcome = run.finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let results: Vec<_> = tool_results(&outcome);
    assert!(results[0].0.contains("300") && results[1].0.contains('1'), "{results:?}");
    let mut ends = Vec::new();
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if let thalweg::event::EventView::ToolExecutionEnd { tool_call_id, .. } = event.view {
            ends.push(tool_call_id.to_owned());
        }
    }
    assert_eq!(ends, ["fast", "slow"], "each end is told when it happens");
    let calls = outcome.messages.iter().find_map(|message| match message {
        Message::Assistant(reply) => {
            Some(reply.content.iter().filter(|b| matches!(b, ContentBlock::ToolCall(_))).count())
        }
        _ => None,
    });
    assert_eq!(calls, Some(2));
}
