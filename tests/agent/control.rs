//! An agent from outside: what is said to it while it works, its settings, its listeners, its state.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use thalweg::machine::{EndReason, QueueMode, Steering, ToolMode};
use thalweg::message::{Message, Source, UserContent};
use thalweg::request::Thinking;
use thalweg::{Error, Tool};
use thalweg_replay::{Fault, Options};

use crate::support::{
    agent, answers, call_reply, calls_reply, chunk, echo_tool, event_types, failure, finished, last_request, said,
    server, slow_tool, text_reply,
};

/// A tool that says something to its agent while it runs, then works for `ms`.
fn steering_tool(agent: &Arc<Mutex<Option<thalweg::Agent>>>, ms: u64) -> Tool {
    let agent = Arc::clone(agent);
    Tool::new("steer", "", json!({"type": "object"}), move |_, _| {
        let agent = Arc::clone(&agent);
        async move {
            agent.lock().unwrap().as_ref().unwrap().steer("stop that").unwrap();
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok("worked".to_owned())
        }
    })
}

#[tokio::test]
async fn steering_comes_in_behind_between_or_amid_the_tools_as_asked() {
    for (steering, expected) in [
        (Steering::AfterBatch, [("worked", false), ("B", false)]),
        (Steering::BetweenTools, [("worked", false), ("Skipped due to queued user message.", true)]),
        (Steering::SkipRemaining, [("Skipped due to queued user message.", true); 2]),
    ] {
        let calls = [("a", "steer", "{}"), ("b", "slow", r#"{"text":"B"}"#)];
        let server = server(vec![calls_reply(&calls), text_reply(&["ok"])], Options::in_order());
        let shared = Arc::new(Mutex::new(None));
        // Only a tool that is cancelled may take as long as it likes.
        let ms = if steering == Steering::SkipRemaining { 60_000 } else { 20 };
        let builder = agent(&server).tools([steering_tool(&shared, ms), slow_tool()]).steering(steering);
        let agent = builder.tool_mode(ToolMode::Sequential).build().unwrap();
        *shared.lock().unwrap() = Some(agent.clone());
        let outcome = finished(&agent.prompt("go").unwrap()).await;
        shared.lock().unwrap().take();
        assert_eq!(answers(&outcome), expected.map(|(text, is_error)| (text.to_owned(), is_error)), "{steering:?}");
        assert_eq!(said(&outcome.messages), ["go", "stop that"]);
    }
}

#[tokio::test]
async fn what_steers_and_what_follows_comes_in_the_order_of_the_ancestors() {
    for (mode, turns) in [(QueueMode::OneAtATime, 5), (QueueMode::All, 3)] {
        let mut exchanges = vec![call_reply("a", "echo", "{}")];
        exchanges.extend((0..5).map(|_| text_reply(&["Done."])));
        let server = server(exchanges, Options::in_order());
        let shared = Arc::new(Mutex::new(None::<thalweg::Agent>));
        let tool = {
            let shared = Arc::clone(&shared);
            Tool::new("echo", "", json!({"type": "object"}), move |_, _| {
                let agent = shared.lock().unwrap().clone().unwrap();
                async move {
                    agent.follow_up("FOLLOW1").unwrap();
                    agent.follow_up("FOLLOW2").unwrap();
                    agent.steer("STEER1").unwrap();
                    agent.steer("STEER2").unwrap();
                    Ok(String::new())
                }
            })
        };
        let agent = agent(&server).tool(tool).steering_mode(mode).follow_up_mode(mode).build().unwrap();
        *shared.lock().unwrap() = Some(agent.clone());
        let run = agent.prompt("go").unwrap();
        let outcome = finished(&run).await;
        shared.lock().unwrap().take();
        assert_eq!(said(&outcome.messages), ["go", "STEER1", "STEER2", "FOLLOW1", "FOLLOW2"]);
        let types = event_types(&run).await;
        assert_eq!(types.iter().filter(|name| **name == "turn_start").count(), turns, "{mode:?}");
        assert_eq!(types.iter().filter(|name| **name == "agent_end").count(), 1);
        assert_eq!(agent.queued(), (Vec::new(), Vec::new()));
    }
}

#[tokio::test]
async fn an_abort_at_any_moment_loses_no_message_and_delivers_none_twice() {
    // The abort comes a little later each time: before, between and behind drain, injection and request.
    let exchanges: Vec<_> = (0..200).map(|_| text_reply(&["ok"])).collect();
    let server = server(exchanges, Options::in_order());
    let agent = agent(&server).tool(echo_tool()).build().unwrap();
    let rounds = 40;
    for round in 0..rounds {
        let run = agent.prompt(format!("p{round}")).unwrap();
        agent.steer(format!("s{round}")).unwrap();
        agent.follow_up(format!("f{round}")).unwrap();
        let mut events = run.events();
        for _ in 0..round % 20 {
            events.next().await;
        }
        agent.abort();
        finished(&run).await;
    }
    while !agent.queued().0.is_empty() || !agent.queued().1.is_empty() {
        finished(&agent.go_on().unwrap()).await;
    }
    let mut all = said(&agent.messages());
    all.sort();
    let mut expected: Vec<String> =
        (0..rounds).flat_map(|round| ["f", "p", "s"].map(|letter| format!("{letter}{round}"))).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn going_on_answers_what_waits_and_nothing_is_an_error() {
    let server = server(vec![text_reply(&["one"]), text_reply(&["two"])], Options::in_order());
    let agent = agent(&server).build().unwrap();
    assert!(matches!(agent.go_on(), Err(Error::Prompt(_))));
    assert_eq!(agent.prompt_text("hi").await.unwrap(), "one");
    agent.wait_for_idle().await;
    assert!(matches!(agent.go_on(), Err(Error::Prompt(_))), "there is nothing to answer behind a reply");
    agent.follow_up("and?").unwrap();
    assert_eq!(agent.go_on().unwrap().message().await.unwrap().text(), "two");
    agent.wait_for_idle().await;
    agent.steer("never").unwrap();
    agent.follow_up("never").unwrap();
    assert_eq!((agent.queued().0.len(), agent.queued().1.len()), (1, 1));
    agent.clear_steering();
    agent.clear_follow_ups();
    assert_eq!(agent.queued(), (Vec::new(), Vec::new()));
    agent.reset().unwrap();
    assert!(agent.messages().is_empty());
}

#[tokio::test]
async fn streams_are_there_from_the_first_event_on() {
    let exchanges = vec![text_reply(&["a", "b"]), text_reply(&["c"])];
    let server = server(exchanges, Options::in_order());
    let agent = agent(&server).build().unwrap();
    let mut text = agent.stream_text("one").unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = text.next().await {
        pieces.push(piece);
    }
    assert_eq!(pieces, ["a", "b"]);
    agent.wait_for_idle().await;
    let mut events = agent.stream("two").unwrap();
    assert_eq!(events.next().await.unwrap().view.event_type(), "agent_start");
    agent.wait_for_idle().await;
}

#[tokio::test]
async fn tools_that_are_set_between_two_runs_are_run() {
    let replies = [call_reply("a", "echo", r#"{"text": "x"}"#), text_reply(&["ok"])];
    let server = server([replies.clone(), replies].concat(), Options::in_order());
    let agent = agent(&server).build().unwrap();
    let before = finished(&agent.prompt("go").unwrap()).await;
    assert!(matches!(&answers(&before)[..], [(why, true)] if why.contains("there is no tool")), "{before:?}");
    agent.set_tools(vec![echo_tool()]).unwrap();
    let behind = finished(&agent.prompt("go").unwrap()).await;
    assert_eq!(answers(&behind), [("x".to_owned(), false)], "{behind:?}");
}

#[tokio::test]
async fn settings_hold_from_the_next_turn_on_and_nobody_waits_for_them() {
    let server = server(vec![call_reply("a", "change", "{}"), text_reply(&["ok"])], Options::in_order());
    let shared = Arc::new(Mutex::new(None::<thalweg::Agent>));
    let tool = {
        let shared = Arc::clone(&shared);
        Tool::new("change", "", json!({"type": "object"}), move |_, _| {
            let agent = shared.lock().unwrap().clone().unwrap();
            async move {
                agent.set_system(Some("Be brief.".to_owned()));
                agent.set_model("m2");
                agent.set_thinking(Some(Thinking { level: "low".to_owned(), budget_tokens: None }));
                agent.set_tools(vec![echo_tool()]).unwrap();
                agent.configure(|request| request.max_tokens = Some(7));
                assert!(matches!(agent.set_messages(Vec::new()), Err(Error::Busy)));
                assert!(agent.reset().is_err() && agent.append_messages([]).is_err() && agent.save().is_err());
                assert_eq!(agent.running_calls(), ["a"]);
                let roles: Vec<_> = agent.messages().iter().map(Message::role).collect();
                assert_eq!(roles, ["user", "assistant"], "what is complete is there at once");
                Ok(String::new())
            }
        })
    };
    let agent = agent(&server).tool(tool).build().unwrap();
    *shared.lock().unwrap() = Some(agent.clone());
    let outcome = finished(&agent.prompt("go").unwrap()).await;
    shared.lock().unwrap().take();
    assert_eq!(answers(&outcome), [(String::new(), false)], "{outcome:?}");
    let request = last_request(&server);
    assert_eq!((&request["model"], &request["messages"][0]["content"]), (&json!("m2"), &json!("Be brief.")));
    assert_eq!(request["tools"][0]["function"]["name"], "echo");
    assert_eq!((agent.model(), agent.system()), ("m2".to_owned(), Some("Be brief.".to_owned())));
    assert_eq!((agent.thinking().unwrap().level, agent.tools().len()), ("low".to_owned(), 1));
    assert_eq!(agent.request().max_tokens, Some(7));
    assert!(agent.running_calls().is_empty() && agent.partial().is_none());
}

#[tokio::test]
async fn listeners_hear_every_event_in_order_and_harm_nothing() {
    let exchanges = (0..3).map(|_| text_reply(&["a", "b"])).collect();
    let server = server(exchanges, Options::in_order());
    let agent = agent(&server).build().unwrap();
    let (heard, boom) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let listener = agent.subscribe({
        let heard = Arc::clone(&heard);
        move |event| heard.lock().unwrap().push((event.seq, event.view.event_type()))
    });
    agent.subscribe({
        let boom = Arc::clone(&boom);
        move |_| {
            boom.fetch_add(1, Ordering::SeqCst);
            panic!("a listener's own business");
        }
    });
    let run = agent.prompt("one").unwrap();
    agent.wait_for_idle().await;
    assert!(run.outcome().unwrap().error.is_none());
    let types = event_types(&run).await;
    {
        let heard = heard.lock().unwrap();
        assert_eq!(heard.iter().map(|(_, name)| *name).collect::<Vec<_>>(), types);
        assert!(heard.is_sorted() && boom.load(Ordering::SeqCst) == types.len());
    }
    listener.unsubscribe();
    let run = agent.prompt("two").unwrap();
    // One that comes late hears the run from its beginning.
    run.text().next().await;
    let late = Arc::new(AtomicUsize::new(0));
    agent.subscribe({
        let late = Arc::clone(&late);
        move |_| {
            late.fetch_add(1, Ordering::SeqCst);
        }
    });
    agent.wait_for_idle().await;
    assert_eq!(heard.lock().unwrap().len(), types.len(), "who has left hears nothing more");
    assert!([0, types.len()].contains(&late.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn the_reply_so_far_is_there_at_any_moment() {
    let chunks = [chunk(json!({"content": "Look"}), None), chunk(json!({"content": "ing"}), None)];
    let call =
        json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "echo", "arguments": "{\"text\":\"Par"}}]});
    let bytes: String = chunks.into_iter().chain([chunk(call, None)]).collect();
    let length = bytes.len();
    let reply = thalweg_replay::Exchange::of_chunks([bytes, chunk(json!({}), Some("stop"))]);
    let server = server(vec![reply], Options::in_order().fault(0..1, Fault::HangAfter(length)));
    let agent = agent(&server).build().unwrap();
    let run = agent.prompt("go").unwrap();
    let started = Instant::now();
    let partial = loop {
        match agent.partial().filter(|partial| partial.tool_calls().next().is_some_and(|call| call.arguments != "{}")) {
            Some(partial) => break partial,
            None => assert!(started.elapsed() < Duration::from_secs(20), "{:?}", agent.partial()),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(partial.text(), "Looking");
    let call = partial.tool_calls().next().unwrap();
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("c1", r#"{"text":"Par"}"#));
    run.abort();
    let outcome = finished(&run).await;
    assert_eq!(outcome.message.unwrap().text(), "Looking");
    assert!(run.partial().is_none());
}

#[tokio::test]
async fn prompts_hold_images_documents_and_marks_for_the_cache() {
    let server = server(vec![text_reply(&["ok"])], Options::in_order());
    let agent = agent(&server).build().unwrap();
    let content = vec![
        UserContent::text("what is this?").cached(),
        UserContent::image(Source::data("image/png", "AA==")),
        UserContent::document(Source::data("application/pdf", "AA=="), Some("x.pdf".to_owned())),
    ];
    let outcome = finished(&agent.prompt(content.clone()).unwrap()).await;
    assert!(outcome.error.is_none());
    assert_eq!(agent.messages()[0], Message::user_content(content));
    let sent = &last_request(&server)["messages"][0]["content"];
    assert_eq!(sent[0]["text"], "what is this?");
    assert_eq!(sent[1]["image_url"]["url"], "data:image/png;base64,AA==");
    assert!(sent[2]["file"]["file_data"].as_str().unwrap().contains("application/pdf"), "{sent}");
}

#[test]
fn a_run_whose_runtime_ends_has_an_end_and_its_agent_goes_on_in_another() {
    let first = chunk(json!({"content": "partial"}), None).len();
    let options = Options::in_order().fault(0..1, Fault::HangAfter(first));
    let server = server(vec![text_reply(&["partial", "never"]), text_reply(&["after"])], options);
    let agent = agent(&server).build().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lost = runtime();
    let run = lost.block_on(async {
        let run = agent.prompt("one").unwrap();
        agent.steer("waits").unwrap();
        run.text().next().await;
        run
    });
    drop(lost);
    let outcome = run.outcome().expect("the run is over").clone();
    assert!(failure(&outcome).1.contains("dropped before its end"), "{outcome:?}");
    assert_eq!(outcome.message.as_ref().unwrap().text(), "partial");
    let other = runtime();
    let types = other.block_on(event_types(&run));
    assert_eq!(types.iter().filter(|name| **name == "agent_end").count(), 1);
    assert_eq!(types.last(), Some(&"agent_end"));
    assert!(!agent.is_running());
    let outcome = other.block_on(async { finished(&agent.prompt("two").unwrap()).await });
    assert_eq!(
        (outcome.reason, said(&agent.messages())),
        (Some(EndReason::Complete), ["one", "two", "waits"].map(str::to_owned).to_vec())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_of_an_agent_may_be_called_from_many_threads_at_once() {
    let exchanges: Vec<_> = (0..400).map(|_| text_reply(&["ok"])).collect();
    let server = server(exchanges, Options::in_order());
    let agent = agent(&server).build().unwrap();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let agent = agent.clone();
        tasks.push(tokio::spawn(async move {
            let mut said = 0;
            for step in 0..20 {
                match (task + step) % 4 {
                    0 => {
                        if let Ok(run) = agent.prompt("p") {
                            said += 1;
                            run.finished().await;
                        }
                    }
                    1 => {
                        agent.steer("s").unwrap();
                        said += 1;
                    }
                    2 => {
                        agent.follow_up("f").unwrap();
                        said += 1;
                    }
                    _ => {
                        agent.set_system(Some(step.to_string()));
                        assert!(agent.messages().len() < 10_000 && agent.partial().is_none_or(|p| p.text().len() < 3));
                    }
                }
            }
            said
        }));
    }
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    agent.wait_for_idle().await;
    while agent.queued() != (Vec::new(), Vec::new()) {
        finished(&agent.go_on().unwrap()).await;
    }
    assert_eq!(said(&agent.messages()).len(), total, "each message once");
}
