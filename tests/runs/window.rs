//! Logs that are windows, and readers that hold the socket back.

use std::time::Duration;

use thalweg::{LogOptions, Run, WhenFull};

use crate::server::Server;

const WORDS: u64 = 20_000;

/// Deltas that a reader sees, and entries that it is told to have missed.
async fn read(run: &Run, holds: bool, pause: Option<Duration>) -> (u64, u64) {
    let mut events = if holds { run.events().hold_back() } else { run.events() };
    let (mut seen, mut missed) = (0, 0);
    while let Some(event) = events.next().await {
        seen += 1;
        missed += event.missed;
        if let Some(pause) = pause.filter(|_| seen % 1000 == 0) {
            tokio::time::sleep(pause).await;
        }
    }
    (seen, missed)
}

#[tokio::test]
async fn window_lets_a_long_run_end_well_and_tells_a_late_reader_what_it_missed() {
    let server = Server::start();
    let log = LogOptions { bytes_max: 64 << 10, when_full: WhenFull::DropOldest, ..LogOptions::default() };
    let run = server.agent(&format!("words-{WORDS}")).log(log).build().unwrap().prompt("go").unwrap();
    let outcome = run.finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.message.unwrap().text().len() as u64, WORDS * 5, "the reply is whole all the same");
    let mut events = run.events();
    let first = events.next().await.unwrap();
    let (missed, seq) = (first.missed, first.seq);
    assert!(missed > 10_000 && seq >= missed, "{missed} {seq}");
    let mut json = Vec::new();
    first.write_json(&mut json);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["missed"], missed);
    let mut text = run.text();
    while text.next().await.is_some() {}
    assert_eq!(text.missed(), missed);
}

#[tokio::test]
async fn reader_that_holds_the_run_back_misses_nothing_while_others_do_as_they_like() {
    let server = Server::start();
    let log = LogOptions {
        bytes_max: 256 << 10,
        ahead_bytes_max: 64 << 10,
        when_full: WhenFull::DropOldest,
        ..LogOptions::default()
    };
    let run = server.agent(&format!("words-{WORDS}")).log(log).build().unwrap().prompt("go").unwrap();
    let careful = read(&run, true, Some(Duration::from_millis(2)));
    let careless = read(&run, false, Some(Duration::from_millis(30)));
    let idle = run.events();
    let (careful, careless) = tokio::join!(careful, careless);
    assert!(careful.0 > WORDS && careful.1 == 0, "{careful:?}");
    assert!(careless.0 <= careful.0, "{careless:?}");
    assert!(run.outcome().is_some_and(|outcome| outcome.error.is_none()));
    drop(idle);
}

#[tokio::test]
async fn reader_that_holds_back_and_stands_still_stops_the_socket_until_it_goes() {
    let server = Server::start();
    let run = server.agent("endless").build().unwrap().prompt("go").unwrap();
    let mut events = run.events().hold_back();
    assert!(events.next().await.is_some());
    let mut before = usize::MAX;
    // What the sockets of the machine buffer goes through at first.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = server.sent();
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    let stalled = server.sent();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.sent(), stalled, "the server goes on writing");
    assert!(run.outcome().is_none());
    drop(events);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if server.sent() > stalled {
            break;
        }
    }
    assert!(server.sent() > stalled, "nothing comes though nobody holds it back");
    run.abort();
    assert!(run.finished().await.error.is_some());
}

#[tokio::test]
async fn run_that_is_held_back_can_be_aborted() {
    let server = Server::start();
    let run = server.agent("endless").build().unwrap().prompt("go").unwrap();
    let events = run.events().hold_back();
    tokio::time::sleep(Duration::from_millis(200)).await;
    run.abort();
    let ended = tokio::time::timeout(Duration::from_secs(20), run.finished()).await;
    assert!(ended.expect("an abort is heard while the run is held back").error.is_some());
    drop(events);
}
