//! Each limit says what was reached, keeps what there is, and gives its room back.

use std::time::Duration;

use thalweg::event::EventView;
use thalweg::{Engine, Error, Limits, LogOptions, Outcome, Run};
use thalweg_wire::limits::Limits as WireLimits;

use crate::server::Server;

async fn end_of(run: &Run) -> Outcome {
    tokio::time::timeout(Duration::from_secs(60), run.finished()).await.expect("every run ends")
}

fn said(outcome: &Outcome) -> String {
    outcome.error.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn one_run_more_than_the_engine_may_have_is_refused_until_another_ends() {
    let server = Server::start();
    let engine = Engine::new(Limits::default().with_runs_max(2));
    let hanging: Vec<_> = (0..2).map(|_| server.agent("hang").engine(engine.clone()).build().unwrap()).collect();
    let runs: Vec<_> = hanging.iter().map(|agent| agent.prompt("go").unwrap()).collect();
    let third = server.agent("words-3").engine(engine.clone()).build().unwrap();
    let refused = third.prompt("go").unwrap_err();
    assert!(matches!(refused, Error::TooManyRuns { runs_max: 2 }), "{refused:?}");
    assert!(refused.to_string().starts_with("the engine has 2 runs already"), "{refused}");
    assert_eq!((engine.runs(), third.is_running(), third.messages().len()), (2, false, 0));
    runs[0].abort();
    end_of(&runs[0]).await;
    assert_eq!(engine.runs(), 1);
    let outcome = end_of(&third.prompt("go").unwrap()).await;
    assert_eq!(outcome.message.unwrap().text(), "word word word ");
}

#[tokio::test]
async fn run_that_outgrows_its_log_ends_with_an_error_and_its_readers_still_see_the_end() {
    let server = Server::start();
    for (log, words) in [
        (LogOptions { bytes_max: 64 << 10, ..LogOptions::default() }, "log is full: 6"),
        (LogOptions { entries_max: 500, ..LogOptions::default() }, "log is full: it has 500 entries"),
    ] {
        let run = server.agent("endless").log(log).build().unwrap().prompt("go").unwrap();
        let outcome = end_of(&run).await;
        assert!(said(&outcome).contains(words), "{}", said(&outcome));
        assert!(outcome.message.unwrap().text().starts_with("word word "), "what came is kept");
        let mut events = run.events();
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(matches!(event.view, EventView::AgentEnd { .. }));
        }
        assert_eq!(last, Some(true));
    }
}

#[tokio::test]
async fn logs_of_all_runs_have_one_limit_and_dropped_runs_make_room() {
    let server = Server::start();
    let engine = Engine::new(Limits::default().with_log_bytes_max(1 << 20));
    let start = |model: &str| server.agent(model).engine(engine.clone()).build().unwrap().prompt("go").unwrap();
    let greedy = start("endless");
    let outcome = end_of(&greedy).await;
    assert!(said(&outcome).contains("all logs together are full"), "{}", said(&outcome));
    let small = start("words-100000");
    assert!(said(&end_of(&small).await).contains("all logs together are full"));
    drop((greedy, small));
    // The tasks let go of the logs right after the end.
    for _ in 0..100 {
        if engine.log_bytes() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(engine.log_bytes(), 0);
    assert!(engine.kept_bytes() > 0 && engine.kept_bytes() <= engine.limits().kept_bytes_max);
    let outcome = end_of(&start("words-1000")).await;
    assert_eq!((said(&outcome).as_str(), outcome.message.unwrap().text().len()), ("", 5000));
}

#[tokio::test]
async fn event_longer_than_the_engine_allows_ends_the_run_with_the_number() {
    let server = Server::start();
    let wire = WireLimits::default().with_event_bytes_max(64);
    let engine = Engine::new(Limits::default().with_wire(wire));
    let run = server.agent("words-3").engine(engine).build().unwrap().prompt("go").unwrap();
    let said = said(&end_of(&run).await);
    assert!(said.contains("longer than 64 bytes") && said.contains("event_bytes_max"), "{said}");
}
