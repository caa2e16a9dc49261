//! What a turn of the agent loop costs, and that it costs the same however long the run is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use thalweg::Tool;
use thalweg::middleware::Observe;
use thalweg_replay::{Options, Server};

use crate::support::{builder, call_reply, server, text_reply};

const TURNS: usize = 200;

/// CPU time of this thread, on which the whole client runs.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The least CPU time of some turns: the others were disturbed.
fn least(times: &[Duration]) -> Duration {
    times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or_default()
}

fn replies() -> Server {
    let mut replies: Vec<_> =
        (0..TURNS).map(|turn| call_reply(&format!("call_{turn}"), "echo", r#"{"text":"pong"}"#)).collect();
    replies.push(text_reply(&["done"]));
    server(replies, Options::in_order())
}

#[tokio::test]
async fn the_last_of_two_hundred_turns_costs_what_the_twentieth_does() {
    for has_middleware in [false, true] {
        let server = replies();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let echo = Tool::new("echo", "Says it again.", json!({"type": "object"}), move |arguments, _| {
            seen.lock().unwrap().push(cpu());
            async move { Ok(arguments["text"].as_str().unwrap_or_default().to_owned()) }
        });
        let mut builder = builder(&server).tool(echo).max_turns(TURNS as u32 + 1);
        if has_middleware {
            builder = builder.middleware(Observe::new(|_| ()));
        }
        let outcome = builder.build().unwrap().prompt("go").unwrap().finished().await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let times = times.lock().unwrap();
        assert_eq!(times.len(), TURNS);
        let (early, late) = (least(&times[5..35]), least(&times[165..195]));
        let bytes = |turn: usize| server.requests()[turn].request.body.len() as u64;
        // The system copies what is sent, here also to the other side: up to a nanosecond a byte.
        let wire = Duration::from_nanos(bytes(180) - bytes(20));
        println!(
            "CPU a turn{}: {early:?} at turn 20 ({} bytes), {late:?} at turn 180 ({} bytes)",
            if has_middleware { " with middleware" } else { "" },
            bytes(20),
            bytes(180)
        );
        // Without optimisation, each message that middleware is handed costs ten times the pointer that it is.
        let factor = if cfg!(debug_assertions) { 2.0 } else { 1.3 };
        assert!(late <= early.mul_f64(factor) + wire, "{late:?} after {early:?}");
        if !cfg!(debug_assertions) {
            assert!(late <= Duration::from_micros(300), "{late:?}");
        }
    }
}
