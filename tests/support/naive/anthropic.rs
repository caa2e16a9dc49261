//! The twin of `anthropic`.

use serde_json::json;
use thalweg_abi::types::*;

use super::{counters, malformed, other, skipped};
use crate::naive_json::{self, Json, Value};
use crate::step::Step;

#[derive(Default)]
pub(super) struct Anthropic {
    pub(super) steps: Vec<Step>,
    blocks: Vec<Block>,
    has_started: bool,
}

struct Block {
    index: u32,
    kind: Kind,
    /// Arguments or input that came in deltas.
    input: String,
    /// What the block began with, as long as it may have to be told.
    start: Option<Json>,
}

#[derive(PartialEq)]
enum Kind {
    Prose,
    Tool,
    ServerTool,
    Other,
}

impl Anthropic {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            return self.steps.push(Step::new(EVENT_DONE));
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let index = payload.get("index").and_then(Json::int).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let error = payload.get("error").filter(|error| error.is_truthy());
        let kind = payload.filled_text_of("type");
        match kind.unwrap_or(event) {
            "message_start" => {
                if let Some(message) = payload.get("message").filter(|message| message.is_object()) {
                    self.start(message);
                }
            }
            "content_block_start" => {
                let none = Json { raw: String::new(), value: Value::Null };
                self.begin(index, payload.get("content_block").unwrap_or(&none));
            }
            "content_block_delta" => self.delta(index, payload.get("delta")),
            "content_block_stop" => {
                let count = self.blocks.len();
                self.end(index);
                if self.blocks.len() == count {
                    self.steps.push(Step { block: index, ..Step::new(EVENT_BLOCK_END) });
                }
            }
            "message_delta" => {
                if let Some(delta) = payload.get("delta") {
                    self.stop(delta);
                }
                if let Some(usage) = payload.get("usage").filter(|usage| usage.is_truthy()) {
                    self.usage(usage, true);
                }
            }
            "message_stop" => {
                self.complete();
                self.steps.push(Step::new(EVENT_DONE));
            }
            "ping" => {}
            name if name == "error" || (kind.is_none() && error.is_some()) => {
                self.steps.push(Step { aux: error.unwrap_or(&payload).raw.clone(), ..Step::new(EVENT_ERROR) });
            }
            name => self.steps.push(skipped(name)),
        }
    }

    fn start(&mut self, message: &Json) {
        if !self.has_started {
            self.has_started = true;
            let text = message.text_of("model").unwrap_or_default().into();
            let aux = message.text_of("id").unwrap_or_default().into();
            self.steps.push(Step { text, aux, ..Step::new(EVENT_MESSAGE_START) });
        }
        if let Some(usage) = message.get("usage").filter(|usage| usage.is_truthy()) {
            self.usage(usage, false);
        }
        for (index, block) in message.list_of("content").iter().enumerate() {
            self.begin(index as u32, block);
        }
        self.stop(message);
    }

    fn stop(&mut self, json: &Json) {
        let Some(reason) = json.filled_text_of("stop_reason") else { return };
        self.complete();
        let num = match reason {
            "end_turn" => STOP_END,
            "max_tokens" | "model_context_window_exceeded" => STOP_LENGTH,
            "tool_use" => STOP_TOOL_USE,
            "stop_sequence" => STOP_SEQUENCE,
            "refusal" => STOP_CONTENT_FILTER,
            "pause_turn" => STOP_PAUSE,
            _ => STOP_OTHER,
        };
        let aux = json.text_of("stop_sequence").unwrap_or_default().into();
        self.steps.push(Step { num, text: reason.into(), aux, ..Step::new(EVENT_STOP) });
    }

    fn usage(&mut self, usage: &Json, is_merge: bool) {
        if !usage.is_object() {
            return;
        }
        self.steps.push(Step { text: usage.raw.clone(), is_merge, ..Step::new(EVENT_USAGE_RAW) });
        self.steps.extend(counters(&[
            (USAGE_INPUT, usage.get("input_tokens")),
            (USAGE_OUTPUT, usage.get("output_tokens")),
            (USAGE_CACHE_READ, usage.get("cache_read_input_tokens")),
            (USAGE_CACHE_WRITE, usage.get("cache_creation_input_tokens")),
        ]));
    }

    fn begin(&mut self, index: u32, json: &Json) {
        self.end(index);
        let steps = &mut self.steps;
        let mut tell = |kind: u32, name: &str| {
            if let Some(text) = json.filled_text_of(name) {
                steps.push(Step { block: index, text: text.into(), ..Step::new(kind) });
            }
        };
        let mut start = None;
        let kind = match json.text_of("type").unwrap_or_default() {
            "text" => {
                tell(EVENT_TEXT, "text");
                if let Some(citations) = json.get("citations")
                    && !citations.list().is_empty()
                {
                    steps.push(Step { block: index, ..other("citations", &citations.raw, 0) });
                }
                Kind::Prose
            }
            "thinking" => {
                tell(EVENT_THINKING, "thinking");
                tell(EVENT_THINKING_SIGNATURE, "signature");
                Kind::Prose
            }
            "redacted_thinking" => {
                tell(EVENT_REDACTED_THINKING, "data");
                Kind::Other
            }
            "tool_use" => {
                let text = json.text_of("name").unwrap_or_default().into();
                let aux = json.text_of("id").unwrap_or_default().into();
                steps.push(Step { block: index, text, aux, ..Step::new(EVENT_TOOL_BEGIN) });
                start = json.get("input").filter(|input| input.is_truthy()).cloned();
                Kind::Tool
            }
            _ if json.get("input").is_some() => {
                start = Some(json.clone());
                Kind::ServerTool
            }
            kind => {
                steps.push(Step { block: index, ..other(kind, &json.raw, 0) });
                Kind::Other
            }
        };
        self.blocks.push(Block { index, kind, input: String::new(), start });
    }

    fn delta(&mut self, index: u32, delta: Option<&Json>) {
        let delta = delta.filter(|delta| delta.is_object());
        let kind = delta.and_then(|delta| delta.text_of("type"));
        let mut untold = Block { index, kind: Kind::Other, input: String::new(), start: None };
        let block = self.blocks.iter_mut().find(|block| block.index == index).unwrap_or(&mut untold);
        let step = Step { block: index, ..Step::default() };
        let (Some(delta), Some(kind)) = (delta, kind) else {
            return self.steps.push(Step { kind: EVENT_SKIPPED, ..step });
        };
        let told =
            |kind: u32, name: &str| Step { kind, text: delta.text_of(name).unwrap_or_default().into(), ..step.clone() };
        match kind {
            "text_delta" => self.steps.push(told(EVENT_TEXT, "text")),
            "thinking_delta" => self.steps.push(told(EVENT_THINKING, "thinking")),
            "signature_delta" => self.steps.push(told(EVENT_THINKING_SIGNATURE, "signature")),
            "input_json_delta" => {
                let Some(json) = delta.text_of("partial_json") else { return };
                match block.kind {
                    Kind::Tool => {
                        block.input += json;
                        self.steps.push(told(EVENT_TOOL_ARGUMENTS, "partial_json"));
                    }
                    Kind::ServerTool => block.input += json,
                    _ => self.steps.push(Step { block: index, ..other(kind, &delta.raw, 0) }),
                }
            }
            kind => self.steps.push(Step { block: index, ..other(kind, &delta.raw, 0) }),
        }
    }

    fn end(&mut self, index: u32) {
        if let Some(at) = self.blocks.iter().position(|block| block.index == index) {
            let mut block = self.blocks.remove(at);
            self.steps.extend(block.complete());
            self.steps.push(Step { block: index, ..Step::new(EVENT_BLOCK_END) });
        }
    }

    fn complete(&mut self) {
        for block in &mut self.blocks {
            self.steps.extend(block.complete());
        }
    }

    pub(super) fn end_of_stream(&mut self) {
        for block in &mut self.blocks {
            if block.start.is_some() {
                self.steps.extend(block.complete());
            }
        }
    }
}

impl Block {
    /// What the block tells at its end, once.
    fn complete(&mut self) -> Option<Step> {
        let start = self.start.take();
        let step = Step { block: self.index, ..Step::default() };
        match self.kind {
            Kind::Tool if self.input.is_empty() => {
                self.input = start.map_or_else(|| "{}".into(), |start| start.raw);
                Some(Step { kind: EVENT_TOOL_ARGUMENTS, text: self.input.clone(), ..step })
            }
            Kind::ServerTool => {
                self.kind = Kind::Other;
                let start = start?;
                let kind = start.text_of("type").unwrap_or_default().to_owned();
                let mut raw = start.raw;
                if !self.input.is_empty()
                    && let Ok(mut whole) = serde_json::from_str::<serde_json::Value>(&raw)
                {
                    whole["input"] = serde_json::from_str(&self.input).unwrap_or_else(|_| json!(self.input));
                    raw = whole.to_string();
                }
                Some(Step { block: self.index, ..other(&kind, &raw, 0) })
            }
            _ => None,
        }
    }
}
