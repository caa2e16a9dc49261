//! A provider that is an async function of the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use thalweg::failure::{Failure, FailureKind};
use thalweg::message::{ContentBlock, Message};
use thalweg::responder::from_fn;
use thalweg::{Agent, Client, Tool};

use crate::support::failure;

#[tokio::test]
async fn a_function_gives_text_thinking_tool_calls_usage_and_the_end_of_a_run_of_two_turns() {
    let provider = from_fn("mine", |ask, sink| async move {
        assert_eq!(ask.request().model, "green");
        sink.start("green-1", "r1");
        if ask.turn() == 1 {
            sink.thinking("let me ");
            sink.thinking("see");
            sink.thinking_signature("s1");
            let add = sink.tool_call("c1", "add");
            let again = sink.tool_call("c2", "add");
            sink.tool_arguments(add, r#"{"a":1,"#);
            sink.tool_arguments(again, r#"{"a":5,"b":5}"#);
            sink.tool_arguments(add, r#""b":2}"#);
            sink.stop("tool_use");
        } else {
            let messages = ask.messages();
            let Some(Message::Tool(results)) = messages.last() else { panic!("{messages:?}") };
            // Some of it later: the stream is not over when the function pauses.
            sink.text("It is ");
            tokio::time::sleep(Duration::from_millis(2)).await;
            sink.text(&results.content[0].text());
            sink.usage(3, 4);
            sink.stop("stop");
        }
        Ok(())
    });
    let add = Tool::new("add", "Adds.", json!({"type": "object"}), |arguments, _| async move {
        Ok((arguments["a"].as_i64().ok_or("no a")? + arguments["b"].as_i64().ok_or("no b")?).to_string())
    });
    let agent = Agent::builder().model("mine/green").responder(provider).tool(add).build().unwrap();
    let run = agent.prompt("add").unwrap();
    let outcome = run.finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let reply = outcome.message.unwrap();
    assert_eq!((reply.text().as_str(), reply.provider.as_deref()), ("It is 3", Some("mine")));
    assert_eq!((outcome.usage.input_tokens, outcome.usage.output_tokens), (Some(3), Some(4)));
    let Message::Assistant(first) = &outcome.messages[1] else { panic!("{:?}", outcome.messages) };
    assert_eq!(first.content[0], ContentBlock::Thinking { text: "let me see".into(), signature: Some("s1".into()) });
    assert_eq!(
        first.tool_calls().map(|call| call.arguments.as_str()).collect::<Vec<_>>(),
        [r#"{"a":1,"b":2}"#, r#"{"a":5,"b":5}"#]
    );
    assert_eq!(first.response_id.as_deref(), Some("r1"));
}

#[tokio::test]
async fn a_function_that_fails_panics_or_forgets_its_end_gives_an_error_and_what_came_is_kept() {
    for (how, kind, says) in [
        ("fails", FailureKind::Overloaded, "too much"),
        ("panics", FailureKind::Plugin, "panicked"),
        ("forgets", FailureKind::Truncated, "before the reply was complete"),
    ] {
        let provider = from_fn("mine", move |_, sink| async move {
            sink.text("kept");
            match how {
                "fails" => return Err(Failure::new(FailureKind::Overloaded, "too much")),
                "panics" => panic!("boom"),
                _ => {}
            }
            Ok(())
        });
        let agent = Agent::builder().responder(Arc::clone(&provider)).build().unwrap();
        let outcome = agent.prompt("go").unwrap().finished().await;
        let (got, message) = failure(outcome.error.as_ref().unwrap());
        assert!(got == kind && message.contains(says), "{how}: {got:?} {message}");
        assert_eq!(outcome.message.unwrap().text(), "kept");

        let client = Client::builder().responder(provider).build_client().unwrap();
        let (got, message) = failure(&client.chat("go").await.unwrap_err());
        assert!(got == kind && message.contains(says), "{how}: {got:?} {message}");
    }
}

#[tokio::test]
async fn a_hung_function_is_dropped_at_once_when_its_run_is_stopped() {
    struct Told(Arc<AtomicUsize>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&dropped);
    let provider = from_fn("mine", move |_, sink| {
        let told = Told(Arc::clone(&told));
        async move {
            let _told = told;
            sink.text("first");
            std::future::pending().await
        }
    });
    let agent = Agent::builder().responder(provider).build().unwrap();
    let run = agent.prompt("go").unwrap();
    assert_eq!(run.text().next().await.as_deref(), Some("first"));
    run.abort();
    let outcome = run.finished().await;
    assert_eq!(failure(outcome.error.as_ref().unwrap()).0, FailureKind::Aborted);
    assert_eq!(outcome.message.unwrap().text(), "first");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn events_from_another_thread_reach_the_reply() {
    let provider = from_fn("mine", |_, sink| async move {
        let there = sink.clone();
        let writing = tokio::task::spawn_blocking(move || {
            for word in ["one ", "two ", "three"] {
                there.text(word);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        writing.await.map_err(|error| Failure::new(FailureKind::Other, error.to_string()))?;
        sink.stop("stop");
        Ok(())
    });
    let client = Client::builder().responder(provider).build_client().unwrap();
    let mut reply = client.stream("go").await.unwrap();
    let mut text = String::new();
    while let Some(piece) = reply.next_text().await.unwrap() {
        text.push_str(&piece);
    }
    assert_eq!(text, "one two three");
}

#[test]
fn an_unknown_name_is_not_taken_for_the_only_function() {
    let provider = from_fn("mine", |_, _| async { Ok(()) });
    assert!(Agent::builder().model("nosuchthing/m").responder(provider).build().is_err());
}
