//! Frames to try a codec with: short replies in the forms that dialects have, and recorded ones of its own.

use std::fs;
use std::path::Path;

use thalweg_abi::decode::{Decode, Events, Progress};
use thalweg_abi::failure::Failure;
use thalweg_abi::host::Codec;
use thalweg_abi::types::FrameRef;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::Pipeline;

use crate::command::decode::framing;
use crate::failure::Failure as Ended;

/// A reply: the name and the payload of each of its frames.
pub(crate) type Reply = Vec<(String, String)>;

/// Replies in the forms of many dialects. A codec gets all of them, since a server may send anything.
const FORMS: &[&[(&str, &str)]] = &[
    &[
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":2,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":2,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":" so"},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":2,"model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":2,"model":"m","choices":[{"index":0,"delta":{"content":" world"},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":2,"model":"m","choices":[{"index":0,"delta":{"content":" again"},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":3,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":3,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":3,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]},"finish_reason":null}]}"#,
        ),
        (
            "",
            r#"{"id":"c","object":"chat.completion.chunk","created":4,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
        ),
        ("", "[DONE]"),
    ],
    &[
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"m","model":"m","role":"assistant","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        ),
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" world"}}"#,
        ),
        ("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        ),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        ),
        ("content_block_stop", r#"{"type":"content_block_stop","index":2}"#),
        (
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}"#,
        ),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ],
    &[
        (
            "response.created",
            r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","model":"m","output":[]}}"#,
        ),
        (
            "response.output_item.added",
            r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i","type":"message","role":"assistant","content":[]}}"#,
        ),
        (
            "response.content_part.added",
            r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"i","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
        ),
        (
            "response.output_text.delta",
            r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"i","output_index":0,"content_index":0,"delta":"Hello"}"#,
        ),
        (
            "response.output_text.delta",
            r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"i","output_index":0,"content_index":0,"delta":" world"}"#,
        ),
        (
            "response.output_text.done",
            r#"{"type":"response.output_text.done","sequence_number":5,"item_id":"i","output_index":0,"content_index":0,"text":"Hello world"}"#,
        ),
        (
            "response.completed",
            r#"{"type":"response.completed","sequence_number":6,"response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}"#,
        ),
    ],
    &[
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}"#,
        ),
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}"#,
        ),
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"text":" world"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}"#,
        ),
        (
            "",
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"},"index":0,"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#,
        ),
    ],
    &[
        ("", r#"{"model":"m","created_at":"t","message":{"role":"assistant","content":"Hello"},"done":false}"#),
        ("", r#"{"model":"m","created_at":"u","message":{"role":"assistant","content":" world"},"done":false}"#),
        (
            "",
            r#"{"model":"m","created_at":"v","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":2}"#,
        ),
    ],
    &[
        ("", r#"{"type":"message-start","id":"m","delta":{"message":{"role":"assistant"}}}"#),
        ("", r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#),
        ("", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}"#),
        ("", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" world"}}}}"#),
        ("", r#"{"type":"content-end","index":0}"#),
        (
            "",
            r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}}"#,
        ),
    ],
    &[
        ("", r#"{"event_type":"text-generation","text":"Hello","is_finished":false}"#),
        ("", r#"{"event_type":"text-generation","text":" world","is_finished":false}"#),
        ("", r#"{"event_type":"stream-end","finish_reason":"COMPLETE","is_finished":true}"#),
    ],
    &[
        ("messageStart", r#"{"role":"assistant"}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"ab"}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":" world"},"p":"abcd"}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
    ],
    &[
        ("", r#"{"id":"c","choices":[{"index":0,"text":"Hello","logprobs":null,"finish_reason":null}]}"#),
        ("", r#"{"id":"c","choices":[{"index":0,"text":" world","logprobs":null,"finish_reason":null}]}"#),
        ("", r#"{"id":"c","choices":[{"index":0,"text":"","finish_reason":"stop"}]}"#),
    ],
    // What a dialect of one's own may look like.
    &[("", r#"{"text":"Hello"}"#), ("", r#"{"text":" world"}"#), ("", r#"{"text":"!"}"#), ("", r#"{"done":"stop"}"#)],
    &[("", r#"{"response":"Hello"}"#), ("", r#"{"response":" world"}"#), ("", r#"{"done":true}"#)],
    &[("", r#"{"content":"Hello"}"#), ("", r#"{"content":" world"}"#), ("", r#"{"stop":true}"#)],
    &[("", r#"{"delta":"Hello"}"#), ("", r#"{"delta":" world"}"#), ("", r#"{"finish_reason":"stop"}"#)],
    &[
        ("", r#"{"type":"text","text":"Hello"}"#),
        ("", r#"{"type":"text","text":" world"}"#),
        ("", r#"{"type":"done"}"#),
    ],
];

/// The replies that every codec gets.
pub(crate) fn forms() -> Vec<Reply> {
    FORMS.iter().map(|form| form.iter().map(|&(event, data)| (event.to_owned(), data.to_owned())).collect()).collect()
}

/// Cuts the recorded body of a reply into frames, as the codec asks for it.
pub(crate) fn read(file: &Path, codec: &Codec) -> Result<Reply, Ended> {
    let bytes =
        fs::read(file).map_err(|error| Ended::usage(format_args!("cannot read {}: {error}", file.display())))?;
    let mut pipeline = Pipeline::new(Collector::default(), framing(codec)?, Limits::default()).without_template();
    let mut fed = pipeline.feed(&bytes, &mut |_| ());
    if fed.is_ok() {
        fed = pipeline.finish(&mut |_| ());
    }
    fed.map_err(|error| Ended::usage(format_args!("{} is no reply of this dialect: {error}", file.display())))?;
    Ok(std::mem::take(&mut pipeline.decoder_mut().frames))
}

/// A codec that keeps the frames and says nothing.
#[derive(Debug, Default)]
struct Collector {
    frames: Reply,
}

impl Decode for Collector {
    fn decode<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        _out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure> {
        for frame in &frames[*next..] {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.frames.push((text(frame.event()), text(frame.data())));
        }
        *next = frames.len();
        Ok(Progress::Done)
    }

    fn finish<'s>(&'s mut self, _out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
        Ok(Progress::Done)
    }

    fn reset(&mut self) {
        self.frames.clear();
    }
}
