//! Retries, fallbacks, limits, records and the cache, around agents and clients.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use thalweg::failure::{Failure, FailureKind};
use thalweg::message::{ContentBlock, Message};
use thalweg::middleware::{Cache, Fallback, Middleware, Observe, RateLimit, Retry, WhenFull, stack};
use thalweg::request::Delivery;
use thalweg::responder::{Asking, from_fn};
use thalweg::{Agent, Ask, Client, Responder, Tool};
use thalweg_replay::{Fault, Options, Recording, Server};

use crate::support::{body, builder, call_reply, chunk, failure, server, soon, text_reply};

const OVERLOADED: &str = r#"{"error":{"message":"overloaded","type":"server_error"}}"#;

/// What a list of names collects.
type Names = Arc<Mutex<Vec<&'static str>>>;

struct Named(&'static str, Names);

impl Middleware for Named {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            self.1.lock().unwrap().push(self.0);
            next.ask(ask).await
        })
    }
}

#[tokio::test]
async fn the_first_is_the_outermost() {
    let names = Names::default();
    let provider = from_fn("mine", |_, sink| async move {
        sink.text("x");
        sink.stop("stop");
        Ok(())
    });
    let middleware: Vec<Arc<dyn Middleware>> =
        vec![Arc::new(Named("first", Arc::clone(&names))), Arc::new(Named("second", Arc::clone(&names)))];
    let stacked = stack(provider, middleware);
    let agent = Agent::builder().responder(stacked).middleware(Named("agent", Arc::clone(&names))).build().unwrap();
    agent.prompt("go").unwrap().message().await.unwrap();
    assert_eq!(*names.lock().unwrap(), ["agent", "first", "second"]);
}

#[tokio::test]
async fn a_retry_asks_again_until_something_came_and_never_after() {
    let first = chunk(&json!({"role": "assistant"}), None);
    let told = "data: {\"error\":{\"message\":\"overloaded, try later\",\"type\":\"overloaded_error\"}}\n\n";
    let replies = vec![
        text_reply(&["never"]),
        text_reply(&["never"]),
        // A reply with status 200 that tells an error before any content, and one that ends before any.
        thalweg_replay::Exchange::of_chunks([first.clone(), told.to_owned()]),
        thalweg_replay::Exchange::of_chunks([first]),
        text_reply(&["here"]),
    ];
    let options = Options::in_order().fault(0..1, Fault::status(503, OVERLOADED)).fault(1..2, Fault::CloseBeforeAnswer);
    let server = server(replies, options);
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notices);
    let rules = thalweg::http::Retry { retries: 9, ..soon() };
    let retry = Retry::new(rules).on_retry(move |notice| {
        heard.lock().unwrap().push((notice.number, notice.failure.kind));
    });
    let outcome = builder(&server).middleware(retry).build().unwrap().prompt("go").unwrap().finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.message.unwrap().text(), "here");
    // The lost connection was one that was kept open: the HTTP client has sent that request once more by itself.
    use FailureKind::{Overloaded, Server, Truncated};
    assert_eq!(*notices.lock().unwrap(), [(1, Server), (2, Overloaded), (3, Truncated)]);

    let cut = chunk(&json!({"content": "kept"}), None).len();
    let server =
        self::server(vec![text_reply(&["kept", "lost"])], Options::in_order().fault(0..9, Fault::CutAfter(cut)));
    let agent = builder(&server).middleware(Retry::new(soon())).build().unwrap();
    let outcome = agent.prompt("go").unwrap().finished().await;
    assert_eq!(outcome.message.unwrap().text(), "kept");
    assert!(outcome.error.is_some());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_retry_waits_as_long_as_it_is_asked_to_and_no_longer_than_it_may() {
    let asks = |wait: &str| Fault::Answer {
        status: 429,
        headers: vec![("retry-after".into(), wait.into()), ("content-type".into(), "application/json".into())],
        body: r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#.into(),
    };
    let first =
        server(vec![text_reply(&["never"]), text_reply(&["here"])], Options::in_order().fault(0..1, asks("0.3")));
    let started = Instant::now();
    let client = builder(&first).middleware(Retry::new(soon())).build_client().unwrap();
    assert_eq!(client.chat("hi").await.unwrap().text(), "here");
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());

    let second = server(vec![text_reply(&["never"])], Options::in_order().fault(0..9, asks("3600")));
    let client = builder(&second).middleware(Retry::new(soon())).build_client().unwrap();
    let error = client.chat("hi").await.unwrap_err();
    assert_eq!(failure(&error).0, FailureKind::RateLimit);
    assert_eq!(second.requests().len(), 1);
}

#[tokio::test]
async fn what_does_not_pass_is_not_asked_again_and_a_server_keeps_its_retries_behind_other_middleware() {
    let refused = Fault::status(400, r#"{"error":{"message":"no","type":"invalid_request_error"}}"#);
    let options = Options::in_order().fault(0..1, refused).fault(1..2, Fault::status(500, OVERLOADED));
    let server = server(vec![text_reply(&["x"]), text_reply(&["x"]), text_reply(&["here"])], options);
    let records = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&records);
    let observe = Observe::new(move |record| seen.lock().unwrap().push(record.clone()));
    let client = builder(&server).middleware(observe).build_client().unwrap();
    assert!(client.chat("hi").await.is_err());
    assert_eq!(server.requests().len(), 1);
    assert_eq!(client.chat("hi").await.unwrap().text(), "here");
    assert_eq!(server.requests().len(), 3);
    let records = records.lock().unwrap();
    assert_eq!(records.len(), 2, "one a request of the client, whatever it took");
    assert_eq!(records[0].failure.as_ref().unwrap().kind, FailureKind::InvalidRequest);
    let reply = records[1].reply.as_ref().unwrap();
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (Some(11), Some(7)));
    assert!(records[1].first_content.is_some() && records[1].to_string().ends_with("in 11 out 7 ok"), "{}", records[1]);
}

#[tokio::test]
async fn a_record_is_told_also_of_what_was_stopped_and_a_budget_refuses_before_anything_is_sent() {
    let hang = chunk(&json!({"content": "part"}), None).len();
    let server = server(vec![text_reply(&["part", "x"])], Options::in_order().fault(0..1, Fault::HangAfter(hang)));
    let records = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&records);
    let left = Arc::new(Mutex::new(1_i32));
    let observe = Observe::new(move |record| seen.lock().unwrap().push(record.clone())).before(move |_| {
        let mut left = left.lock().unwrap();
        *left -= 1;
        if *left < 0 { Err(Failure::new(FailureKind::Other, "the budget is spent")) } else { Ok(()) }
    });
    let agent = builder(&server).middleware(observe).build().unwrap();
    let run = agent.prompt("go").unwrap();
    assert_eq!(run.text().next().await.as_deref(), Some("part"));
    run.abort();
    run.finished().await;
    assert_eq!(records.lock().unwrap()[0].reply.as_ref().unwrap().text(), "part");
    assert_eq!(records.lock().unwrap()[0].failure.as_ref().unwrap().kind, FailureKind::Aborted);
    let outcome = agent.prompt("again").unwrap().finished().await;
    assert!(failure(outcome.error.as_ref().unwrap()).1.contains("budget"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_fallback_asks_the_next_provider_in_its_own_dialect_and_with_its_own_model() {
    // The first one calls a tool and then breaks down; the second one speaks another dialect.
    let options = Options::in_order().fault(1..99, Fault::status(500, OVERLOADED));
    let thinking = chunk(&json!({"reasoning_content": "I should add"}), None);
    let mut call = call_reply("call.1|with:odd-signs", "add", r#"{"a":1}"#);
    let mut chunks = vec![thinking.into_bytes()];
    chunks.push(call.body());
    call = thalweg_replay::Exchange::of_chunks(chunks);
    let first = server(vec![call, text_reply(&["never"])], options);
    let anthropic = [
        r#"{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It is 3."}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let pieces = anthropic.map(|data| {
        let kind: serde_json::Value = serde_json::from_str(data).unwrap();
        format!("event: {}\ndata: {data}\n\n", kind["type"].as_str().unwrap())
    });
    let reply = thalweg_replay::Exchange::of_chunks(pieces);
    let second = Server::start(vec![Recording::by_hand("anthropic", vec![reply])], Options::in_order()).unwrap();
    let other = Client::builder().provider("anthropic").model("claude-x").base_url(second.url());
    let other = other.link(thalweg_anthropic::module()).api_key("k2").build_client().unwrap();

    let add = Tool::new("add", "", json!({"type": "object"}), |_, _| async { Ok("3".to_owned()) });
    let agent = builder(&first)
        .tool(add)
        .extra("only_openai_knows", json!(1))
        .middleware(Fallback::to([Arc::new(other) as Arc<dyn Responder>]))
        .middleware(Retry::new(thalweg::http::Retry { retries: 1, ..soon() }))
        .build()
        .unwrap();
    let outcome = agent.prompt("add").unwrap().finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let reply = outcome.message.unwrap();
    assert_eq!((reply.text().as_str(), reply.provider.as_deref()), ("It is 3.", Some("anthropic")));
    assert_eq!(first.requests().len(), 3, "one turn, and two tries");
    let sent = body(&second, 0);
    assert_eq!((&sent["model"], sent.get("only_openai_knows")), (&json!("claude-x"), None));
    let messages = sent["messages"].as_array().unwrap();
    let call = messages[1]["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap();
    assert_eq!(messages[2]["content"][0]["tool_use_id"], call["id"]);
    assert!(call["id"].as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
}

#[tokio::test]
async fn without_anyone_left_the_failure_tells_of_all_and_a_reply_that_began_is_not_asked_elsewhere() {
    let fails = |name: &'static str| {
        from_fn(name, move |_, _| async move { Err(Failure::new(FailureKind::Server, format!("{name} is down"))) })
    };
    let client = Client::builder().responder(fails("one")).middleware(Fallback::to([fails("two"), fails("three")]));
    let error = client.build_client().unwrap().chat("hi").await.unwrap_err().to_string();
    assert!(error.starts_with("three is down") && error.contains("one is down") && error.contains("two: "), "{error}");

    let begun = from_fn("begun", |_, sink| async move {
        sink.text("begun");
        tokio::task::yield_now().await;
        Err(Failure::new(FailureKind::Server, "down"))
    });
    let client = Client::builder().responder(begun).middleware(Fallback::to([fails("two")])).build_client().unwrap();
    let thalweg::Error::Run { failure, partial } = client.chat("hi").await.unwrap_err() else { panic!() };
    assert_eq!((failure.message.as_str(), partial.unwrap().text().as_str()), ("down", "begun"));
    let only = Fallback::to([fails("two")]).only(|failure| failure.kind == FailureKind::Overloaded);
    let client = Client::builder().responder(fails("one")).middleware(only).build_client().unwrap();
    assert_eq!(client.chat("hi").await.unwrap_err().to_string(), "one is down");
}

fn quick() -> Arc<dyn Responder> {
    from_fn("quick", |_, sink| async move {
        sink.text("x");
        sink.usage(600, 400);
        sink.stop("stop");
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_their_turn_and_all_who_share_a_limit_wait_together() {
    let limit = RateLimit::per_minute(60).burst(2);
    let clients: Vec<Client> = (0..2)
        .map(|_| Client::builder().responder(quick()).middleware(limit.clone()).build_client().unwrap())
        .collect();
    let started = tokio::time::Instant::now();
    let mut waits = Vec::new();
    for number in 0..5 {
        clients[number % 2].chat("hi").await.unwrap();
        waits.push(started.elapsed().as_millis() / 100);
    }
    assert_eq!(waits, [0, 0, 10, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_reckoned_before_and_counted_after() {
    let limit = RateLimit::per_minute(6000).burst(100).tokens(1200);
    let client = Client::builder().responder(quick()).middleware(limit).build_client().unwrap();
    let started = tokio::time::Instant::now();
    client.chat("hi").await.unwrap();
    client.chat("hi").await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    // Two replies of 1,000 tokens each: 800 too many, which come back at 20 a second.
    client.chat("hi").await.unwrap();
    let waited = started.elapsed().as_secs();
    assert!((40..=42).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_not_wait_fails_and_says_when_to_come_back() {
    let limit = RateLimit::per_minute(60).when_full(WhenFull::Fail);
    let client = Client::builder().responder(quick()).middleware(limit).build_client().unwrap();
    client.chat("hi").await.unwrap();
    let thalweg::Error::Run { failure, .. } = client.chat("hi").await.unwrap_err() else { panic!() };
    assert_eq!(failure.kind, FailureKind::RateLimit);
    assert!(matches!(failure.retry_after_ms, Some(990..=1000)), "{failure:?}");
    let at_most = WhenFull::WaitAtMost(Duration::from_millis(1500));
    let limit = RateLimit::per_minute(60).when_full(at_most);
    let client = Client::builder().responder(quick()).middleware(limit).build_client().unwrap();
    let asked = || client.chat("hi");
    let (first, second, third) = tokio::join!(asked(), asked(), asked());
    assert!(first.is_ok() && second.is_ok() && third.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_gives_the_place_back() {
    let limit = RateLimit::per_minute(60);
    let client = Client::builder().responder(quick()).middleware(limit).build_client().unwrap();
    client.chat("hi").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(10), client.chat("hi")).await.is_err());
    let started = tokio::time::Instant::now();
    client.chat("hi").await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(1100), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_same_request_is_answered_from_the_cache_also_by_another_process_with_another_key() {
    let folder = std::env::temp_dir().join(format!("thalweg-cache-{}", std::process::id()));
    let replies = vec![call_reply("c1", "add", r#"{"a":1}"#), text_reply(&["It ", "is 3"]), text_reply(&["other"])];
    let server = server(replies, Options::in_order());
    let add = || Tool::new("add", "", json!({"type": "object"}), |_, _| async { Ok("3".to_owned()) });
    let mut outcomes = Vec::new();
    for key in ["k1", "k2"] {
        // A cache of its own each time: only the folder is the same.
        let cache = Cache::in_folder(&folder).unwrap();
        let agent = builder(&server).api_key(key).tool(add()).middleware(cache.clone()).build().unwrap();
        let outcome = agent.prompt("go").unwrap().finished().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        outcomes.push((outcome.message.unwrap().content, outcome.usage.input_tokens));
        let expected = if key == "k1" { (0, 2) } else { (2, 0) };
        assert_eq!((cache.hits(), cache.misses()), expected);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0].0, [ContentBlock::Text { text: "It is 3".into() }]);
    let cache = Cache::in_folder(&folder).unwrap();
    let client = builder(&server).middleware(cache.clone()).build_client().unwrap();
    client.chat("something else").await.unwrap();
    assert_eq!((cache.hits(), server.requests().len()), (0, 3));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn what_failed_or_was_cut_is_not_kept() {
    let cut = chunk(&json!({"content": "kept"}), None).len();
    let options = Options::in_order().fault(0..1, Fault::CutAfter(cut)).fault(1..2, Fault::status(400, OVERLOADED));
    let server = server(vec![text_reply(&["a"]), text_reply(&["b"]), text_reply(&["c"])], options);
    let client = builder(&server).middleware(Cache::in_memory()).build_client().unwrap();
    assert!(client.chat("hi").await.is_err());
    assert!(client.chat("hi").await.is_err());
    for _ in 0..3 {
        assert_eq!(client.chat("hi").await.unwrap().text(), "c");
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn times_and_counters_make_no_other_request() {
    let ask = |time_us| {
        let mut reply = thalweg::message::AssistantMessage::default();
        reply.content.push(ContentBlock::Text { text: "hi".into() });
        reply.time_us = time_us;
        let messages = vec![Message::user("a"), Message::Assistant(reply), Message::user("b")];
        Ask::new(thalweg::request::Request::default(), messages, Delivery::Stream)
    };
    assert_eq!(ask(Some(1)).identity(), ask(None).identity());
    let mut other = ask(None);
    other.request_mut().seed = Some(4);
    assert_ne!(other.identity(), ask(None).identity());
}
