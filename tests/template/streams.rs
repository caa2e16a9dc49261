//! Replies as providers send them, written here: what makes their frames different from each other, a kind at a time.

use super::*;
use crate::hits::assert_nearly_all;

/// Frames of as many deltas of one block as make a reply of some length.
const COUNT: usize = 100;

/// Texts of deltas: plain, escaped, outside of ASCII, a character cut in two, long.
const TEXTS: [&str; 8] = [
    "Hello",
    " wor",
    "ld\\n",
    "\u{e4}\u{20ac}",
    "\\\"",
    "\\ud83d",
    "\\ude00",
    " and so on, and so on, and so on, and on",
];

/// A stream of `data` lines, with `before` and `behind` around the deltas.
fn sse(before: &[&str], delta: impl Fn(usize, &str) -> String, behind: &[&str]) -> Vec<u8> {
    frames("data: ", "\n\n", before, delta, behind)
}

fn lines(before: &[&str], delta: impl Fn(usize, &str) -> String, behind: &[&str]) -> Vec<u8> {
    frames("", "\n", before, delta, behind)
}

fn frames(start: &str, end: &str, before: &[&str], delta: impl Fn(usize, &str) -> String, behind: &[&str]) -> Vec<u8> {
    let deltas = (0..COUNT).map(|number| delta(number, TEXTS[number % TEXTS.len()]));
    let whole = before.iter().map(ToString::to_string).chain(deltas);
    let whole = whole.chain(behind.iter().map(ToString::to_string));
    whole.flat_map(|frame| [start, &frame, end].concat().into_bytes()).collect()
}

/// Checks that templates take nearly all deltas, and that they change nothing, at a few cuts.
fn check<C: Codec>(codec: &C, name: &str, body: &[u8]) {
    assert_nearly_all(codec, name, body);
    let expected = read(&mut reader(codec).without_template(), [body]);
    let mut fast = reader(codec);
    for len in [body.len(), 1, 7, 97, 1024] {
        let got = read(&mut fast, body.chunks(len));
        assert_same(&got.0, &expected.0, || format!("{name} in chunks of {len} bytes"));
        assert_eq!(plain(got.1), plain(expected.1), "{name} in chunks of {len} bytes");
    }
    let checked = read(&mut reader(codec).with_template_check(NonZeroU32::MIN), [body]).1;
    assert_eq!((checked.template_lies, checked.template_hits), (0, 0), "{name}: each hit is read by the codec too");
}

#[test]
fn chat_that_says_each_text_twice() {
    let thinking = |_, text: &str| {
        format!(
            r#"{{"id":"g","model":"m","provider":"P","choices":[{{"index":0,"delta":{{"content":"","role":"assistant","reasoning":"{text}","reasoning_details":[{{"type":"reasoning.text","text":"{text}","format":"unknown","index":0}}]}},"finish_reason":null}}]}}"#
        )
    };
    check(&OpenAiChat, "reasoning_details", &sse(&[], thinking, &["[DONE]"]));
    let text = |number: usize, text: &str| {
        format!(
            r#"{{"id":"t","created":{number},"choices":[{{"index":0,"text":"{text}","delta":{{"token_id":{number},"role":"assistant","content":"{text}"}}}}],"model":"m","usage":null}}"#
        )
    };
    check(&OpenAiChat, "token_id", &sse(&[], text, &["[DONE]"]));
    let message = |number: usize, text: &str| {
        let said = format!(r#"{{"content":"{text}","role":"assistant","tool_calls":null}}"#);
        let index = number % 2;
        format!(r#"{{"id":"w","choices":[{{"index":{index},"message":{said},"delta":{said},"logprobs":null}}]}}"#)
    };
    check(&OpenAiChat, "message", &sse(&[], message, &["[DONE]"]));
}

#[test]
fn chat_of_several_streams_one_behind_the_other() {
    let text = |number: usize, text: &str| {
        let stream = number / 30;
        format!(
            r#"{{"id":"chatcmpl-{stream}","created":{stream},"model":"m{stream}","system_fingerprint":"fp{stream}","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}],"obfuscation":"{}"}}"#,
            "x".repeat(number % 5)
        )
    };
    check(&OpenAiChat, "streams", &sse(&[], text, &["[DONE]"]));
}

#[test]
fn completions() {
    let text = |number: usize, text: &str| {
        format!(
            r#"{{"id":"c","object":"text_completion","created":{number},"choices":[{{"text":"{text}","index":0}}]}}"#
        )
    };
    check(&OpenAiCompletions, "completions", &sse(&[], text, &["[DONE]"]));
}

#[test]
fn responses_with_annotations_in_between() {
    let text = |number: usize, text: &str| {
        let delta = format!(
            r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"i{number}","output_index":0,"content_index":0,"delta":"{text}","logprobs":[],"obfuscation":"o{number}"}}"#
        );
        let annotation = r#"{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"url_citation","url":"u"}}"#;
        if number % 5 == 4 { format!("{delta}\n\ndata: {annotation}") } else { delta }
    };
    check(&OpenAiResponses, "responses", &sse(&[], text, &[]));
}

#[test]
fn anthropic_with_many_blocks_pings_citations_and_blanks() {
    let start = |index: usize| {
        format!(r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#)
    };
    let citation = |index: usize| {
        format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"citations_delta","citation":{{"type":"char_location","cited_text":"t"}}}}}}"#
        )
    };
    let text = |number: usize, text: &str| {
        let (index, blanks) = (number / 4, " ".repeat(number % 7));
        let delta = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":"{text}"}}{blanks}}}"#
        );
        match number % 4 {
            0 => [start(index), citation(index), delta].join("\n\ndata: "),
            2 => [r#"{"type": "ping"}"#.to_owned(), delta].join("\n\ndata: "),
            3 => [delta, format!(r#"{{"type":"content_block_stop","index":{index}}}"#)].join("\n\ndata: "),
            _ => delta,
        }
    };
    check(&AnthropicMessages, "many blocks", &sse(&[], text, &[r#"{"type":"message_stop"}"#]));
    let mut thinking = String::new();
    for number in 0..COUNT {
        let text = TEXTS[number % TEXTS.len()];
        if number % 50 == 0 {
            let index = number / 50;
            thinking += &format!(
                r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"thinking","thinking":""}}}}"#
            );
            thinking += "\n\ndata: ";
        }
        thinking += &format!(
            r#"{{"type":"content_block_delta","index":{},"delta":{{"type":"thinking_delta","thinking":"{text}"}}}}"#,
            number / 50
        );
        thinking += "\n\ndata: ";
    }
    let body = format!("data: {thinking}{{\"type\":\"message_stop\"}}\n\n");
    check(&AnthropicMessages, "thinking", body.as_bytes());
}

#[test]
fn ollama_with_times_of_any_length() {
    let text = |number: usize, text: &str| {
        let time = "123456789".get(..1 + number % 9).unwrap_or_default();
        format!(
            r#"{{"model":"m","created_at":"2026-08-06T06:29:40.{time}Z","message":{{"role":"assistant","content":"{text}"}},"done":false}}"#
        )
    };
    check(&Ollama, "ollama", &lines(&[], text, &[r#"{"model":"m","done":true,"done_reason":"stop"}"#]));
}

#[test]
fn gemini_with_counters_that_go_up() {
    let text = |number: usize, text: &str| {
        let thought = if number < 50 { r#","thought":true"# } else { "" };
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"{thought}}}],"role":"model"}},"index":0}}],"usageMetadata":{{"promptTokenCount":4,"candidatesTokenCount":{number},"totalTokenCount":{},"promptTokensDetails":[{{"modality":"TEXT","tokenCount":4}}]}},"modelVersion":"g","responseId":"r"}}"#,
            number + 4
        )
    };
    check(&Gemini, "gemini", &sse(&[], text, &[]));
}

#[test]
fn cohere_old_and_new() {
    let start = r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#;
    let text = |_, text: &str| {
        format!(r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":"{text}"}}}}}}}}"#)
    };
    check(&Cohere, "cohere", &sse(&[start], text, &[]));
    let text = |_, text: &str| format!(r#"{{"is_finished":false,"event_type":"text-generation","text":"{text}"}}"#);
    check(&CohereV1, "cohere v1", &lines(&[], text, &[]));
}

#[test]
fn bedrock_with_padding_of_any_length() {
    let body: Vec<u8> = (0..COUNT)
        .flat_map(|number| {
            let (text, padding) = (TEXTS[number % TEXTS.len()], "abcdefghijklm".get(..number % 13).unwrap_or_default());
            let data = format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}},"p":"{padding}"}}"#);
            naive_event_stream::event("contentBlockDelta", &data)
        })
        .collect();
    check(&Bedrock, "converse", &body);
    let body: Vec<u8> = (0..COUNT)
        .flat_map(|number| {
            let text = TEXTS[number % TEXTS.len()];
            let data = format!(r#"{{"generation":"{text}","generation_token_count":{number},"stop_reason":null}}"#);
            let wrapped = format!(r#"{{"bytes":"{}"}}"#, naive_event_stream::to_base64(data.as_bytes()));
            naive_event_stream::event("chunk", &wrapped)
        })
        .collect();
    check(&Bedrock, "generation", &body);
}

#[test]
fn frames_whose_shape_never_repeats_cost_no_more_than_a_few_tries() {
    let text = |number: usize, text: &str| {
        format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{{"content":"{text}","k{number}":0}}}}]}}"#)
    };
    let body = sse(&[], text, &["[DONE]"]);
    let expected = read(&mut reader(&OpenAiChat).without_template(), [body.as_slice()]);
    let got = read(&mut reader(&OpenAiChat), [body.as_slice()]);
    assert_same(&got.0, &expected.0, || "other shapes".into());
    assert_eq!(got.1.template_hits, 0);
}

/// Frames whose block has its number in an odd place or an odd form, each between frames of other blocks.
fn check_numbers<C: Codec>(codec: &C, framed: impl Fn(&str) -> Vec<u8>, usual: fn(usize) -> String, odd: &[&str]) {
    for odd in odd {
        let mut body = Vec::new();
        for number in 0..40 {
            body.extend(framed(&usual(number / 3 * 7)));
            if number % 4 > 1 {
                for block in ["0", "1", "14", "-1", "1e0", "1.0", "4294967296", "\"2\"", "null"] {
                    body.extend(framed(&odd.replace('#', block)));
                }
            }
        }
        let expected = read(&mut reader(codec).without_template(), [body.as_slice()]);
        for len in [body.len(), 1, 97] {
            let got = read(&mut reader(codec), body.chunks(len));
            assert_same(&got.0, &expected.0, || format!("{odd} in chunks of {len} bytes"));
            assert!(got.1.template_hits >= 5, "{odd}: {} hits", got.1.template_hits);
        }
        let checked = read(&mut reader(codec).with_template_check(NonZeroU32::MIN), [body.as_slice()]).1;
        assert_eq!(checked.template_lies, 0, "{odd}");
    }
}

#[test]
fn number_of_a_block_is_taken_only_where_no_other_can_be_meant() {
    check_numbers(
        &AnthropicMessages,
        |data| format!("data: {data}\n\n").into_bytes(),
        |block| {
            format!(r#"{{"type":"content_block_delta","index":{block},"delta":{{"type":"text_delta","text":"a"}}}}"#)
        },
        &[
            r#"{"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"b"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"},"index":#}"#,
            r#"{"type":"content_block_delta","index":#,"ind\u0065x":3,"delta":{"type":"text_delta","text":"b"}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"b","index":#}}"#,
            r#"{"type":"content_block_delta","index":[#],"delta":{"type":"text_delta","text":"b"}}"#,
            r#"{"type":"content_block_start","index":#,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#,
            r#"{"type":"content_block_stop","index":#}"#,
        ],
    );
    check_numbers(
        &Bedrock,
        |data| naive_event_stream::event("contentBlockDelta", data),
        |block| format!(r#"{{"contentBlockIndex":{block},"delta":{{"text":"a"}},"p":"ab"}}"#),
        &[
            r#"{"contentBlockIndex":#,"delta":{"text":"b"},"p":"abc"}"#,
            r#"{"contentBlockIndex":#,"delta":{"text":"b","toolUse":{"input":"c"}},"p":"abc"}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"b"},"contentBlockDelta":{"contentBlockIndex":#}}"#,
            r#"{"delta":{"text":"b"},"index":#}"#,
        ],
    );
    check_numbers(
        &Bedrock,
        |data| {
            let wrapped = format!(r#"{{"bytes":"{}"}}"#, naive_event_stream::to_base64(data.as_bytes()));
            naive_event_stream::event("chunk", &wrapped)
        },
        |block| format!(r#"{{"contentBlockDelta":{{"delta":{{"text":"a"}},"contentBlockIndex":{block}}}}}"#),
        &[
            r#"{"contentBlockDelta":{"delta":{"text":"b"},"contentBlockIndex":#}}"#,
            r#"{"contentBlockIndex":#,"contentBlockDelta":{"delta":{"text":"b"}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":#},"contentBlockDelta":{"delta":{"text":"b"}}}"#,
            r#"{"contentBlockDelta":{"contentBlockIndex":#},"contentBlockDelta":{"delta":{"text":"b"},"contentBlockIndex":1}}"#,
            r#"{"contentBlockStop":{"contentBlockIndex":#}}"#,
        ],
    );
}
