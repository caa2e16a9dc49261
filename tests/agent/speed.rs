//! How fast a run stops, and a fresh one answers beside many that hang. The figures are printed; the limits leave room for a
//! busy machine.

use std::time::{Duration, Instant};

use serde_json::json;
use thalweg::failure::FailureKind;
use thalweg_replay::{Fault, Options, Server};

use crate::support::{agent, chunk, failure, finished, server, text, text_reply};

/// Stops the run once the text is there, if one is to come, and says how long it took until its end and until the server saw
/// the socket close.
async fn stop(server: &Server, partial: &str) -> (Duration, Duration) {
    let agent = agent(server).build().unwrap();
    let run = agent.prompt("go").unwrap();
    if partial.is_empty() {
        while server.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    } else {
        assert_eq!(run.text().next().await.as_deref(), Some(partial));
    }
    let stopped = Instant::now();
    run.abort();
    let mut events = run.events();
    let mut last = "";
    while let Some(event) = events.next().await {
        last = event.view.event_type();
    }
    let ended = stopped.elapsed();
    assert_eq!(last, "agent_end");
    let outcome = finished(&run).await;
    assert_eq!((failure(&outcome).0, text(&outcome).as_str()), (FailureKind::Aborted, partial));
    while server.connections().first().is_some_and(|connection| connection.closed.is_none()) {
        assert!(stopped.elapsed() < Duration::from_secs(5), "the socket stays open");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (ended, stopped.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_ends_a_streaming_and_a_hung_run_at_once() {
    let first = chunk(json!({"content": "partial"}), None).len();
    let mut figures = Vec::new();
    for (name, fault, partial) in [("streaming", Fault::HangAfter(first), "partial"), ("hung", Fault::NoAnswer, "")] {
        let mut best = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let options = Options::in_order().fault(0..1, fault.clone());
            let server = server(vec![text_reply(&["partial", "never"])], options);
            let (ended, closed) = stop(&server, partial).await;
            best = (best.0.min(ended), best.1.min(closed));
        }
        println!(
            "{name}: agent_end after {:?}, socket closed after {:?} (best of 5; the goal is 10 ms)",
            best.0, best.1
        );
        figures.push(best);
    }
    for (ended, closed) in figures {
        assert!(ended < Duration::from_millis(100) && closed < Duration::from_millis(100), "{ended:?}, {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_came_before_an_abort_is_kept() {
    let usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[],\"usage\":\
                 {\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n";
    let bytes = format!("{usage}{}", chunk(json!({"content": "partial"}), None));
    let options = Options::in_order().fault(0..1, Fault::HangAfter(bytes.len()));
    let server = server(vec![thalweg_replay::Exchange::of_chunks([bytes, "data: [DONE]\n\n".to_owned()])], options);
    let agent = agent(&server).build().unwrap();
    let run = agent.prompt("go").unwrap();
    run.text().next().await;
    run.abort();
    let outcome = finished(&run).await;
    assert_eq!((outcome.usage.input_tokens, outcome.usage.output_tokens), (Some(7), Some(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_reply_is_quick_while_a_thousand_streams_hang() {
    const HUNG: usize = 1000;
    let hanging = server(vec![text_reply(&["never"])], Options::in_order().fault(0..usize::MAX, Fault::NoAnswer));
    let healthy = server((0..20).map(|_| text_reply(&["fresh"])).collect(), Options::in_order());
    let client = thalweg::http::Client::new(thalweg::http::Options::default()).unwrap();
    let runs: Vec<_> = (0..HUNG)
        .map(|_| {
            let agent = agent(&hanging).client(client.clone()).build().unwrap();
            (agent.prompt("go").unwrap(), agent)
        })
        .collect();
    let waited = Instant::now();
    while hanging.requests().len() < HUNG {
        assert!(waited.elapsed() < Duration::from_secs(60), "{} of {HUNG} hang", hanging.requests().len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let agent = agent(&healthy).client(client.clone()).build().unwrap();
        let started = Instant::now();
        assert_eq!(agent.prompt_text("hi").await.unwrap(), "fresh");
        best = best.min(started.elapsed());
    }
    println!("a fresh reply beside {HUNG} hung streams: {best:?} (best of 5; the goal is 50 ms)");
    assert!(best < Duration::from_millis(500), "{best:?}");
    let stopped = Instant::now();
    for (run, _) in &runs {
        run.abort();
    }
    for (run, _) in &runs {
        assert_eq!(failure(&finished(run).await).0, FailureKind::Aborted);
    }
    println!("{HUNG} hung runs stopped in {:?}", stopped.elapsed());
}
