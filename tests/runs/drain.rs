//! One consumer for a thousand runs.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use thalweg::event::EventView;
use thalweg::{Agent, Drain, Engine};

use crate::server::Server;

const RUNS: usize = 1000;

fn agents(engine: &Engine) -> Vec<Agent> {
    let script = |n: usize| json!({"replies": [{"text": format!("{n} "), "repeat": 20}]});
    let build = |n| {
        let builder = Agent::builder().model("script/inline").link(thalweg_script::module());
        builder.extra("script", script(n)).engine(engine.clone()).build().unwrap()
    };
    (0..RUNS).map(build).collect()
}

/// Reads what is there of each run, and puts its text together.
fn gather(drain: &mut Drain<usize>, texts: &mut HashMap<usize, String>) -> usize {
    let mut ended = 0;
    drain.for_each(|source| {
        let number = *source.tag();
        while let Some(event) = source.next() {
            if let EventView::MessageUpdate(thalweg::event::UpdateView::Delta { delta, .. }) = event.view {
                texts.entry(number).or_default().push_str(delta);
            }
        }
        ended += usize::from(source.is_over());
    });
    ended
}

fn check(texts: &HashMap<usize, String>) {
    assert_eq!(texts.len(), RUNS);
    for (number, text) in texts {
        assert_eq!(*text, format!("{number} ").repeat(20));
    }
}

#[tokio::test]
async fn one_task_reads_a_thousand_runs_and_each_ends_once() {
    let engine = Engine::default();
    let mut drain = Drain::new();
    for (number, agent) in agents(&engine).iter().enumerate() {
        drain.feed().add(&agent.prompt("go").unwrap(), number);
    }
    let (mut texts, mut ended) = (HashMap::new(), 0);
    while drain.ready().await {
        ended += gather(&mut drain, &mut texts);
    }
    assert_eq!((ended, drain.is_empty()), (RUNS, true));
    check(&texts);
}

#[test]
fn one_thread_reads_a_thousand_runs_that_come_while_it_waits() {
    let mut drain: Drain<usize> = Drain::new();
    assert!(!drain.wait(), "without a run there is nothing to wait for");
    assert!(!drain.wait_timeout(Duration::from_millis(5)));
    let feed = drain.feed();
    let writers = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async move {
            let engine = Engine::default();
            let mut runs = Vec::new();
            for (number, agent) in agents(&engine).iter().enumerate() {
                runs.push(agent.prompt("go").unwrap());
                feed.add(&runs[number], number);
                if number % 100 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            for run in runs {
                run.finished().await;
            }
        });
    });
    let (mut texts, mut ended) = (HashMap::new(), 0);
    while ended < RUNS {
        assert!(drain.wait_timeout(Duration::from_secs(60)), "{ended} have ended");
        ended += gather(&mut drain, &mut texts);
    }
    check(&texts);
    writers.join().unwrap();
}

#[tokio::test]
async fn what_is_not_read_is_shown_again_and_a_quiet_run_is_not() {
    let server = Server::start();
    let quiet = server.agent("hang").build().unwrap().prompt("go").unwrap();
    let busy = server.agent("words-100").build().unwrap().prompt("go").unwrap();
    busy.finished().await;
    let mut drain = Drain::new();
    drain.feed().add(&busy, "busy");
    let mut looks = 0;
    while drain.ready().await {
        drain.for_each(|source| {
            assert_eq!(*source.tag(), "busy");
            looks += 1;
            // One at a time.
            source.next();
        });
    }
    assert!(looks > 100, "{looks}");
    drain.feed().add(&quiet, "quiet");
    while server.answered() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let is_quiet = async {
        while drain.ready().await {
            drain.for_each(|source| while source.next().is_some() {});
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), is_quiet).await.is_err(), "the run has not ended");
    assert_eq!(drain.for_each(|_| panic!("nothing has come")), 0);
}
