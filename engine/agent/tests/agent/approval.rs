//! Calls that wait for a person, and go on in another process.

use crate::support::{Driver, arguments, begin, check_laws, config, done, stop_end, stop_tools, text};
use serde_json::json;
use thalweg_agent::approval::Saved;
use thalweg_agent::machine::{Action, Approval, EndReason, Error, Machine, Pending, ToolOutput};
use thalweg_agent::message::Message;

/// A run in which `b` and `c` wait for a person and `a` does not.
fn waiting() -> Driver {
    let mut driver = Driver::prompted(&["t"]);
    let calls = [begin(0, "a", "t"), begin(1, "b", "t"), arguments(1, "{\"x\":1}"), begin(2, "c", "t"), stop_tools()];
    driver.reply(&calls);
    assert!(driver.waits("b"));
    assert!(!driver.waits("b"), "once is enough");
    assert!(driver.result("a", ToolOutput::text("A")));
    assert!(driver.machine.is_running());
    assert!(driver.waits("c"));
    driver
}

/// The same conversation in another process.
fn elsewhere(driver: &Driver) -> Driver {
    let messages = driver.machine.history().entries().iter().map(|entry| Message::clone(&entry.message)).collect();
    let saved = Saved { pending: driver.machine.pending().cloned(), ..Saved::new(messages) };
    let json = serde_json::to_string(&saved).unwrap();
    let read: Saved = serde_json::from_str(&json).unwrap();
    assert_eq!(read, saved);
    let mut other = Driver::new(config(&["t"]));
    other.machine = Machine::with_pending(config(&["t"]), read.messages, read.pending.unwrap());
    other
}

fn results(driver: &Driver) -> Vec<(String, String, bool)> {
    let results = driver.machine.history().entries().iter().rev().find_map(|entry| match &*entry.message {
        Message::Tool(tool) => Some(&tool.content),
        _ => None,
    });
    results.unwrap().iter().map(|result| (result.tool_call_id.clone(), result.text(), result.is_error)).collect()
}

#[test]
fn a_run_ends_where_a_person_is_to_decide_and_says_about_what() {
    let driver = waiting();
    assert_eq!(driver.reason(), Some(EndReason::WaitingForApproval));
    assert!(driver.machine.failure().is_none());
    assert_eq!(driver.events_of("agent_end")[0]["pending"], json!(["b", "c"]));
    assert_eq!(driver.events_of("turn_end")[0]["tool_results"].as_array().unwrap().len(), 1);
    let ends = driver.events_of("tool_execution_end");
    assert_eq!(ends.iter().filter(|end| end["is_waiting"] == json!(true)).count(), 2);
    check_laws(&driver);
}

#[test]
fn each_call_is_run_denied_or_answered_in_another_process_and_the_run_goes_on() {
    let mut driver = elsewhere(&waiting());
    let decisions = vec![
        ("b".to_owned(), Approval::Approve { args: Some(json!({"x": 2})) }),
        ("c".to_owned(), Approval::deny("too dangerous")),
    ];
    driver.approve(decisions);
    let Some(Action::RunTool { call, is_approved: true }) = driver.actions.last().cloned() else {
        panic!("not run: {:?}", driver.actions)
    };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("b", "{\"x\":2}"));
    driver.result("b", ToolOutput::text("B"));
    let expected = [("a", "A", false), ("b", "B", false), ("c", "not executed: too dangerous", true)];
    assert_eq!(results(&driver), expected.map(|(id, text, error)| (id.to_owned(), text.to_owned(), error)));
    driver.reply(&[text(0, "ok"), stop_end(), done()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    let roles: Vec<_> = driver.machine.history().entries().iter().map(|entry| entry.message.role()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert!(driver.machine.pending().is_none());
    check_laws(&driver);
}

#[test]
fn what_nothing_is_said_about_goes_on_waiting() {
    let mut driver = elsewhere(&waiting());
    driver.approve(vec![("c".to_owned(), Approval::answer("C"))]);
    assert_eq!(driver.reason(), Some(EndReason::WaitingForApproval));
    let pending = driver.machine.pending().unwrap();
    assert_eq!(pending.waiting, ["b"]);
    assert_eq!(pending.results.len(), 2);
    driver.approve(vec![("b".to_owned(), Approval::approve())]);
    driver.result("b", ToolOutput::text("B"));
    let texts: Vec<_> = results(&driver).into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(texts, ["A", "B", "C"]);
    check_laws(&driver);
}

#[test]
fn a_prompt_instead_of_an_answer_leaves_no_call_without_a_result() {
    let mut driver = waiting();
    driver.prompt("never mind");
    let roles: Vec<_> = driver.machine.history().entries().iter().map(|entry| entry.message.role()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user"]);
    assert_eq!(results(&driver)[0], ("a".to_owned(), "A".to_owned(), false));
    assert!(results(&driver)[1].2 && results(&driver)[2].2);
    driver.reply(&[text(0, "ok"), stop_end(), done()]);
    check_laws(&driver);
}

#[test]
fn a_run_that_is_stopped_while_calls_wait_answers_them() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), begin(1, "b", "t"), stop_tools()]);
    driver.waits("a");
    driver.abort();
    assert_eq!(driver.reason(), Some(EndReason::Aborted));
    assert!(driver.machine.pending().is_none());
    assert_eq!(results(&driver).len(), 2);
    check_laws(&driver);
}

#[test]
fn decisions_about_other_calls_are_refused_and_change_nothing() {
    let mut driver = waiting();
    let about = |id: &str| vec![(id.to_owned(), Approval::approve())];
    assert_eq!(driver.machine.handle_approvals(about("a"), 9), Err(Error::NotPending(0)));
    assert_eq!(driver.machine.pending().unwrap().waiting, ["b", "c"]);
    assert_eq!(Driver::prompted(&[]).machine.handle_approvals(about("a"), 9), Err(Error::Busy));
    let mut idle = Machine::new(config(&[]), Vec::new());
    assert_eq!(idle.handle_approvals(about("a"), 9), Err(Error::NothingPending));
    driver.machine.replace_history(Vec::new());
    assert!(driver.machine.pending().is_none());
}

#[test]
fn what_waits_in_a_conversation_that_does_not_end_with_its_reply_is_dropped() {
    let pending = Pending { waiting: vec!["a".to_owned()], results: Vec::new() };
    let machine = Machine::with_pending(config(&[]), vec![Message::user("hi")], pending);
    assert!(machine.pending().is_none() && machine.history().len() == 1);
}
