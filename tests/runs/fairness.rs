//! Streams and tools that take all they can get, beside one that is just asked. All on one thread.

use std::time::{Duration, Instant};

use serde_json::json;
use thalweg::{Agent, Engine, LogOptions, Tool, WhenFull};

use crate::server::Server;

/// The quickest of some short replies.
async fn fresh_reply(server: &Server, client: &thalweg::http::Client) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let agent = server.agent("words-10").client(client.clone()).build().unwrap();
        let started = Instant::now();
        let message = agent.prompt("go").unwrap().message().await.unwrap();
        best = best.min(started.elapsed());
        assert_eq!(message.text().len(), 50);
    }
    best
}

#[tokio::test]
async fn a_thousand_hung_streams_and_an_endless_one_do_not_keep_a_fresh_reply_waiting() {
    // The server of the endless one has a thread of its own.
    let (server, endless) = (Server::start(), Server::start());
    let client = thalweg::http::Client::new(thalweg::http::Options::default()).unwrap();
    let engine = Engine::default();
    let hung: Vec<Agent> = (0..1000)
        .map(|_| server.agent("hang").client(client.clone()).engine(engine.clone()).build().unwrap())
        .collect();
    let runs: Vec<_> = hung.iter().map(|agent| agent.prompt("go").unwrap()).collect();
    while server.answered() < 1000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = LogOptions { bytes_max: 1 << 20, when_full: WhenFull::DropOldest, ..LogOptions::default() };
    let backlog = endless.agent("endless").log(log).build().unwrap().prompt("go").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waited = fresh_reply(&server, &client).await;
    assert!(waited < Duration::from_millis(50), "{waited:?}");
    assert!(endless.sent() > 1 << 20 && backlog.outcome().is_none(), "the backlog went on meanwhile");
    assert_eq!(engine.runs(), 1000);
    backlog.abort();
    backlog.finished().await;
    for run in &runs {
        run.abort();
        run.finished().await;
    }
    assert_eq!(engine.runs(), 0);
}

#[tokio::test]
async fn tool_that_blocks_its_thread_does_not_block_streams() {
    let server = Server::start();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let tool = Tool::blocking("wait", "Waits.", json!({"type": "object"}), move |_, _| {
        // Until the test has seen what it wants.
        let _ = blocked.lock().unwrap().recv();
        Ok("waited".to_owned())
    });
    let script = json!({"replies": [{"tool_calls": [{"name": "wait", "arguments": {}}]}, {"text": "Done."}]});
    let agent = Agent::builder().model("script/inline").link(thalweg_script::module()).extra("script", script);
    let run = agent.tool(tool).build().unwrap().prompt("go").unwrap();
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if matches!(event.view, thalweg::event::EventView::ToolExecutionStart { .. }) {
            break;
        }
    }
    let client = thalweg::http::Client::new(thalweg::http::Options::default()).unwrap();
    let waited = fresh_reply(&server, &client).await;
    assert!(waited < Duration::from_millis(50), "{waited:?}");
    assert!(run.outcome().is_none(), "the tool still waits");
    release.send(()).unwrap();
    assert_eq!(run.message().await.unwrap().text(), "Done.");
}

#[tokio::test]
async fn tool_that_panics_on_its_thread_gives_the_model_an_error() {
    let tool = Tool::blocking("fall", "Falls.", json!({"type": "object"}), |_, _| panic!("as asked"));
    let script = json!({"replies": [{"tool_calls": [{"name": "fall", "arguments": {}}]}, {"text": "Well."}]});
    let agent = Agent::builder().model("script/inline").link(thalweg_script::module()).extra("script", script);
    let outcome = agent.tool(tool).build().unwrap().prompt("go").unwrap().finished().await;
    assert!(format!("{:?}", outcome.messages).contains("the tool panicked"), "{:?}", outcome.messages);
}
