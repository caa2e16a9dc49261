//! The proxy's events as those of the engine.

use std::collections::HashMap;

use serde_json::Value;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_STOP, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FAILURE_MALFORMED,
    FAILURE_OTHER, STOP_END, STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent, USAGE_CACHE_READ, USAGE_CACHE_WRITE,
    USAGE_INPUT, USAGE_OUTPUT, USAGE_TOTAL,
};

use crate::responder::Batch;

/// Reads the events of one reply.
pub(super) struct Decoder {
    model: String,
    /// What stands at each of the proxy's indices: its kind, and its number here.
    blocks: HashMap<u64, (Kind, u32)>,
    next_block: u32,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    ToolCall,
}

impl Kind {
    /// As the proxy's errors call it.
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Thinking => "thinking",
            Self::ToolCall => "toolcall",
        }
    }

    const fn event(self) -> u32 {
        match self {
            Self::Text => EVENT_TEXT,
            Self::Thinking => EVENT_THINKING,
            Self::ToolCall => EVENT_TOOL_ARGUMENTS,
        }
    }
}

impl Decoder {
    pub(super) fn new(model: &str) -> Self {
        Self { model: model.to_owned(), blocks: HashMap::new(), next_block: 0, is_over: false }
    }

    /// Whether `done` or `error` has come; what follows counts for nothing.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// One event. What is no JSON, or of an unknown type, is passed over: proxies add types.
    pub(super) fn handle(&mut self, data: &[u8], out: &mut Batch) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        if self.is_over {
            return;
        }
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let (kind, step) = match text("type") {
            "start" => {
                return out.push(&StreamEvent::new(EVENT_MESSAGE_START).with_text(self.model.as_bytes()));
            }
            "done" => return self.finish(&event, out),
            "error" => return self.fail(&event, out),
            other => match other.split_once('_') {
                Some(("text", step)) => (Kind::Text, step),
                Some(("thinking", step)) => (Kind::Thinking, step),
                Some(("toolcall", step)) => (Kind::ToolCall, step),
                _ => return,
            },
        };
        // Missing, negative or no number at all: the first one.
        let index = event["contentIndex"].as_u64().unwrap_or(0);
        match step {
            "start" => {
                let block = self.next_block;
                self.next_block += 1;
                self.blocks.insert(index, (kind, block));
                if kind == Kind::ToolCall {
                    let begin = StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block);
                    out.push(&begin.with_text(text("toolName").as_bytes()).with_aux(text("id").as_bytes()));
                }
            }
            "delta" => match self.blocks.get(&index) {
                Some((open, block)) if *open == kind => {
                    out.push(&StreamEvent::new(kind.event()).with_block(*block).with_text(text("delta").as_bytes()));
                }
                _ => {
                    let name = kind.name();
                    let why = format!("received {name}_delta for non-{name} content");
                    self.is_over = true;
                    out.push(&StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED).with_text(why.as_bytes()));
                }
            },
            "end" => {
                let Some((open, block)) = self.blocks.get(&index).filter(|(open, _)| *open == kind) else { return };
                let signature = text("contentSignature");
                if *open == Kind::Thinking && !signature.is_empty() {
                    let event = StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(*block);
                    out.push(&event.with_text(signature.as_bytes()));
                }
                out.push(&StreamEvent::new(EVENT_BLOCK_END).with_block(*block));
            }
            _ => {}
        }
    }

    fn finish(&mut self, event: &Value, out: &mut Batch) {
        self.is_over = true;
        push_usage(&event["usage"], out);
        let reason = event["reason"].as_str().unwrap_or("stop");
        let num = match reason {
            "stop" | "complete" => STOP_END,
            "length" => STOP_LENGTH,
            "toolUse" | "tool_use" | "tool_calls" => STOP_TOOL_USE,
            _ => STOP_OTHER,
        };
        out.push(&StreamEvent::new(EVENT_STOP).with_num(num).with_text(reason.as_bytes()));
        out.push(&StreamEvent::new(EVENT_DONE));
    }

    fn fail(&mut self, event: &Value, out: &mut Batch) {
        self.is_over = true;
        push_usage(&event["usage"], out);
        let why = match (event["errorMessage"].as_str().filter(|why| !why.is_empty()), event["reason"].as_str()) {
            (Some(why), _) => why,
            (None, Some("aborted")) => "the proxy has stopped the request",
            (None, _) => "the proxy reports an error without saying which",
        };
        out.push(&StreamEvent::new(EVENT_ERROR).with_num(FAILURE_OTHER).with_text(why.as_bytes()));
    }
}

/// The counters, which some proxies write in one word and some with underscores.
fn push_usage(usage: &Value, out: &mut Batch) {
    let Some(fields) = usage.as_object().filter(|fields| !fields.is_empty()) else { return };
    out.push(&StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.to_string().as_bytes()));
    for (counter, names) in [
        (USAGE_INPUT, ["input", "input_tokens"]),
        (USAGE_OUTPUT, ["output", "output_tokens"]),
        (USAGE_CACHE_READ, ["cacheRead", "cache_read"]),
        (USAGE_CACHE_WRITE, ["cacheWrite", "cache_write"]),
        (USAGE_TOTAL, ["totalTokens", "total_tokens"]),
    ] {
        let count = names.iter().find_map(|name| fields.get(*name)?.as_i64());
        if let Some(count) = count {
            out.push(&StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a reply, each in a few words.
    fn decode(lines: &[&str]) -> Vec<String> {
        let mut decoder = Decoder::new("m");
        let mut batch = Batch::default();
        lines.iter().for_each(|line| decoder.handle(line.as_bytes(), &mut batch));
        let word = |event: StreamEvent<'_>| {
            let (text, aux) = (String::from_utf8_lossy(event.text()), String::from_utf8_lossy(event.aux()));
            match event.kind() {
                EVENT_MESSAGE_START => format!("start {text}"),
                EVENT_TEXT => format!("text {} {text}", event.block()),
                EVENT_THINKING => format!("thinking {} {text}", event.block()),
                EVENT_THINKING_SIGNATURE => format!("signature {} {text}", event.block()),
                EVENT_TOOL_BEGIN => format!("tool {} {text} {aux}", event.block()),
                EVENT_TOOL_ARGUMENTS => format!("arguments {} {text}", event.block()),
                EVENT_BLOCK_END => format!("end {}", event.block()),
                EVENT_USAGE => format!("usage {} {}", event.block(), event.num()),
                EVENT_USAGE_RAW => "raw".to_owned(),
                EVENT_STOP => format!("stop {} {text}", event.num()),
                EVENT_DONE => "done".to_owned(),
                EVENT_ERROR => format!("error {} {text}", event.num()),
                other => format!("kind {other}"),
            }
        };
        batch.iter().map(word).collect()
    }

    #[test]
    fn each_event_and_each_odd_one_is_read_as_the_table_says() {
        let stop = format!("stop {STOP_END} stop");
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("start", &[r#"{"type":"start"}"#], &["start m"]),
            (
                "text",
                &[
                    r#"{"type":"text_start","contentIndex":0}"#,
                    r#"{"type":"text_delta","contentIndex":0,"delta":"Hi"}"#,
                    r#"{"type":"text_end","contentIndex":0,"contentSignature":"x"}"#,
                ],
                &["text 0 Hi", "end 0"],
            ),
            (
                "thinking with a signature",
                &[
                    r#"{"type":"thinking_start","contentIndex":0}"#,
                    r#"{"type":"thinking_delta","contentIndex":0,"delta":"hm"}"#,
                    r#"{"type":"thinking_end","contentIndex":0,"contentSignature":"sig0"}"#,
                ],
                &["thinking 0 hm", "signature 0 sig0", "end 0"],
            ),
            (
                "a tool call",
                &[
                    r#"{"type":"toolcall_start","contentIndex":2,"id":"t1","toolName":"fast"}"#,
                    r#"{"type":"toolcall_delta","contentIndex":2,"delta":"{\"y\""}"#,
                    r#"{"type":"toolcall_delta","contentIndex":2,"delta":": 3}"}"#,
                    r#"{"type":"toolcall_end","contentIndex":2}"#,
                ],
                &["tool 0 fast t1", "arguments 0 {\"y\"", "arguments 0 : 3}", "end 0"],
            ),
            (
                "two calls at once",
                &[
                    r#"{"type":"toolcall_start","contentIndex":0,"id":"a","toolName":"f"}"#,
                    r#"{"type":"toolcall_start","contentIndex":1,"id":"b","toolName":"g"}"#,
                    r#"{"type":"toolcall_delta","contentIndex":0,"delta":"1"}"#,
                    r#"{"type":"toolcall_delta","contentIndex":1,"delta":"2"}"#,
                ],
                &["tool 0 f a", "tool 1 g b", "arguments 0 1", "arguments 1 2"],
            ),
            (
                "an index that is missing, negative or no number is 0",
                &[
                    r#"{"type":"text_start","contentIndex":-4}"#,
                    r#"{"type":"text_delta","delta":"a"}"#,
                    r#"{"type":"text_delta","contentIndex":true,"delta":"b"}"#,
                    r#"{"type":"text_delta","contentIndex":0,"delta":"c"}"#,
                ],
                &["text 0 a", "text 0 b", "text 0 c"],
            ),
            (
                "a gap in the indices is no gap in the reply",
                &[r#"{"type":"text_start","contentIndex":7}"#, r#"{"type":"text_delta","contentIndex":7,"delta":"a"}"#],
                &["text 0 a"],
            ),
            (
                "a delta for another kind of content ends the reply",
                &[
                    r#"{"type":"text_start","contentIndex":0}"#,
                    r#"{"type":"thinking_delta","contentIndex":0,"delta":"x"}"#,
                    r#"{"type":"done","reason":"stop"}"#,
                ],
                &["error 8 received thinking_delta for non-thinking content"],
            ),
            (
                "a delta without a start, too",
                &[r#"{"type":"toolcall_delta","contentIndex":3,"delta":"x"}"#],
                &["error 8 received toolcall_delta for non-toolcall content"],
            ),
            (
                "an end of another kind of content is passed over",
                &[r#"{"type":"text_start","contentIndex":0}"#, r#"{"type":"toolcall_end","contentIndex":0}"#],
                &[],
            ),
            (
                "what is unknown or no JSON is passed over",
                &[r#"{"type":"surprise"}"#, r#"{"type":"text_surprise"}"#, "nonsense", "[DONE]", "{}", "[]", "7"],
                &[],
            ),
            ("done", &[r#"{"type":"done","reason":"stop"}"#], &[&stop, "done"]),
            ("done without a reason", &[r#"{"type":"done"}"#], &[&stop, "done"]),
            (
                "nothing counts behind done",
                &[r#"{"type":"done","reason":"stop","usage":{}}"#, r#"{"type":"start"}"#],
                &[&stop, "done"],
            ),
            (
                "usage in one word",
                &[
                    r#"{"type":"done","reason":"stop","usage":{"input":1,"output":2,"cacheRead":3,"cacheWrite":4,"totalTokens":10}}"#,
                ],
                &["raw", "usage 1 1", "usage 2 2", "usage 5 3", "usage 6 4", "usage 3 10", &stop, "done"],
            ),
            (
                "usage with underscores",
                &[r#"{"type":"done","reason":"stop","usage":{"input":1,"output":2,"cache_read":3,"total_tokens":6}}"#],
                &["raw", "usage 1 1", "usage 2 2", "usage 5 3", "usage 3 6", &stop, "done"],
            ),
            (
                "an error with its usage",
                &[r#"{"type":"error","reason":"error","errorMessage":"boom","usage":{"input":1}}"#],
                &["raw", "usage 1 1", "error 9 boom"],
            ),
            (
                "a stop by the proxy",
                &[r#"{"type":"error","reason":"aborted","usage":{}}"#],
                &["error 9 the proxy has stopped the request"],
            ),
            (
                "an error without words",
                &[r#"{"type":"error"}"#],
                &["error 9 the proxy reports an error without saying which"],
            ),
        ];
        for (name, lines, expected) in cases {
            let expected: Vec<String> = expected
                .iter()
                .map(|word| {
                    let word = word.replace("error 8", &format!("error {FAILURE_MALFORMED}"));
                    word.replace("error 9", &format!("error {FAILURE_OTHER}"))
                })
                .collect();
            assert_eq!(decode(lines), expected, "{name}");
        }
    }

    #[test]
    fn the_reason_of_the_end_is_understood_in_both_spellings() {
        for (reason, num) in [
            ("stop", STOP_END),
            ("length", STOP_LENGTH),
            ("toolUse", STOP_TOOL_USE),
            ("tool_use", STOP_TOOL_USE),
            ("weather", STOP_OTHER),
        ] {
            let line = format!(r#"{{"type":"done","reason":"{reason}"}}"#);
            assert_eq!(decode(&[&line])[0], format!("stop {num} {reason}"));
        }
    }
}
