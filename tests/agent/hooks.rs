//! Hooks: what they may change, and what their failures do.

use serde_json::{Value, json};
use thalweg::machine::EndReason;
use thalweg::message::Message;
use thalweg::{AgentBuilder, Hook, HookPoint, Outcome};
use thalweg_replay::{Options, Server};

use crate::support::{
    agent, answers, call_reply, calls_reply, failure, finished, last_request, outcome, server, slow_tool, text_reply,
};

fn hook(point: HookPoint, answer: impl Fn(Value) -> Value + Send + Sync + 'static) -> Hook {
    Hook::new(point, move |input| {
        let answer = answer(input);
        async move { Ok(answer) }
    })
}

/// One call of `slow` with `{"text":"x"}`, and its run with these hooks.
async fn with_hooks(hooks: Vec<Hook>) -> (Server, Outcome) {
    let server = server(vec![call_reply("c1", "slow", r#"{"text":"x"}"#), text_reply(&["ok"])], Options::in_order());
    let builder = hooks.into_iter().fold(agent(&server).tool(slow_tool()), AgentBuilder::hook);
    let outcome = outcome(builder).await;
    (server, outcome)
}

#[tokio::test]
async fn before_a_call_a_hook_blocks_answers_or_changes_the_arguments() {
    for (answer, text, is_error) in [
        (json!(null), "x", false),
        (json!({"args": {"text": "y"}}), "y", false),
        (json!({"block": true, "reason": "not today"}), "not today", true),
        (json!({"block": true}), "the call was blocked", true),
        (json!({"result": "from the hook"}), "from the hook", false),
        (json!({"result": [{"type": "text", "text": "parts"}], "is_error": true}), "parts", true),
    ] {
        let said = answer.clone();
        let (_, outcome) = with_hooks(vec![hook(HookPoint::BeforeToolCall, move |input| {
            assert_eq!(input, json!({"tool_call_id": "c1", "tool_name": "slow", "args": {"text": "x"}}));
            said.clone()
        })])
        .await;
        assert_eq!(answers(&outcome), [(text.to_owned(), is_error)], "{answer}");
        assert_eq!(outcome.reason, Some(EndReason::Complete));
    }
}

#[tokio::test]
async fn after_a_call_a_hook_replaces_the_answer_and_may_end_the_run() {
    for (answer, text, is_error, reason) in [
        (json!({"text": "better"}), "better", false, EndReason::Complete),
        (json!({"is_error": true}), "x", true, EndReason::Complete),
        (
            json!({"content": [{"type": "text", "text": "parts"}], "details": {"n": 1}}),
            "parts",
            false,
            EndReason::Complete,
        ),
        (json!({"terminate": true}), "x", false, EndReason::Terminated),
    ] {
        let said = answer.clone();
        let (server, outcome) = with_hooks(vec![hook(HookPoint::AfterToolCall, move |input| {
            assert_eq!((&input["text"], &input["is_error"]), (&json!("x"), &json!(false)));
            said.clone()
        })])
        .await;
        assert_eq!((answers(&outcome), outcome.reason), (vec![(text.to_owned(), is_error)], Some(reason)), "{answer}");
        assert_eq!(server.requests().len(), if reason == EndReason::Complete { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_hook_that_fails_or_panics_fails_its_call_and_not_the_run() {
    let failing = |point| Hook::new(point, |_| async { Err("no database".to_owned()) });
    let panicking = |point| Hook::new(point, |_| async { panic!("boom") });
    let foreign = |point| hook(point, |_| json!({"blocks": true}));
    for point in [HookPoint::BeforeToolCall, HookPoint::AfterToolCall] {
        for (hook, part) in [(failing(point), "no database"), (panicking(point), "boom"), (foreign(point), "`blocks`")]
        {
            let (_, outcome) = with_hooks(vec![hook]).await;
            let (text, is_error) = answers(&outcome).remove(0);
            assert!(is_error && text.contains(part), "{text}");
            assert_eq!(outcome.reason, Some(EndReason::Complete));
        }
    }
}

#[tokio::test]
async fn a_failing_hook_of_one_call_leaves_its_siblings_alone() {
    let calls = [("a", "slow", r#"{"text":"A"}"#), ("b", "slow", r#"{"text":"B"}"#)];
    let server = server(vec![calls_reply(&calls), text_reply(&["ok"])], Options::in_order());
    let picky = Hook::new(HookPoint::BeforeToolCall, |input| async move {
        if input["tool_call_id"] == "a" { Err("no".to_owned()) } else { Ok(Value::Null) }
    });
    let outcome = outcome(agent(&server).tool(slow_tool()).hook(picky)).await;
    let expected = [("the hook before_tool_call failed: no".to_owned(), true), ("B".to_owned(), false)];
    assert_eq!(answers(&outcome), expected);
}

#[tokio::test]
async fn after_a_turn_a_hook_ends_the_run_and_sees_what_it_did() {
    let stop = hook(HookPoint::AfterTurn, |input| {
        let roles: Vec<_> = input["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
        assert_eq!((&input["turn"], roles), (&json!(1), vec![json!("user"), json!("assistant"), json!("tool")]));
        json!({"stop": true})
    });
    let (server, outcome) = with_hooks(vec![stop]).await;
    assert!(outcome.error.is_none());
    assert_eq!((outcome.reason, server.requests().len()), (Some(EndReason::Stopped), 1));
    let (_, outcome) = with_hooks(vec![hook(HookPoint::AfterTurn, |_| Value::Null)]).await;
    assert_eq!(outcome.reason, Some(EndReason::Complete));
    let (_, outcome) = with_hooks(vec![Hook::new(HookPoint::AfterTurn, |_| async { panic!("boom") })]).await;
    assert!(failure(&outcome).1.contains("the hook after_turn panicked: boom"), "{outcome:?}");
    assert_eq!(answers(&outcome).len(), 1, "no call is left without its result");
}

#[tokio::test]
async fn the_context_is_transformed_first_and_converted_then_and_the_conversation_stays() {
    let server = server(vec![text_reply(&["one"]), text_reply(&["two"])], Options::in_order());
    let transform = hook(HookPoint::TransformContext, |input| {
        let mut messages = input["messages"].as_array().unwrap().clone();
        messages.insert(0, json!({"role": "custom", "type": "note", "data": "from the transform"}));
        Value::Array(messages)
    });
    let convert = hook(HookPoint::ConvertMessages, |input| {
        let convert = |message: &Value| match message["role"].as_str() {
            Some("custom") => json!({"role": "user", "content": [{"type": "text", "text": message["data"]}]}),
            _ => message.clone(),
        };
        Value::Array(input["messages"].as_array().unwrap().iter().map(convert).collect())
    });
    let agent = agent(&server).hook(convert).hook(transform).build().unwrap();
    finished(&agent.prompt("hi").unwrap()).await;
    agent.append_messages([Message::custom("note", json!("kept here"))]).unwrap();
    finished(&agent.prompt("again").unwrap()).await;
    let request = last_request(&server);
    let sent: Vec<_> = request["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(sent, ["from the transform", "hi", "one", "kept here", "again"]);
    let roles: Vec<_> = agent.messages().iter().map(Message::role).collect();
    assert_eq!(roles, ["user", "assistant", "custom", "user", "assistant"]);
}

#[tokio::test]
async fn messages_of_the_program_are_not_sent_without_a_hook_and_nothing_is_sent_alone() {
    let server = server(vec![text_reply(&["one"])], Options::in_order());
    let agent = agent(&server).build().unwrap();
    let note = Message::custom("note", json!({"x": 1}));
    finished(&agent.prompt(vec![note.clone(), Message::user("hi")]).unwrap()).await;
    assert_eq!(last_request(&server)["messages"].as_array().unwrap().len(), 1);
    agent.reset().unwrap();
    let outcome = finished(&agent.prompt(note).unwrap()).await;
    assert!(failure(&outcome).1.contains("no message to send"), "{outcome:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_transform_that_panics_ends_the_run_with_an_error_and_the_agent_lives_on() {
    let server = server(vec![text_reply(&["ok"])], Options::in_order());
    let agent =
        agent(&server).hook(Hook::new(HookPoint::TransformContext, |_| async { panic!("boom") })).build().unwrap();
    for _ in 0..2 {
        let outcome = finished(&agent.prompt("hi").unwrap()).await;
        assert!(failure(&outcome).1.contains("the hook transform_context panicked: boom"));
    }
    assert_eq!(server.requests().len(), 0);
}
