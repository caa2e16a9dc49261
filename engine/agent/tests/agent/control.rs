//! What a program can do to a run from outside: steer it, limit it, end it.

use crate::support::{Driver, arguments, begin, check_laws, config, done, stop_end, stop_tools, text};
use serde_json::json;
use thalweg_agent::machine::{
    Action, Config, Decision, EndReason, OnRepeat, QueueMode, RepeatLimit, Steering, ToolMode, ToolOutput,
};
use thalweg_agent::message::{FailureKind, Message, ToolResult};

fn prompted(config: Config) -> Driver {
    let mut driver = Driver::new(config);
    driver.prompt("hi");
    driver
}

/// The model calls `t` so many times, with different arguments.
fn call(driver: &mut Driver, ids: &[&str]) {
    let mut events = Vec::new();
    let texts: Vec<_> = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
    for (place, (id, text)) in ids.iter().zip(&texts).enumerate() {
        events.extend([begin(place as u32, id, "t"), arguments(place as u32, text)]);
    }
    events.push(stop_tools());
    driver.reply(&events);
}

fn answers(driver: &Driver) -> Vec<(String, bool)> {
    let results = driver.machine.run_messages().filter_map(|message| match message {
        Message::Tool(tool) => Some(&tool.content),
        _ => None,
    });
    results.flatten().map(|result: &ToolResult| (result.text(), result.is_error)).collect()
}

fn users(driver: &Driver) -> Vec<String> {
    let users = driver.machine.run_messages().filter_map(|message| match message {
        Message::User(user) => user.content[0].as_text().map(str::to_owned),
        _ => None,
    });
    users.collect()
}

#[test]
fn no_more_tools_run_at_once_than_allowed_and_all_run_in_the_end() {
    let mut driver = prompted(Config { tools_at_once: Some(2), ..config(&["t"]) });
    call(&mut driver, &["a", "b", "c", "d"]);
    assert_eq!(driver.launched(), ["a", "b"]);
    driver.result("b", ToolOutput::text("B"));
    assert_eq!(driver.launched(), ["a", "b", "c"]);
    for id in ["c", "a", "d"] {
        assert!(driver.result(id, ToolOutput::text(id.to_uppercase())));
    }
    assert_eq!(answers(&driver), ["A", "B", "C", "D"].map(|text| (text.to_owned(), false)));
    check_laws(&driver);
}

#[test]
fn steering_behind_the_batch_waits_for_all_calls() {
    let mut driver = prompted(Config { tool_mode: ToolMode::Sequential, ..config(&["t"]) });
    call(&mut driver, &["a", "b"]);
    driver.steer("stop that");
    driver.result("a", ToolOutput::text("A"));
    driver.result("b", ToolOutput::text("B"));
    assert_eq!(users(&driver), ["hi", "stop that"]);
    assert!(answers(&driver).iter().all(|(_, is_error)| !is_error));
    check_laws(&driver);
}

#[test]
fn steering_between_tools_skips_those_that_have_not_begun() {
    let mut driver =
        prompted(Config { tool_mode: ToolMode::Sequential, steering: Steering::BetweenTools, ..config(&["t"]) });
    call(&mut driver, &["a", "b", "c"]);
    driver.steer("stop that");
    assert!(!driver.actions.contains(&Action::CancelTools));
    driver.result("a", ToolOutput::text("A"));
    let skipped = ("Skipped due to queued user message.".to_owned(), true);
    assert_eq!(answers(&driver), [("A".to_owned(), false), skipped.clone(), skipped]);
    assert_eq!(users(&driver), ["hi", "stop that"]);
    assert_eq!(driver.events_of("tool_execution_end").len(), 3);
    check_laws(&driver);
}

#[test]
fn steering_that_skips_the_remaining_calls_cancels_those_that_run() {
    let mut driver = prompted(Config { steering: Steering::SkipRemaining, ..config(&["t"]) });
    call(&mut driver, &["a", "b"]);
    driver.result("a", ToolOutput::text("A"));
    driver.steer("stop that");
    assert!(driver.actions.contains(&Action::CancelTools));
    assert!(!driver.result("b", ToolOutput::text("late")));
    assert_eq!(answers(&driver)[1], ("Skipped due to queued user message.".to_owned(), true));
    assert!(matches!(driver.actions.last(), Some(Action::SendRequest { turn: 2 })));
    check_laws(&driver);
}

#[test]
fn queues_come_in_one_at_a_time_or_all_at_once() {
    for (mode, expected) in [(QueueMode::OneAtATime, 5), (QueueMode::All, 3)] {
        let mut driver = prompted(Config { steering_mode: mode, follow_up_mode: mode, ..config(&[]) });
        for text in ["s1", "s2"] {
            driver.machine.handle_steer(Message::user(text)).unwrap();
        }
        for text in ["f1", "f2"] {
            driver.machine.handle_follow_up(Message::user(text)).unwrap();
        }
        while driver.reason().is_none() {
            driver.reply(&[text(0, "ok"), stop_end(), done()]);
        }
        assert_eq!(users(&driver), ["hi", "s1", "s2", "f1", "f2"]);
        assert_eq!(driver.events_of("turn_start").len(), expected, "{mode:?}");
        check_laws(&driver);
    }
}

#[test]
fn an_abort_loses_no_message_that_waits_and_says_none_twice() {
    let mut driver = Driver::prompted(&["t"]);
    call(&mut driver, &["a"]);
    driver.machine.handle_steer(Message::user("s")).unwrap();
    driver.machine.handle_follow_up(Message::user("f")).unwrap();
    driver.abort();
    assert_eq!(users(&driver), ["hi"]);
    driver.prompt("again");
    assert_eq!(users(&driver), ["again", "s"]);
    // Between injection and request: it is in the conversation, and stays there.
    driver.abort();
    driver.prompt("once more");
    driver.reply(&[text(0, "ok"), stop_end(), done()]).reply(&[text(0, "ok"), stop_end(), done()]);
    assert_eq!(users(&driver), ["once more", "f"]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    check_laws(&driver);
}

#[test]
fn going_on_behind_a_reply_takes_what_follows_up() {
    let mut driver = Driver::prompted(&[]);
    driver.reply(&[text(0, "ok"), stop_end(), done()]);
    assert!(driver.machine.handle_prompt(Vec::new(), 90).is_err());
    driver.machine.handle_follow_up(Message::user("f")).unwrap();
    driver.machine.handle_prompt(Vec::new(), 90).unwrap();
    assert_eq!(users(&driver), ["f"]);
}

#[test]
fn a_tool_that_terminates_ends_the_run_behind_those_that_run_with_it() {
    let mut driver = prompted(Config { tools_at_once: Some(2), ..config(&["t"]) });
    call(&mut driver, &["a", "b", "c"]);
    driver.steer("not now");
    driver.result("a", ToolOutput::text("A").terminating().with_details(json!({"n": 1})));
    assert!(driver.machine.is_running(), "b runs to its end");
    driver.result("b", ToolOutput::text("B"));
    assert_eq!(driver.reason(), Some(EndReason::Terminated));
    assert!(driver.machine.failure().is_none());
    assert_eq!(answers(&driver)[2], ("not executed: the run was ended by another tool".to_owned(), true));
    assert!(driver.machine.has_waiting(), "what steers goes into the next run");
    let end = driver.events_of("tool_execution_end")[0];
    assert_eq!((&end["result"]["details"], &end["result"]["terminate"]), (&json!({"n": 1}), &json!(true)));
    check_laws(&driver);
}

#[test]
fn the_hook_after_a_turn_ends_the_run_or_lets_it_go_on() {
    for decision in [Decision::GoOn, Decision::Stop] {
        let mut driver = prompted(Config { asks_after_turn: true, ..config(&["t"]) });
        call(&mut driver, &["a"]);
        driver.result("a", ToolOutput::text("A"));
        assert_eq!(driver.actions.last(), Some(&Action::Decide));
        driver.decide(decision);
        match decision {
            Decision::Stop => assert_eq!(driver.reason(), Some(EndReason::Stopped)),
            Decision::GoOn => {
                driver.reply(&[text(0, "ok"), stop_end(), done()]);
                assert_eq!(driver.reason(), Some(EndReason::Complete), "the last turn is not asked about");
            }
        }
        driver.decide(Decision::Stop);
        check_laws(&driver);
    }
    let mut driver = prompted(Config { asks_after_turn: true, ..config(&["t"]) });
    call(&mut driver, &["a"]);
    driver.result("a", ToolOutput::text("A"));
    driver.abort();
    assert_eq!(driver.reason(), Some(EndReason::Aborted));
    check_laws(&driver);
}

#[test]
fn the_same_call_again_and_again_is_answered_with_an_error_or_ends_the_run() {
    let same = |driver: &mut Driver, id: &str, arguments_text: &str| {
        driver.reply(&[begin(0, id, "t"), arguments(0, arguments_text), stop_tools()]);
    };
    for then in [OnRepeat::Error, OnRepeat::Stop] {
        let mut driver = prompted(Config { repeat_limit: Some(RepeatLimit { calls: 3, then }), ..config(&["t"]) });
        for (id, text) in [("a", "{\"x\":1,\"y\":2}"), ("b", "{\"y\": 2, \"x\": 1}")] {
            same(&mut driver, id, text);
            driver.result(id, ToolOutput::text("1"));
        }
        same(&mut driver, "c", "{\"x\":1,\"y\":2}");
        assert_eq!(driver.launched(), ["a", "b"]);
        let (why, is_error) = answers(&driver).pop().unwrap();
        assert!(is_error && why.starts_with("not executed: the same call was made"), "{why}");
        match then {
            OnRepeat::Stop => {
                assert_eq!(driver.reason(), Some(EndReason::Repeated));
                assert_eq!(driver.machine.failure().unwrap().kind, FailureKind::Repeated);
            }
            OnRepeat::Error => {
                same(&mut driver, "d", "{\"x\":2}");
                assert_eq!(driver.launched(), ["a", "b", "d"], "another call is no repetition");
            }
        }
        driver.abort();
        check_laws(&driver);
    }
}

#[test]
fn messages_of_the_program_are_kept_told_and_not_answered() {
    let mut driver = Driver::new(config(&[]));
    let note = Message::custom("note", json!({"text": "looked it up"}));
    driver.machine.handle_prompt(vec![note.clone(), Message::user("hi")], 1).unwrap();
    driver.drain();
    driver.reply(&[text(0, "ok"), stop_end(), done()]);
    assert_eq!(
        driver.events_of("message_end")[0]["message"],
        json!({
        "role": "custom", "type": "note", "data": {"text": "looked it up"}})
    );
    let sent: Vec<_> = driver.machine.history().sendable_from(0).map(|(place, _)| place).collect();
    assert_eq!(sent, [1, 2]);
    check_laws(&driver);
    driver.machine.replace_history(vec![Message::user("a"), note]);
    driver.machine.handle_prompt(Vec::new(), 2).expect("the user's message is still to be answered");
}
