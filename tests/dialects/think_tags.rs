//! Thinking that stands in the text between tags: wherever a text is cut into deltas, the same comes out.

use serde_json::json;
use thalweg_abi::guest::{Codec, Direct};
use thalweg_abi::types::{EVENT_TEXT, EVENT_THINKING, FRAME_WHOLE_BODY, StreamEvent};
use thalweg_openai::OpenAiChat;
use thalweg_tests::show::show;
use thalweg_tests::step::Step;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

use crate::support::merged;

const OPTIONS: &str = r#"{"provider":"minimax"}"#;

/// What deltas with these contents, as they stand between quotes, are read as.
fn read(contents: &[&str]) -> Vec<Step> {
    let mut pipeline = Pipeline::new(Direct::new(OpenAiChat.open(OPTIONS).unwrap()), Framing::Sse, Limits::default());
    let mut events = Vec::new();
    let mut sink = |batch: &[StreamEvent<'_>]| events.extend(batch.iter().map(Step::of));
    for content in contents {
        let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n");
        pipeline.feed(event.as_bytes(), &mut sink).unwrap();
    }
    pipeline.finish(&mut sink).unwrap();
    merged(events).into_iter().filter(|step| matches!(step.kind, EVENT_TEXT | EVENT_THINKING)).collect()
}

/// The same, read off the whole text.
fn obvious(text: &str) -> Vec<(u32, String)> {
    let body = text.trim_start_matches([' ', '\n', '\r', '\t']);
    let blanks = &text[..text.len() - body.len()];
    let parts = match body.strip_prefix("<think>") {
        None => vec![(EVENT_TEXT, text)],
        Some(rest) => match rest.split_once("</think>") {
            None => vec![(EVENT_TEXT, blanks), (EVENT_THINKING, rest)],
            Some((thinking, rest)) => vec![(EVENT_TEXT, blanks), (EVENT_THINKING, thinking), (EVENT_TEXT, rest)],
        },
    };
    parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(kind, text)| (kind, text.to_owned())).collect()
}

/// Each character as it may stand between quotes; brackets also as escapes.
fn characters(text: &str, with_escapes: bool) -> Vec<String> {
    let written = |c: char| match c {
        '<' | '>' | '/' if with_escapes => format!("\\u{:04X}", c as u32),
        c => serde_json::to_string(&c).unwrap().trim_matches('"').replace("\\\\\"", "\\\""),
    };
    text.chars().map(written).collect()
}

const TEXTS: &[&str] = &[
    "<think>\nhm, a < b\n</think>\n\nThe answer <think>is</think> 1.",
    "\n <think>a</think>b",
    "plain text",
    "a<think>b</think>",
    "<think>never closed",
    "<think>cut </thi",
    "<thi",
    "<thinking>no tag</thinking>",
    "<<think>a</think>",
    "<think><</<</think></think>",
    "<think></think>x",
    "<think>ä\u{20ac}\t\\n</think>ö",
    "",
    " ",
];

#[test]
fn tags_are_found_wherever_the_text_is_cut() {
    for text in TEXTS {
        let expected = obvious(text);
        for with_escapes in [false, true] {
            let characters = characters(text, with_escapes);
            let mut cuts: Vec<Vec<String>> = vec![characters.clone(), vec![characters.concat()]];
            for cut in 1..characters.len().max(1) {
                cuts.push(vec![characters[..cut].concat(), characters[cut..].concat()]);
                cuts.push(characters.chunks(cut).map(<[String]>::concat).collect());
            }
            for contents in cuts {
                let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
                let got: Vec<_> = read(&contents).into_iter().map(|step| (step.kind, step.text)).collect();
                assert_eq!(got, expected, "{contents:?}");
            }
        }
    }
}

#[test]
fn blocks_calls_and_ends_stand_where_the_tags_are() {
    let reply = |payloads: &[&str]| {
        let stream = Direct::new(OpenAiChat.open(OPTIONS).unwrap());
        let mut pipeline = Pipeline::new(stream, Framing::Sse, Limits::default());
        let mut events = Vec::new();
        let mut sink = |batch: &[StreamEvent<'_>]| events.extend(batch.iter().map(Step::of));
        for payload in payloads {
            pipeline.feed(format!("data: {payload}\n\n").as_bytes(), &mut sink).unwrap();
        }
        pipeline.finish(&mut sink).unwrap();
        merged(events).iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(
        reply(&[
            r#"{"choices":[{"delta":{"content":"<think>a</th"}}]}"#,
            r#"{"choices":[{"delta":{"content":"ink>b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"c"},"finish_reason":"stop"}]}"#,
        ]),
        [r#"start """#, r#"thinking 0.0 "a""#, r#"text 0.1 "bc""#, r#"stop 0 end "stop""#]
    );
    assert_eq!(
        reply(&[
            r#"{"choices":[{"delta":{"content":"<think>a</th"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        ]),
        [
            r#"start """#,
            r#"thinking 0.0 "a</th""#,
            r#"call 0.1 "f" (i)"#,
            r#"arguments 0.1 "{}""#,
            r#"stop 0 tools "tool_calls""#,
        ]
    );
    assert_eq!(
        reply(&[r#"{"choices":[{"delta":{"content":"<th"},"finish_reason":"length"}]}"#]),
        [r#"start """#, r#"text 0.0 "<th""#, r#"stop 0 length "length""#]
    );
}

#[test]
fn a_whole_reply_has_tags_too() {
    let body = json!({"choices":[{"message":{"content":"<think>a</think>b"},"finish_reason":"stop"}]}).to_string();
    let mut pipeline = Pipeline::new(Direct::new(OpenAiChat.open(OPTIONS).unwrap()), Framing::Sse, Limits::default());
    let mut events = Vec::new();
    let mut sink = |batch: &[StreamEvent<'_>]| events.extend(batch.iter().map(Step::of));
    pipeline.whole_body(body.as_bytes(), FRAME_WHOLE_BODY, 0, &mut sink).unwrap();
    let lines: Vec<String> = merged(events).iter().map(show).collect();
    assert_eq!(lines, [r#"start """#, r#"thinking 0.0 "a""#, r#"text 0.1 "b""#, r#"stop 0 end "stop""#, "done"]);
}
