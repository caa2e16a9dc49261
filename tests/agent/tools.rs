//! Tools: what they get, how long they may take, how many run at once, and what their failures do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use thalweg::event::EventView;
use thalweg::failure::FailureKind;
use thalweg::machine::{EndReason, OnRepeat, RepeatLimit};
use thalweg::message::{Message, Source, UserContent};
use thalweg::{Error, Tool, ToolOutput, Validation};
use thalweg_replay::Options;

use crate::support::{
    agent, answers, call_reply, calls_reply, failure, finished, last_request, outcome, server, slow_tool, text_reply,
};

/// A tool that answers with the arguments it got.
fn strict_tool() -> Tool {
    let schema = json!({"type": "object", "required": ["n"], "additionalProperties": false,
        "properties": {"n": {"type": "integer"}, "deep": {"type": "array", "items": {"type": "boolean"}}}});
    Tool::new("strict", "", schema, |arguments, _| async move { Ok(arguments.to_string()) })
}

#[tokio::test]
async fn arguments_that_the_schema_forbids_are_told_to_the_model_and_not_run() {
    for (validation, arguments, expected, is_error) in [
        (Validation::Check, r#"{"n":17}"#, r#"{"n":17}"#, false),
        (Validation::Check, r#"{"n":"17"}"#, "/n: \"17\" is not of type \"integer\"", true),
        (Validation::Check, "{}", "\"n\" is a required property", true),
        (Validation::Coerce, r#"{"n":"17","deep":["true",0]}"#, r#"{"n":17,"deep":[true,false]}"#, false),
        (Validation::Coerce, r#"{"n":"x"}"#, "/n: \"x\" is not of type \"integer\"", true),
        (Validation::Off, r#"{"n":"x"}"#, r#"{"n":"x"}"#, false),
    ] {
        let server = server(vec![call_reply("c1", "strict", arguments), text_reply(&["ok"])], Options::in_order());
        let outcome = outcome(agent(&server).tool(strict_tool()).validation(validation)).await;
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let (text, was_error) = &answers(&outcome)[0];
        assert!(text.contains(expected) && *was_error == is_error, "{validation:?} {arguments}: {text}");
        assert_eq!(text.starts_with("not executed: the arguments do not fit the schema of `strict`"), is_error);
        assert_eq!(last_request(&server)["messages"][2]["content"].as_str(), Some(text.as_str()));
    }
}

#[tokio::test]
async fn a_schema_that_is_none_is_told_when_the_agent_is_built() {
    let wrong =
        || Tool::new("wrong", "", json!({"type": "object", "properties": 3}), |_, _| async { Ok(String::new()) });
    let server = server(vec![text_reply(&["ok"])], Options::in_order());
    let error = agent(&server).tool(wrong()).build().unwrap_err();
    assert!(matches!(&error, Error::ToolSchema { tool, .. } if tool == "wrong"), "{error}");
    let agent = agent(&server).tool(wrong()).validation(Validation::Off).build().unwrap();
    assert!(agent.set_tools(vec![strict_tool(), strict_tool()]).is_err(), "two of one name");
    assert_eq!(agent.tools()[0].name(), "wrong");
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_stopped_and_its_siblings_are_not() {
    let calls = [("a", "slow", r#"{"ms":60000}"#), ("b", "slow", r#"{"ms":1,"text":"in time"}"#)];
    let server = server(vec![calls_reply(&calls), text_reply(&["ok"])], Options::in_order());
    let started = Instant::now();
    let outcome = outcome(agent(&server).tool(slow_tool()).tool_timeout(Duration::from_millis(200))).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    let expected =
        [("the tool took longer than 200ms and was stopped".to_owned(), true), ("in time".to_owned(), false)];
    assert_eq!(answers(&outcome), expected);
}

#[tokio::test]
async fn a_limit_of_the_tools_own_counts_and_a_blocking_tool_is_told() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let tool = Tool::blocking("stuck", "", json!({"type": "object"}), move |_, context| {
        while !context.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        told.send(()).map_err(|error| error.to_string())?;
        Ok("late".to_owned())
    });
    let server = server(vec![call_reply("a", "stuck", "{}"), text_reply(&["ok"])], Options::in_order());
    let tool = tool.with_timeout(Duration::from_millis(50));
    let outcome = outcome(agent(&server).tool(tool).tool_timeout(Duration::from_secs(60))).await;
    assert!(answers(&outcome)[0].0.contains("longer than 50ms"), "{:?}", answers(&outcome));
    heard.recv().await.expect("the tool was told to stop");
}

#[tokio::test]
async fn a_tool_that_is_not_async_blocks_neither_its_siblings_nor_the_run() {
    // One thread drives everything: a tool that blocked it would make these two wait for ever.
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let tool = Tool::blocking("meet", "", json!({"type": "object"}), move |_, _| {
        barrier.wait();
        Ok("met".to_owned())
    });
    let calls = [("a", "meet", "{}"), ("b", "meet", "{}")];
    let server = server(vec![calls_reply(&calls), text_reply(&["ok"])], Options::in_order());
    let outcome = outcome(agent(&server).tool(tool)).await;
    assert_eq!(answers(&outcome), [("met".to_owned(), false), ("met".to_owned(), false)]);
}

#[tokio::test]
async fn tools_that_panic_or_never_answer_to_a_cancel_leave_the_run_whole() {
    let panics = [
        Tool::new("boom", "", json!({"type": "object"}), |_, _| async { panic!("at {}", "work") }),
        Tool::blocking("boom", "", json!({"type": "object"}), |_, _| panic!("at work")),
    ];
    for tool in panics {
        let server = server(vec![call_reply("a", "boom", "{}"), text_reply(&["ok"])], Options::in_order());
        let outcome = outcome(agent(&server).tool(tool)).await;
        assert!(outcome.error.is_none());
        assert_eq!(answers(&outcome), [("the tool panicked: at work".to_owned(), true)]);
    }
}

#[tokio::test]
async fn no_more_tools_run_at_once_than_asked_for() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        Tool::new("count", "", json!({"type": "object"}), move |_, _| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(String::new())
            }
        })
    };
    let calls: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|id| (*id, "count", "{}")).collect();
    let server = server(vec![calls_reply(&calls), text_reply(&["ok"])], Options::in_order());
    let outcome = outcome(agent(&server).tool(counted).tools_at_once(2)).await;
    assert_eq!((answers(&outcome).len(), most.load(Ordering::SeqCst)), (5, 2));
}

#[tokio::test]
async fn an_answer_may_hold_images_and_details_and_end_the_run() {
    let tool = Tool::with_output("shoot", "", json!({"type": "object"}), |_, _| async {
        let content = vec![UserContent::text("a picture"), UserContent::image(Source::data("image/png", "AA=="))];
        ToolOutput::parts(content).with_details(json!({"path": "/tmp/x"})).terminating()
    });
    let server = server(vec![call_reply("a", "shoot", "{}"), text_reply(&["never"])], Options::in_order());
    let agent = agent(&server).tool(tool).build().unwrap();
    let run = agent.prompt("go").unwrap();
    let outcome = finished(&run).await;
    assert!(outcome.error.is_none());
    assert_eq!(outcome.reason, Some(EndReason::Terminated));
    assert_eq!(server.requests().len(), 1);
    let Some(Message::Tool(results)) = agent.messages().pop() else { panic!("no results") };
    assert_eq!(results.content[0].content.len(), 2);
    assert_eq!(results.content[0].details, Some(json!({"path": "/tmp/x"})));
}

#[tokio::test]
async fn the_same_call_made_again_and_again_is_not_run_any_more() {
    for then in [OnRepeat::Error, OnRepeat::Stop] {
        let mut exchanges: Vec<_> = (0..4).map(|n| call_reply(&format!("c{n}"), "slow", r#"{"text":"x"}"#)).collect();
        exchanges.push(text_reply(&["ok"]));
        let server = server(exchanges, Options::in_order());
        let limit = RepeatLimit { calls: 3, then };
        let outcome = outcome(agent(&server).tool(slow_tool()).repeat_limit(limit)).await;
        let errors: Vec<bool> = answers(&outcome).into_iter().map(|(_, is_error)| is_error).collect();
        match then {
            OnRepeat::Error => {
                assert_eq!((outcome.reason, errors), (Some(EndReason::Complete), vec![false, false, true, true]));
            }
            OnRepeat::Stop => {
                assert_eq!((failure(&outcome).0, errors), (FailureKind::Repeated, vec![false, false, true]));
            }
        }
    }
}

#[tokio::test]
async fn progress_comes_before_the_end_of_its_tool_and_carries_the_arguments() {
    let tool = Tool::new("work", "", json!({"type": "object"}), |_, context| async move {
        context.progress("half", Some(500));
        Ok("done".to_owned())
    });
    let server = server(vec![call_reply("a", "work", r#"{"x":1}"#), text_reply(&["ok"])], Options::in_order());
    let agent = agent(&server).tool(tool).build().unwrap();
    let run = agent.prompt("go").unwrap();
    finished(&run).await;
    let (mut seen, mut events) = (Vec::new(), run.events());
    while let Some(event) = events.next().await {
        match event.view {
            EventView::ToolExecutionUpdate { payload, .. } => seen.push(payload.to_owned()),
            EventView::ToolExecutionEnd { .. } => seen.push("end".to_owned()),
            _ => {}
        }
    }
    assert_eq!(seen.len(), 2);
    assert!(seen[0].contains("\"args\":{\"x\":1}") && seen[0].contains("\"progress_permille\":500"), "{seen:?}");
}
