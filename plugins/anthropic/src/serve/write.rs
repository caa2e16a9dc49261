//! The reply: events of a stream, or one body for all of them.

use serde_json::{Value, json};
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING,
    EVENT_REFUSAL, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS,
    EVENT_TOOL_BEGIN, EVENT_USAGE, FAILURE_AUTH, FAILURE_INVALID_REQUEST, FAILURE_OVERLOADED, FAILURE_RATE_LIMIT,
    STOP_CONTENT_FILTER, STOP_LENGTH, STOP_OTHER, STOP_PAUSE, STOP_SEQUENCE, STOP_TOOL_USE, StreamEvent,
    USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT,
};

/// Writes one reply.
#[derive(Default)]
pub(super) struct Writer {
    id: Option<String>,
    model: String,
    is_streamed: bool,
    /// The message has begun, and whether that was written: usage that comes right behind goes with it.
    start: Start,
    blocks: Vec<Block>,
    usage: Vec<(&'static str, i64)>,
    /// Why it stops, written with the usage at the end.
    stop: Option<Value>,
    /// A reason to stop has come, or the provider's own mark of the end.
    is_complete: bool,
    error: Option<Value>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Start {
    #[default]
    Never,
    Waiting,
    Written,
}

/// A content block that has begun.
struct Block {
    index: u32,
    kind: u32,
    is_open: bool,
    /// All of it, where the reply is not streamed.
    whole: Value,
}

impl Writer {
    pub(super) fn new(id: Option<String>) -> Self {
        Self { id, ..Self::default() }
    }

    /// What the request says of its reply.
    pub(super) fn expect(&mut self, model: &str, is_streamed: bool) {
        model.clone_into(&mut self.model);
        self.is_streamed = is_streamed;
    }

    /// Writes an event. The dialect has one choice.
    pub(super) fn take(&mut self, event: &StreamEvent<'_>, piece: &mut String) {
        if event.sub() != 0 {
            return;
        }
        let text = String::from_utf8_lossy(event.text());
        let aux = String::from_utf8_lossy(event.aux());
        let block = event.block();
        match event.kind() {
            EVENT_MESSAGE_START => {
                if !text.is_empty() {
                    self.model = text.into_owned();
                }
                if self.id.is_none() && !aux.is_empty() {
                    self.id = Some(aux.into_owned());
                }
                if self.start == Start::Never {
                    self.start = Start::Waiting;
                }
            }
            EVENT_TEXT | EVENT_REFUSAL => {
                self.begin(block, EVENT_TEXT, || json!({"type": "text", "text": ""}), piece);
                self.delta(block, json!({"type": "text_delta", "text": text}), piece);
            }
            EVENT_THINKING => {
                self.begin_thinking(block, piece);
                self.delta(block, json!({"type": "thinking_delta", "thinking": text}), piece);
            }
            EVENT_THINKING_SIGNATURE => {
                self.begin_thinking(block, piece);
                self.delta(block, json!({"type": "signature_delta", "signature": text}), piece);
            }
            EVENT_REDACTED_THINKING => {
                self.begin(block, event.kind(), || json!({"type": "redacted_thinking", "data": text}), piece);
            }
            EVENT_TOOL_BEGIN => {
                let call = || json!({"type": "tool_use", "id": aux, "name": text, "input": {}});
                self.begin(block, event.kind(), call, piece);
            }
            EVENT_TOOL_ARGUMENTS => self.delta(block, json!({"type": "input_json_delta", "partial_json": text}), piece),
            EVENT_OTHER_CONTENT => {
                let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
                if aux == "citations" {
                    // They came with the beginning of the text, which is over.
                    for citation in value.as_array().into_iter().flatten() {
                        self.delta(block, json!({"type": "citations_delta", "citation": citation}), piece);
                    }
                    return;
                }
                if value["type"] != *aux {
                    // Content of another dialect, or one that was told apart from its block.
                    return;
                }
                if aux.ends_with("_delta") {
                    self.delta(block, value, piece);
                } else {
                    self.begin(block, event.kind(), || value, piece);
                }
            }
            EVENT_BLOCK_END => self.end(block, piece),
            EVENT_USAGE => self.count(event.block(), event.num()),
            EVENT_DONE => self.is_complete = true,
            EVENT_STOP => {
                self.is_complete = true;
                let sequence = if aux.is_empty() { Value::Null } else { json!(aux) };
                let stop = json!({"stop_reason": reason(event.num(), &text), "stop_sequence": sequence});
                if let (true, Some(earlier)) = (self.is_streamed, self.stop.replace(stop)) {
                    self.write_start(piece);
                    self.write_stop(&earlier, piece);
                }
            }
            EVENT_ERROR => {
                let error = json!({"type": "error", "error": {"type": error_type(event.num()), "message": text}});
                if self.is_streamed {
                    write("error", &error, piece);
                }
                self.error.get_or_insert(error);
            }
            _ => {}
        }
    }

    /// Writes the end.
    pub(super) fn finish(&mut self, piece: &mut String) {
        if !self.is_streamed {
            let body = self.error.take().unwrap_or_else(|| self.whole());
            return piece.push_str(&body.to_string());
        }
        if self.start == Start::Never && self.usage.is_empty() && !self.is_complete {
            return; // Nothing but an error, if that.
        }
        self.write_start(piece);
        // A reply that was cut has no end, so that a client sees it.
        if self.is_complete {
            for place in 0..self.blocks.len() {
                self.end(self.blocks[place].index, piece);
            }
        }
        if self.is_complete || !self.usage.is_empty() {
            let stop = self.stop.take().unwrap_or_else(|| json!({"stop_reason": null, "stop_sequence": null}));
            self.write_stop(&stop, piece);
        }
        if self.is_complete {
            write("message_stop", &json!({"type": "message_stop"}), piece);
        }
    }

    fn write_stop(&self, stop: &Value, piece: &mut String) {
        write("message_delta", &json!({"type": "message_delta", "delta": stop, "usage": self.usage_json()}), piece);
    }

    fn whole(&mut self) -> Value {
        let mut content = Vec::new();
        for block in &mut self.blocks {
            let mut whole = block.whole.take();
            if block.kind == EVENT_TOOL_BEGIN
                && let Value::String(input) = &whole["input"]
            {
                whole["input"] = serde_json::from_str(input).unwrap_or_else(|_| json!({}));
            }
            content.push(whole);
        }
        let mut message = self.message(content);
        if let Some(stop) = self.stop.take() {
            message["stop_reason"] = stop["stop_reason"].clone();
            message["stop_sequence"] = stop["stop_sequence"].clone();
        }
        message
    }

    fn message(&self, content: Vec<Value>) -> Value {
        json!({"id": self.id.as_deref().unwrap_or_default(), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": null, "stop_sequence": null, "usage": self.usage_json()})
    }

    fn usage_json(&self) -> Value {
        // Clients count on these two.
        let mut usage = json!({"input_tokens": 0, "output_tokens": 0});
        for (name, count) in &self.usage {
            usage[name] = json!(count);
        }
        usage
    }

    fn count(&mut self, counter: u32, count: i64) {
        let name = match counter {
            USAGE_INPUT => "input_tokens",
            USAGE_OUTPUT => "output_tokens",
            USAGE_CACHE_READ => "cache_read_input_tokens",
            USAGE_CACHE_WRITE => "cache_creation_input_tokens",
            _ => return,
        };
        match self.usage.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = count,
            None => self.usage.push((name, count)),
        }
    }

    fn write_start(&mut self, piece: &mut String) {
        if self.start != Start::Written {
            self.start = Start::Written;
            write("message_start", &json!({"type": "message_start", "message": self.message(Vec::new())}), piece);
        }
    }

    fn begin_thinking(&mut self, index: u32, piece: &mut String) {
        let empty = || json!({"type": "thinking", "thinking": "", "signature": ""});
        self.begin(index, EVENT_THINKING, empty, piece);
    }

    /// Begins a block unless it has begun.
    fn begin(&mut self, index: u32, kind: u32, block: impl FnOnce() -> Value, piece: &mut String) {
        if self.blocks.iter().any(|known| known.index == index && known.kind == kind && known.is_open) {
            return;
        }
        if self.is_streamed {
            self.write_start(piece);
            // Clients show a block when it ends. Prose is over when something else begins; calls may go on side by side.
            let over: Vec<u32> =
                self.blocks.iter().filter(|known| known.kind != EVENT_TOOL_BEGIN).map(|known| known.index).collect();
            for index in over {
                self.end(index, piece);
            }
            let block = block();
            let event = json!({"type": "content_block_start", "index": index, "content_block": block});
            write("content_block_start", &event, piece);
            self.blocks.push(Block { index, kind, is_open: true, whole: Value::Null });
        } else {
            self.blocks.push(Block { index, kind, is_open: true, whole: block() });
        }
    }

    fn delta(&mut self, index: u32, delta: Value, piece: &mut String) {
        if self.is_streamed {
            self.write_start(piece);
            let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
            return write("content_block_delta", &event, piece);
        }
        let Some(block) = self.blocks.iter_mut().rev().find(|known| known.index == index) else { return };
        for (from, to) in
            [("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "input")]
        {
            if let Some(more) = delta[from].as_str() {
                match &mut block.whole[to] {
                    Value::String(text) => text.push_str(more),
                    // The input of a call is an object until its text comes.
                    other => *other = json!(more),
                }
            }
        }
    }

    fn end(&mut self, index: u32, piece: &mut String) {
        let open = self.blocks.iter_mut().rev().find(|known| known.index == index && known.is_open);
        if let Some(block) = open {
            block.is_open = false;
            if self.is_streamed {
                write("content_block_stop", &json!({"type": "content_block_stop", "index": index}), piece);
            }
        }
    }
}

fn write(event: &str, payload: &Value, piece: &mut String) {
    piece.push_str(&format!("event: {event}\ndata: {payload}\n\n"));
}

/// The dialect's word.
fn reason(stop: i64, word: &str) -> &str {
    match stop {
        STOP_OTHER if !word.is_empty() => word,
        STOP_LENGTH => "max_tokens",
        STOP_TOOL_USE => "tool_use",
        STOP_SEQUENCE => "stop_sequence",
        STOP_CONTENT_FILTER => "refusal",
        STOP_PAUSE => "pause_turn",
        _ => "end_turn",
    }
}

const fn error_type(failure: i64) -> &'static str {
    match failure {
        FAILURE_RATE_LIMIT => "rate_limit_error",
        FAILURE_OVERLOADED => "overloaded_error",
        FAILURE_AUTH => "authentication_error",
        FAILURE_INVALID_REQUEST => "invalid_request_error",
        _ => "api_error",
    }
}
