//! The order of events and the messages of a run, one scenario a test.

use crate::support::{
    Driver, arguments, begin, check_laws, config, done, error, stop, stop_end, stop_tools, text, thinking,
};
use serde_json::json;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_THINKING_SIGNATURE, EVENT_USAGE, FAILURE_AUTH, FAILURE_OVERLOADED,
    STOP_CONTENT_FILTER, STOP_LENGTH, STOP_PAUSE, StreamEvent, USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_agent::assembly::End;
use thalweg_agent::machine::{Action, Config, EndReason, Error, Machine, ToolMode, ToolOutput};
use thalweg_agent::message::{AssistantMessage, ContentBlock, Failure, FailureKind, Message, StopKind, ToolResult};

const OPENING: [&str; 5] =
    ["agent_start", "turn_start", "message_start(user)", "message_end(user)", "message_start(assistant)"];

fn with_opening(rest: &[&str]) -> Vec<String> {
    OPENING.iter().chain(rest).map(|&word| word.to_owned()).collect()
}

fn reply(driver: &Driver) -> &AssistantMessage {
    driver.machine.last_reply().expect("a reply")
}

fn results(driver: &Driver) -> Vec<ToolResult> {
    let last = driver.machine.run_messages().filter_map(|message| match message {
        Message::Tool(tool) => Some(tool.content.clone()),
        _ => None,
    });
    last.last().expect("a tool message")
}

fn user_texts(driver: &Driver) -> Vec<String> {
    let texts = driver.machine.history().entries().iter().filter_map(|entry| match &*entry.message {
        Message::User(_) => Some(entry.json.split('"').rev().nth(1).unwrap_or_default().to_owned()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn steering_comes_in_behind_the_tools_and_follow_ups_before_the_end() {
    let mut driver = Driver::prompted(&["look"]);
    driver.machine.handle_follow_up(Message::user("later")).unwrap();
    driver.machine.handle_steer(Message::user("now")).unwrap();
    driver.machine.handle_steer(Message::user("then")).unwrap();
    driver.reply(&[begin(0, "c1", "look"), arguments(0, "{}"), stop_tools(), done()]);
    assert_eq!(user_texts(&driver), ["hi"], "tools run");
    driver.result("c1", ToolOutput::text("seen"));
    assert_eq!(user_texts(&driver), ["hi", "now"]);
    driver.reply(&[text(0, "a"), stop_end(), done()]);
    assert_eq!(user_texts(&driver), ["hi", "now", "then"]);
    driver.reply(&[text(0, "b"), stop_end(), done()]);
    assert_eq!(user_texts(&driver), ["hi", "now", "then", "later"]);
    assert_eq!(driver.reason(), None);
    driver.reply(&[text(0, "c"), stop_end(), done()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    assert_eq!(driver.events_of("turn_end").len(), 4);
    check_laws(&driver);
}

#[test]
fn what_waits_when_a_run_is_stopped_or_may_take_no_more_turns_goes_into_the_next_one() {
    let mut driver = Driver::new(Config { max_turns: 1, ..config(&[]) });
    driver.prompt("hi");
    driver.machine.handle_steer(Message::user("more")).unwrap();
    let not_a_users = Message::Assistant(AssistantMessage::default());
    assert_eq!(driver.machine.handle_steer(not_a_users), Err(Error::NotAPrompt(0)));
    driver.abort();
    assert_eq!(driver.reason(), Some(EndReason::Aborted));
    driver.prompt("again");
    assert_eq!(user_texts(&driver), ["hi", "again", "more"]);
    driver.machine.handle_follow_up(Message::user("and more")).unwrap();
    driver.reply(&[text(0, "a"), stop_end(), done()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    assert!(driver.machine.has_waiting());
    driver.machine.replace_history(Vec::new());
    assert!(driver.machine.has_waiting());
}

#[test]
fn text_reply_gives_the_sequence_of_the_ancestors() {
    let mut driver = Driver::prompted(&[]);
    let start = StreamEvent::new(EVENT_MESSAGE_START).with_text(b"m-1").with_aux(b"r-1");
    driver.reply(&[start, text(0, "Hel"), text(0, "lo"), stop_end(), done()]);
    let expected = with_opening(&[
        "text_start(0)",
        "text_delta(0,Hel)",
        "text_delta(0,lo)",
        "text_end(0,Hello)",
        "message_end(assistant)",
        "turn_end",
        "agent_end(complete)",
    ]);
    assert_eq!(driver.story(), expected);
    assert_eq!(
        driver.events_of("message_start")[1]["message"],
        json!({
        "role":"assistant","content":[],"provider":"test","model":"m-1","response_id":"r-1"})
    );
    assert_eq!(driver.events_of("agent_end")[0]["messages"].as_array().unwrap().len(), 2);
    assert_eq!(reply(&driver).text(), "Hello");
    assert_eq!(reply(&driver).stop_kind(), Some(StopKind::Stop));
    check_laws(&driver);
}

#[test]
fn thinking_comes_before_text_and_keeps_its_signature() {
    let mut driver = Driver::prompted(&[]);
    let signature = |part| StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(0).with_text(part);
    let end = |block| StreamEvent::new(EVENT_BLOCK_END).with_block(block);
    driver.reply(&[
        thinking(0, "h"),
        thinking(0, "m"),
        signature(b"si"),
        signature(b"g"),
        end(0),
        text(1, "Yes"),
        end(1),
        stop_end(),
        done(),
    ]);
    let expected = with_opening(&[
        "thinking_start(0)",
        "thinking_delta(0,h)",
        "thinking_delta(0,m)",
        "thinking_end(0,hm)",
        "text_start(1)",
        "text_delta(1,Yes)",
        "text_end(1,Yes)",
        "message_end(assistant)",
        "turn_end",
        "agent_end(complete)",
    ]);
    assert_eq!(driver.story(), expected);
    let thought = ContentBlock::Thinking { text: "hm".into(), signature: Some("sig".into()) };
    assert_eq!(reply(&driver).content[0], thought);
    check_laws(&driver);
}

#[test]
fn two_parallel_tools_end_as_they_end_and_results_stay_in_source_order() {
    let mut driver = Driver::prompted(&["slow", "fast"]);
    driver.reply(&[
        text(0, "Calling."),
        begin(1, "a", "slow"),
        arguments(1, "{\"x\":"),
        arguments(1, "1}"),
        begin(2, "b", "fast"),
        arguments(2, "{}"),
        stop_tools(),
        done(),
    ]);
    assert_eq!(driver.launched(), ["a", "b"]);
    assert!(driver.progress("a", "25%", Some(250)));
    assert!(driver.result("b", ToolOutput::text("B")));
    assert!(driver.machine.is_running());
    assert!(driver.result("a", ToolOutput::text("A")));
    driver.reply(&[text(0, "Done."), stop_end(), done()]);
    let expected = with_opening(&[
        "text_start(0)",
        "text_delta(0,Calling.)",
        "text_end(0,Calling.)",
        "tool_call_start(1)",
        "tool_call_delta(1,{\"x\":)",
        "tool_call_delta(1,1})",
        "tool_call_start(2)",
        "tool_call_delta(2,{})",
        "tool_call_end(1,{\"x\":1})",
        "tool_call_end(2,{})",
        "message_end(assistant)",
        "tool_execution_start(a)",
        "tool_execution_start(b)",
        "tool_execution_update(a)",
        "tool_execution_end(b,false)",
        "tool_execution_end(a,false)",
        "message_start(tool)",
        "message_end(tool)",
        "turn_end",
        "turn_start",
        "message_start(assistant)",
        "text_start(0)",
        "text_delta(0,Done.)",
        "text_end(0,Done.)",
        "message_end(assistant)",
        "turn_end",
        "agent_end(complete)",
    ]);
    assert_eq!(driver.story(), expected);
    let order: Vec<_> = results(&driver).iter().map(|r| (r.tool_call_id.clone(), r.text())).collect();
    assert_eq!(order, [("a".into(), "A".into()), ("b".into(), "B".into())]);
    let update = driver.events_of("tool_execution_update")[0];
    assert_eq!(update["args"], json!({"x":1}));
    assert_eq!(update["partial_result"], json!({"content":[{"type":"text","text":"25%"}],"progress_permille":250}));
    let end = driver.events_of("tool_execution_end")[0];
    assert_eq!(end["tool_name"], "fast");
    assert_eq!(end["result"], json!({"content":[{"type":"text","text":"B"}]}));
    assert_eq!(driver.events_of("turn_end")[0]["tool_results"].as_array().unwrap().len(), 2);
    check_laws(&driver);
}

#[test]
fn interleaved_arguments_reach_their_own_call() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[
        begin(0, "a", "t"),
        begin(1, "b", "t"),
        arguments(0, "{\"x\""),
        arguments(1, "{\"y\""),
        arguments(0, ":1}"),
        arguments(1, ":2}"),
        stop_tools(),
        done(),
    ]);
    let called: Vec<_> = driver.machine.run_messages().flat_map(crate::support::calls).collect();
    assert_eq!(called, [("a".into(), "{\"x\":1}".into()), ("b".into(), "{\"y\":2}".into())]);
    let ends: Vec<_> = driver.story().into_iter().filter(|word| word.starts_with("tool_call_end")).collect();
    assert_eq!(ends, ["tool_call_end(0,{\"x\":1})", "tool_call_end(1,{\"y\":2})"]);
}

#[test]
fn sequential_tools_start_one_after_the_other() {
    let mut driver = Driver::new(Config { tool_mode: ToolMode::Sequential, ..config(&["t"]) });
    driver.prompt("hi");
    driver.reply(&[begin(0, "a", "t"), begin(1, "b", "no"), begin(2, "c", "t"), stop_tools()]);
    assert_eq!(driver.launched(), ["a"]);
    assert!(!driver.result("c", ToolOutput::text("too early")));
    assert!(driver.result("a", ToolOutput::text("A")));
    assert_eq!(driver.launched(), ["a", "c"]);
    assert!(driver.result("c", ToolOutput::text("C")));
    let runs: Vec<_> = driver.story().into_iter().filter(|word| word.starts_with("tool_execution")).collect();
    assert_eq!(
        runs,
        [
            "tool_execution_start(a)",
            "tool_execution_end(a,false)",
            "tool_execution_start(b)",
            "tool_execution_end(b,true)",
            "tool_execution_start(c)",
            "tool_execution_end(c,false)",
        ]
    );
    check_laws(&driver);
}

#[test]
fn unknown_tool_is_answered_with_the_names_on_offer() {
    let mut driver = Driver::prompted(&["add", "weather"]);
    driver.reply(&[begin(0, "a", "sum"), arguments(0, "{}"), stop_tools()]);
    assert_eq!(driver.launched(), [""; 0]);
    let result = &results(&driver)[0];
    assert!(result.is_error);
    assert_eq!(result.text(), "not executed: there is no tool `sum`; available are: add, weather");
    assert!(matches!(driver.actions.last(), Some(Action::SendRequest { turn: 2 })));
    driver.reply(&[text(0, "sorry"), stop_end()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    check_laws(&driver);
}

#[test]
fn arguments_that_are_no_json_object_are_never_executed() {
    for wrong in ["{\"a\":1", "[1]", "\"x\"", "not json", "{}{}"] {
        let mut driver = Driver::prompted(&["add"]);
        driver.reply(&[begin(0, "a", "add"), arguments(0, wrong), stop_tools()]);
        assert_eq!(driver.launched(), [""; 0], "{wrong}");
        let result = &results(&driver)[0];
        assert!(result.is_error);
        assert!(result.text().contains("not a JSON object"), "{}", result.text());
        assert!(result.text().ends_with(wrong), "{}", result.text());
        let call = reply(&driver).tool_calls().next().unwrap();
        assert_eq!((call.arguments.as_str(), call.arguments_as_received()), ("{}", wrong));
        assert!(driver.machine.is_running(), "the model may try again");
        check_laws(&driver);
    }
}

#[test]
fn missing_arguments_are_an_empty_object() {
    for nothing in ["", "null", " "] {
        let mut driver = Driver::prompted(&["now"]);
        driver.reply(&[begin(0, "a", "now"), arguments(0, nothing), stop_tools()]);
        assert_eq!(driver.launched(), ["a"]);
        let call = reply(&driver).tool_calls().next().unwrap();
        assert_eq!((call.arguments.as_str(), call.arguments_as_received()), ("{}", nothing));
    }
}

#[test]
fn arguments_of_several_lines_make_an_event_of_one() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), arguments(0, "{\n  \"x\": \"a\\nb\"\r\n}"), stop_tools()]);
    assert_eq!(driver.events_of("tool_execution_start")[0]["args"], json!({"x":"a\nb"}));
    assert_eq!(driver.launched(), ["a"]);
}

#[test]
fn tools_run_whatever_word_the_provider_ends_with() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), arguments(0, "{}"), stop_end()]);
    assert_eq!(driver.launched(), ["a"]);
}

#[test]
fn calls_cut_by_the_token_limit_are_answered_but_never_executed() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[
        begin(0, "a", "t"),
        arguments(0, "{}"),
        begin(1, "b", "t"),
        arguments(1, "{\"x"),
        stop(STOP_LENGTH, "length"),
    ]);
    assert_eq!(driver.launched(), [""; 0]);
    assert_eq!(driver.reason(), Some(EndReason::Length));
    assert_eq!(driver.events_of("tool_execution_start").len(), 0);
    assert!(results(&driver).iter().all(|r| r.is_error && r.text().contains("limit on tokens")));
    check_laws(&driver);
}

#[test]
fn truncated_stream_is_an_error_that_keeps_what_came() {
    let ends = [
        (End::Eof, FailureKind::Truncated, "cut"),
        (End::Reset("reset by peer".into()), FailureKind::Connection, "reset by peer"),
        (End::Error(Failure::new(FailureKind::Timeout, "no byte for 60 s")), FailureKind::Timeout, "60 s"),
    ];
    for (end, kind, words) in ends {
        let mut driver = Driver::prompted(&["t"]);
        driver.feed(&[text(0, "par"), begin(1, "a", "t"), arguments(1, "{}")]).end(end);
        assert_eq!(driver.reason(), Some(EndReason::Error));
        assert_eq!(driver.launched(), [""; 0]);
        assert_eq!(reply(&driver).text(), "par");
        assert_eq!(reply(&driver).stop_kind(), Some(StopKind::Error));
        let failure = driver.machine.failure().unwrap();
        assert_eq!(failure.kind, kind);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(reply(&driver).error.as_ref(), Some(failure));
        assert_eq!(driver.events_of("agent_end")[0]["error"]["kind"], json!(kind));
        assert!(results(&driver)[0].text().starts_with("not executed"));
        check_laws(&driver);
    }
}

#[test]
fn a_connection_that_breaks_behind_the_stop_loses_nothing() {
    let mut driver = Driver::prompted(&[]);
    driver.feed(&[text(0, "all"), stop_end()]).end(End::Reset("reset by peer".into()));
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    assert_eq!(reply(&driver).error, None);
}

#[test]
fn an_end_mark_without_a_stop_is_complete() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), done()]);
    assert_eq!(reply(&driver).stop_kind(), Some(StopKind::ToolUse));
    assert_eq!(driver.launched(), ["a"]);
}

#[test]
fn error_inside_a_stream_fails_the_reply_and_keeps_the_text() {
    let mut driver = Driver::prompted(&["t"]);
    let event = error(FAILURE_OVERLOADED, "Overloaded").with_aux(br#"{"type":"overloaded_error"}"#);
    driver.reply(&[text(0, "par"), begin(1, "a", "t"), event, error(0, "second"), stop_tools(), done()]);
    assert_eq!(driver.reason(), Some(EndReason::Error));
    assert_eq!(driver.launched(), [""; 0]);
    let failure = reply(&driver).error.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Overloaded, "Overloaded"));
    assert_eq!(failure.details, Some(json!({"type":"overloaded_error"})));
    let stop = reply(&driver).stop_reason.clone().unwrap();
    assert_eq!((stop.mapped, stop.raw.as_deref()), (StopKind::Error, Some("tool_calls")));
    check_laws(&driver);
}

#[test]
fn http_error_gives_an_empty_reply_with_status_and_words() {
    let mut driver = Driver::prompted(&[]);
    let failure = Failure::new(FailureKind::Other, "HTTP 401 from api.test; check the key").with_http_status(401);
    driver.feed(&[error(FAILURE_AUTH, "wrong key")]).end(End::Error(failure));
    let expected = with_opening(&["message_end(assistant)", "turn_end", "agent_end(error)"]);
    assert_eq!(driver.story(), expected);
    let failure = driver.machine.failure().unwrap();
    assert_eq!((failure.kind, failure.http_status), (FailureKind::Auth, Some(401)));
    assert_eq!(failure.message, "HTTP 401 from api.test; check the key: wrong key");
    assert_eq!(driver.machine.history().sendable_from(0).count(), 1, "an empty reply is not sent back");
    check_laws(&driver);
}

#[test]
fn refused_connection_is_an_error_without_any_event() {
    let mut driver = Driver::prompted(&[]);
    driver.end(End::Error(Failure::new(FailureKind::Connection, "connection refused by 127.0.0.1:1")));
    let expected = with_opening(&["message_end(assistant)", "turn_end", "agent_end(error)"]);
    assert_eq!(driver.story(), expected);
    check_laws(&driver);
}

#[test]
fn abort_in_the_stream_keeps_the_partial_reply_and_leaves_no_orphan() {
    let mut driver = Driver::prompted(&["t"]);
    driver.feed(&[text(0, "par"), begin(1, "a", "t"), arguments(1, "{\"x")]);
    assert_eq!(driver.machine.partial_reply().unwrap().text(), "par");
    driver.abort().abort();
    driver.feed(&[text(0, "late")]).end(End::Eof).abort();
    assert_eq!(driver.reason(), Some(EndReason::Aborted));
    assert_eq!(reply(&driver).text(), "par");
    assert_eq!(reply(&driver).stop_kind(), Some(StopKind::Aborted));
    assert_eq!(results(&driver)[0].text(), "not executed: the run was stopped");
    assert_eq!(driver.events_of("agent_end").len(), 1);
    check_laws(&driver);
}

#[test]
fn abort_before_the_request_is_sent_takes_the_request_back() {
    let mut machine = Machine::new(Config::default(), Vec::new());
    machine.handle_prompt(vec![Message::user("hi")], 0).unwrap();
    machine.handle_abort(1);
    assert_eq!(machine.poll_action(), Some(Action::Finished { reason: EndReason::Aborted }));
    assert_eq!(machine.poll_action(), None);
}

#[test]
fn abort_in_tools_answers_every_call_and_cancels() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), begin(1, "b", "t"), begin(2, "c", "no"), stop_tools()]);
    driver.result("b", ToolOutput::text("B"));
    driver.abort().abort();
    assert!(!driver.result("a", ToolOutput::text("late")));
    assert!(!driver.progress("a", "late", None));
    assert_eq!(
        driver.actions[driver.actions.len() - 2..],
        [Action::CancelTools, Action::Finished { reason: EndReason::Aborted }]
    );
    let texts: Vec<_> = results(&driver).iter().map(|r| (r.is_error, r.text())).collect();
    assert_eq!(texts[0], (true, "cancelled: the run was stopped".into()));
    assert_eq!(texts[1], (false, "B".into()));
    assert!(texts[2].0);
    check_laws(&driver);
    driver.prompt("go on");
    driver.reply(&[text(0, "ok"), stop_end()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    check_laws(&driver);
}

#[test]
fn abort_of_sequential_tools_gives_no_end_to_what_never_began() {
    let mut driver = Driver::new(Config { tool_mode: ToolMode::Sequential, ..config(&["t"]) });
    driver.prompt("hi");
    driver.reply(&[begin(0, "a", "t"), begin(1, "b", "t"), stop_tools()]).abort();
    assert_eq!(driver.events_of("tool_execution_end").len(), 1);
    assert_eq!(results(&driver)[1].text(), "not executed: the run was stopped");
    check_laws(&driver);
}

#[test]
fn run_ends_with_a_clear_error_at_the_limit_of_turns() {
    let mut driver = Driver::new(Config { max_turns: 3, ..config(&["t"]) });
    driver.prompt("hi");
    while driver.reason().is_none() {
        driver.reply(&[begin(0, "a", "t"), stop_tools()]);
        driver.result("a", ToolOutput::text("again"));
    }
    assert_eq!(driver.reason(), Some(EndReason::MaxTurns));
    assert_eq!(driver.machine.turn(), 3);
    assert_eq!(driver.events_of("turn_start").len(), 3);
    let failure = driver.machine.failure().unwrap();
    assert!(failure.kind == FailureKind::MaxTurns && failure.message.contains("3 turns (max_turns)"), "{failure}");
    check_laws(&driver);
}

#[test]
fn failing_tool_is_told_to_the_model_and_the_run_goes_on() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), stop_tools()]);
    driver.result("a", Err("the tool panicked: index out of bounds".to_owned()).into());
    assert!(results(&driver)[0].is_error);
    driver.reply(&[text(0, "it failed"), stop_end()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    check_laws(&driver);
}

#[test]
fn filtered_reply_ends_the_run_without_tools() {
    let mut driver = Driver::prompted(&["t"]);
    driver.reply(&[begin(0, "a", "t"), stop(STOP_CONTENT_FILTER, "content_filter")]);
    assert_eq!(driver.reason(), Some(EndReason::ContentFilter));
    assert_eq!(driver.launched(), [""; 0]);
    check_laws(&driver);
}

#[test]
fn paused_turn_is_sent_back_to_go_on() {
    let mut driver = Driver::prompted(&[]);
    driver.reply(&[text(0, "searching"), stop(STOP_PAUSE, "pause_turn")]);
    assert!(matches!(driver.actions.last(), Some(Action::SendRequest { turn: 2 })));
    driver.reply(&[text(0, "found"), stop_end()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    check_laws(&driver);
}

#[test]
fn usage_is_summed_over_turns() {
    let mut driver = Driver::prompted(&["t"]);
    let usage = |counter, count| StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count);
    driver.reply(&[begin(0, "a", "t"), stop_tools(), usage(USAGE_INPUT, 10), usage(USAGE_OUTPUT, 2), done()]);
    driver.result("a", ToolOutput::text("x"));
    driver.reply(&[text(0, "y"), usage(USAGE_INPUT, 1), usage(USAGE_INPUT, 20), stop_end(), done()]);
    let usage = driver.machine.usage();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (Some(30), Some(2), None));
    assert_eq!(driver.events_of("agent_end")[0]["usage"], json!({"input_tokens":30,"output_tokens":2}));
}

#[test]
fn a_reply_can_be_asked_for_again_until_content_has_come() {
    let mut driver = Driver::prompted(&[]);
    driver.feed(&[error(FAILURE_OVERLOADED, "Overloaded")]);
    assert!(driver.machine.handle_stream_restart());
    driver.feed(&[text(0, "ok")]);
    assert!(!driver.machine.handle_stream_restart());
    driver.reply(&[stop_end()]);
    assert_eq!(driver.reason(), Some(EndReason::Complete));
    assert!(!driver.machine.handle_stream_restart());
    check_laws(&driver);
}

#[test]
fn a_reply_whose_thinking_has_begun_is_not_asked_for_again() {
    let mut driver = Driver::prompted(&[]);
    driver.feed(&[StreamEvent::new(EVENT_THINKING_SIGNATURE).with_text(b"sig")]);
    assert!(!driver.machine.handle_stream_restart());
}

#[test]
fn a_codec_cannot_feign_events_of_the_engine() {
    let mut driver = Driver::prompted(&[]);
    let feigned = StreamEvent::new(thalweg_agent::kind::AGENT_END).with_text(b"{\"messages\":[]}");
    driver.reply(&[feigned, text(0, "a"), stop_end()]);
    assert_eq!(driver.events_of("agent_end").len(), 1);
    check_laws(&driver);
}

#[test]
fn tools_of_members_go_on_to_readers_and_nothing_that_only_looks_like_one() {
    use thalweg_abi::types::FLAG_SPEAKER;
    use thalweg_agent::kind::{TOOL_EXECUTION_END, TOOL_EXECUTION_START};
    let mut driver = Driver::prompted(&[]);
    let of = |kind, text: &'static str| {
        StreamEvent::new(kind).with_flags(FLAG_SPEAKER).with_text(text.as_bytes()).with_aux(b"m/a")
    };
    let told = r#"{"tool_call_id":"m/a","tool_name":"t","args":{},"member":"m"}"#;
    let passed = driver.machine.handle_stream_event(&of(TOOL_EXECUTION_START, told), 0).expect("it goes on");
    assert_eq!((passed.text(), passed.aux(), passed.flags()), (told.as_bytes(), &b"m/a"[..], 0));
    driver.reply(&[
        of(TOOL_EXECUTION_START, told),
        // Without the flag, without a member, cut, on two lines.
        StreamEvent::new(TOOL_EXECUTION_END).with_text(told.as_bytes()),
        of(TOOL_EXECUTION_END, r#"{"tool_call_id":"m/a","member":""}"#),
        of(TOOL_EXECUTION_END, r#"{"member":"m","#),
        of(TOOL_EXECUTION_END, "{\"member\":\"m\"\n}"),
        text(0, "a"),
        stop_end(),
    ]);
    assert_eq!(driver.events_of("tool_execution_start").len(), 1);
    assert_eq!(driver.events_of("tool_execution_start")[0]["member"], "m");
    assert!(driver.events_of("tool_execution_end").is_empty());
    assert_eq!(driver.machine.history().len(), 2);
}

#[test]
fn wrong_prompts_are_refused_and_change_nothing() {
    let mut machine = Machine::new(Config::default(), Vec::new());
    assert_eq!(machine.handle_prompt(Vec::new(), 0), Err(Error::NothingToAnswer));
    let reply = Message::Assistant(AssistantMessage::default());
    assert_eq!(machine.handle_prompt(vec![Message::user("a"), reply], 0), Err(Error::NotAPrompt(1)));
    assert_eq!(machine.poll_event(), None);
    machine.handle_prompt(vec![Message::user("a")], 0).unwrap();
    assert_eq!(machine.handle_prompt(vec![Message::user("b")], 0), Err(Error::Busy));
    assert_eq!(machine.history().len(), 1);
}

#[test]
fn an_interrupted_history_is_answered_without_a_prompt() {
    let call = ContentBlock::ToolCall(thalweg_agent::message::ToolCall {
        id: "a".into(),
        name: "t".into(),
        arguments: "{}".into(),
        ..Default::default()
    });
    let reply = AssistantMessage { content: vec![call], ..AssistantMessage::default() };
    let mut machine = Machine::new(Config::default(), vec![Message::user("a"), Message::Assistant(reply)]);
    machine.handle_prompt(Vec::new(), 0).unwrap();
    assert_eq!(machine.history().len(), 3);
    assert_eq!(machine.poll_action(), Some(Action::SendRequest { turn: 1 }));
}
