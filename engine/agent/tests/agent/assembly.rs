//! How events of a reply become its message, one rule a test.

use serde_json::json;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_SKIPPED,
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_USAGE_RAW, FAILURE_RATE_LIMIT, FLAG_MERGE, FLAG_SPEAKER,
    STOP_ERROR, STOP_SEQUENCE, StreamEvent,
};
use thalweg_agent::assembly::{Assembly, Change, End, Outcome};
use thalweg_agent::limits::{BLOCKS_MAX, CHOICES_MAX};
use thalweg_agent::message::{AssistantMessage, ContentBlock, FailureKind, StopKind};

use crate::support::{arguments, begin, done, error, stop, stop_end, stop_tools, text, thinking};

fn assemble(events: &[StreamEvent<'_>]) -> (AssistantMessage, Assembly) {
    let mut assembly = Assembly::new();
    for event in events {
        assembly.handle_event(event);
    }
    assembly.finish(End::Eof);
    (assembly.message(), assembly)
}

fn changes(assembly: &mut Assembly) -> Vec<Change> {
    std::iter::from_fn(|| assembly.poll_change()).collect()
}

#[test]
fn partial_message_is_there_at_any_time() {
    let mut assembly = Assembly::new();
    assert_eq!(assembly.message(), AssistantMessage::default());
    assembly.handle_event(&text(0, "a"));
    assert_eq!(assembly.message().text(), "a");
    assert_eq!(assembly.message().stop_reason, None);
    assembly.handle_event(&begin(1, "x", "t"));
    assembly.handle_event(&arguments(1, "{\"k\":"));
    let call = assembly.message().tool_calls().next().cloned().unwrap();
    assert_eq!(call.arguments_as_received(), "{\"k\":");
    assert_eq!(assembly.block(1).unwrap().text, "{\"k\":");
    assert_eq!(assembly.partial_arguments(1), Some(json!({})));
    assembly.handle_event(&arguments(1, "[1, \"tw"));
    assert_eq!(assembly.partial_arguments(1), Some(json!({"k":[1,"tw"]})));
    assert_eq!(assembly.partial_arguments(0), None);
    assert!(assembly.block(2).is_none());
}

#[test]
fn empty_deltas_open_no_block() {
    let (message, mut assembly) = assemble(&[text(0, ""), thinking(0, ""), arguments(0, ""), stop_end()]);
    assert_eq!(message.content, []);
    assert_eq!(changes(&mut assembly), []);
}

#[test]
fn blocks_stand_in_order_of_appearance_whatever_their_numbers() {
    let mut assembly = Assembly::new();
    assert_eq!(assembly.handle_event(&text(7, "a")), Some(0));
    assert_eq!(assembly.handle_event(&text(3, "b")), Some(1));
    assert_eq!(assembly.handle_event(&begin(3, "x", "t")), Some(2));
    assert_eq!(assembly.handle_event(&arguments(3, "{}")), Some(2));
    let expected = [
        Change::BlockStart { position: 0 },
        Change::BlockEnd { position: 0 },
        Change::BlockStart { position: 1 },
        Change::BlockEnd { position: 1 },
        Change::BlockStart { position: 2 },
    ];
    assert_eq!(changes(&mut assembly), expected);
    assert_eq!(assembly.finish(End::Eof), Outcome::Truncated);
    assert_eq!(changes(&mut assembly), [Change::BlockEnd { position: 2 }]);
}

#[test]
fn calls_that_share_a_number_are_told_apart_by_id() {
    let (message, _) = assemble(&[
        begin(0, "a", "t"),
        arguments(0, "{\"n\":1}"),
        begin(0, "b", "t"),
        arguments(0, "{\"n\":2}"),
        begin(0, "b", ""),
        begin(0, "", "t"),
        stop_tools(),
    ]);
    let calls: Vec<_> = message.tool_calls().map(|call| (call.id.as_str(), call.arguments.as_str())).collect();
    assert_eq!(calls, [("a", "{\"n\":1}"), ("b", "{\"n\":2}")]);
}

#[test]
fn a_late_name_and_id_complete_their_call() {
    let (message, _) = assemble(&[arguments(4, "{"), begin(4, "a", "t"), arguments(4, "}"), stop_tools()]);
    let call = message.tool_calls().next().unwrap();
    assert_eq!((call.id.as_str(), call.name.as_str(), call.arguments.as_str()), ("a", "t", "{}"));
}

#[test]
fn missing_and_double_ids_become_distinct() {
    let (message, _) =
        assemble(&[begin(0, "", "t"), begin(1, "a", "t"), begin(2, "a", ""), begin(3, "call_0", "t"), done()]);
    let ids: Vec<_> = message.tool_calls().map(|call| call.id.as_str()).collect();
    assert_eq!(ids[..2], ["call_0", "a"]);
    assert!(ids[2] != "a" && ids[3] != "call_0", "{ids:?}");
    assert_eq!(message.tool_calls().nth(2).unwrap().name, "unnamed");
}

#[test]
fn arguments_behind_the_end_of_their_call_are_an_error() {
    let end = StreamEvent::new(EVENT_BLOCK_END).with_block(0);
    let (message, _) = assemble(&[begin(0, "a", "t"), end, arguments(0, "{}"), stop_tools()]);
    assert_eq!(message.error.unwrap().kind, FailureKind::Malformed);
    assert_eq!(message.stop_reason.unwrap().mapped, StopKind::Error);
}

#[test]
fn text_behind_its_end_opens_a_new_block() {
    let (message, _) = assemble(&[text(0, "a"), stop_end(), text(0, "b"), done()]);
    assert_eq!(message.content.len(), 2);
    assert_eq!(message.text(), "ab");
}

#[test]
fn signature_redacted_thinking_and_refusal_are_kept() {
    let signature = StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(1).with_text(b"sig");
    let redacted = StreamEvent::new(EVENT_REDACTED_THINKING).with_block(0).with_text(b"opaque");
    let refusal = StreamEvent::new(EVENT_REFUSAL).with_block(2).with_text(b"no");
    let (message, _) = assemble(&[redacted, signature, refusal, stop_end()]);
    let expected = [
        ContentBlock::RedactedThinking { data: "opaque".into() },
        ContentBlock::Thinking { text: String::new(), signature: Some("sig".into()) },
        ContentBlock::Refusal { text: "no".into() },
    ];
    assert_eq!(message.content, expected);
    assert_eq!(message.refusal(), "no");
}

#[test]
fn blocks_of_speakers_are_open_side_by_side_and_the_name_of_a_wire_field_is_no_speaker() {
    let begins = |position| Change::BlockStart { position };
    let thinking = StreamEvent::new(EVENT_THINKING).with_text(b"hm").with_aux(b"reasoning_content");
    for (flags, expected) in
        [(0, vec![begins(0), Change::BlockEnd { position: 0 }, begins(1)]), (FLAG_SPEAKER, vec![begins(0), begins(1)])]
    {
        let mut assembly = Assembly::new();
        assembly.handle_event(&thinking.with_flags(flags));
        assembly.handle_event(&text(1, "so"));
        assert_eq!(changes(&mut assembly), expected, "{flags}");
    }
}

#[test]
fn usage_stop_sequence_and_other_content_reach_the_message() {
    let raw = |json: &'static [u8]| StreamEvent::new(EVENT_USAGE_RAW).with_text(json);
    let (message, assembly) = assemble(&[
        StreamEvent::new(EVENT_MESSAGE_START).with_text(b"m").with_aux(b"r"),
        raw(br#"{"a":1,"b":1}"#),
        raw(br#"{"b":2}"#).with_flags(FLAG_MERGE),
        StreamEvent::new(EVENT_OTHER_CONTENT).with_aux(b"search").with_text(b"{\"q\":1}"),
        StreamEvent::new(EVENT_OTHER_CONTENT).with_aux(b"odd").with_text(b"not json"),
        StreamEvent::new(EVENT_SKIPPED).with_aux(b"ping2"),
        StreamEvent::new(9999),
        stop(STOP_SEQUENCE, "stop_sequence").with_aux(b"END"),
    ]);
    assert_eq!(message.usage.raw, Some(json!({"a":1,"b":2})));
    assert_eq!((message.model.as_deref(), message.response_id.as_deref()), (Some("m"), Some("r")));
    let stop = message.stop_reason.unwrap();
    assert_eq!((stop.mapped, stop.sequence.as_deref()), (StopKind::StopSequence, Some("END")));
    let other: Vec<_> = message.other_content.iter().map(|o| (o.content_type.as_str(), o.json.clone())).collect();
    assert_eq!(other, [("search", json!({"q":1})), ("odd", json!("not json"))]);
    assert_eq!(assembly.skipped(), 2);
}

#[test]
fn further_choices_are_kept_apart() {
    let (first, mut assembly) = assemble(&[
        text(0, "a"),
        text(0, "b").with_sub(1),
        text(0, "c").with_sub(1),
        stop_end(),
        stop_end().with_sub(1),
    ]);
    assert_eq!(first.text(), "a");
    assert_eq!(assembly.message_of(1).text(), "bc");
    assert_eq!(assembly.message_of(9).content, []);
    assert_eq!(changes(&mut assembly).len(), 2, "changes tell of the first choice only");
}

#[test]
fn a_wait_that_the_error_asks_for_is_kept() {
    let (message, _) = assemble(&[error(FAILURE_RATE_LIMIT, "Too many tokens. Please try again in 1.5s.")]);
    let failure = message.error.expect("an error was told");
    assert_eq!((failure.kind, failure.retry_after_ms), (FailureKind::RateLimit, Some(1500)));
}

#[test]
fn a_stop_with_an_error_is_a_failure() {
    let (message, _) = assemble(&[text(0, "a"), stop(STOP_ERROR, "engine_crash"), done()]);
    assert!(message.error.unwrap().message.contains("engine_crash"));
    assert_eq!(message.stop_reason.unwrap().mapped, StopKind::Error);
}

#[test]
fn limits_hold_and_are_told() {
    let mut assembly = Assembly::new();
    for number in 0..BLOCKS_MAX as u32 + 5 {
        assembly.handle_event(&text(number, "x"));
    }
    assert_eq!(assembly.handle_event(&text(0, "x").with_sub(CHOICES_MAX as u32)), None);
    assembly.handle_event(&stop_end());
    assert_eq!(assembly.finish(End::Eof), Outcome::Failed);
    assert_eq!(assembly.message().content.len(), BLOCKS_MAX);
    assert!(assembly.failure().unwrap().message.contains("1024"));
    assert_eq!(assembly.skipped(), 1);
}

#[test]
fn text_that_is_no_utf8_is_replaced_not_refused() {
    let (message, _) =
        assemble(&[StreamEvent::new(2).with_text(b"a\xff"), StreamEvent::new(2).with_text(b"b"), done()]);
    assert_eq!(message.text(), "a\u{fffd}b");
}

#[test]
fn finish_answers_the_same_when_repeated() {
    let mut assembly = Assembly::new();
    assembly.handle_event(&text(0, "a"));
    assert_eq!(assembly.finish(End::Aborted), Outcome::Aborted);
    assert_eq!(assembly.finish(End::Eof), Outcome::Aborted);
    assert_eq!(assembly.message().error.unwrap().kind, FailureKind::Aborted);
}
