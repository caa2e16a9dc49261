//! Both dialects in the most obvious way: a tree of every payload, read field by field. The twins of the products.

use serde_json::json;
use thalweg_abi::types::*;

use crate::naive_json::{self, Json, Value};
use crate::step::{Step, joined};

/// A dialect that has a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `openai-chat`.
    OpenAiChat,
    /// `anthropic`.
    Anthropic,
}

impl Dialect {
    /// By the name that the corpus and the codecs have for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "openai-chat" => Some(Self::OpenAiChat),
            "anthropic" => Some(Self::Anthropic),
            _ => None,
        }
    }
}

/// All steps of a stream of records (name of the SSE event, payload), in their comparable form.
#[must_use]
pub fn steps<'a>(dialect: Dialect, records: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Step> {
    let steps = match dialect {
        Dialect::OpenAiChat => {
            let mut twin = OpenAiChat::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.steps
        }
        Dialect::Anthropic => {
            let mut twin = Anthropic::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.end_of_stream();
            twin.steps
        }
    };
    joined(steps)
}

fn skipped(name: &str) -> Step {
    Step { aux: name.into(), ..Step::new(EVENT_SKIPPED) }
}

fn malformed() -> Step {
    Step { num: FAILURE_MALFORMED, ..Step::new(EVENT_ERROR) }
}

fn counters(counts: &[(u32, Option<&Json>)]) -> Vec<Step> {
    let count = |(block, value): &(u32, Option<&Json>)| {
        value.and_then(Json::int).map(|num| Step { block: *block, num, ..Step::new(EVENT_USAGE) })
    };
    counts.iter().filter_map(count).collect()
}

#[derive(Default)]
struct OpenAiChat {
    steps: Vec<Step>,
    choices: Vec<Choice>,
    has_started: bool,
    has_usage: bool,
    citations: String,
}

#[derive(Default)]
struct Choice {
    sub: u32,
    blocks: u32,
    open: Option<(u32, u32)>,
    calls: Vec<Call>,
}

#[derive(Default)]
struct Call {
    block: u32,
    index: Option<i64>,
    id: String,
    name: String,
    is_legacy: bool,
}

impl OpenAiChat {
    fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            return self.steps.push(Step::new(EVENT_DONE));
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let error = payload.get("error").filter(|error| error.is_truthy());
        let is_error = error.is_some() || event == "error" || payload.text_of("object") == Some("error");
        let is_known = ["choices", "usage", "x_groq"].iter().any(|name| payload.get(name).is_some());
        if !is_error && !is_known {
            let name = payload.filled_text_of("type").or_else(|| payload.filled_text_of("object"));
            return self.steps.push(skipped(name.unwrap_or(event)));
        }
        if is_error {
            self.steps.push(Step { aux: error.unwrap_or(&payload).raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        let (model, id) = (payload.filled_text_of("model"), payload.filled_text_of("id"));
        let choices: Vec<&Json> = payload.list_of("choices").iter().filter(|choice| choice.is_object()).collect();
        if !self.has_started && (model.is_some() || id.is_some() || !choices.is_empty()) {
            self.has_started = true;
            let (text, aux) = (model.unwrap_or_default().into(), id.unwrap_or_default().into());
            self.steps.push(Step { text, aux, ..Step::new(EVENT_MESSAGE_START) });
        }
        if let Some(citations) = payload.get("citations")
            && citations.is_truthy()
            && !citations.list().is_empty()
            && citations.raw.len() != self.citations.len()
        {
            self.citations.clone_from(&citations.raw);
            self.steps.push(other("citations", &citations.raw, 0));
        }
        let usage = [payload.get("usage"), payload.get("x_groq").and_then(|groq| groq.get("usage"))];
        let usage = usage.into_iter().flatten().find(|usage| usage.is_truthy()).filter(|usage| usage.is_object());
        self.has_usage |= usage.is_some();
        for choice in choices {
            self.choice(choice);
        }
        if let Some(usage) = usage {
            self.usage(usage);
        }
    }

    fn choice(&mut self, json: &Json) {
        let sub = json.get("index").and_then(Json::int).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let at = self.choices.iter().position(|choice| choice.sub == sub).unwrap_or_else(|| {
            self.choices.push(Choice { sub, ..Choice::default() });
            self.choices.len() - 1
        });
        let choice = &mut self.choices[at];
        let steps = &mut self.steps;
        if json.get("delta").is_none()
            && let Some(text) = json.text_of("text")
        {
            choice.prose(steps, EVENT_TEXT, text, "");
        }
        if let Some(delta) = json.some("delta").or_else(|| json.get("message"))
            && delta.is_object()
        {
            choice.delta(steps, delta);
        }
        if let Some(reason) = json.filled_text_of("finish_reason") {
            let num = match reason {
                "stop" | "eos" | "end_turn" | "stop_sequence" => STOP_END,
                "length" | "max_tokens" | "model_length" => STOP_LENGTH,
                "tool_calls" | "function_call" | "tool_use" => STOP_TOOL_USE,
                "content_filter" | "refusal" | "safety" => STOP_CONTENT_FILTER,
                "error" | "network_error" | "insufficient_system_resource" => STOP_ERROR,
                _ => STOP_OTHER,
            };
            steps.push(Step { sub, num, text: reason.into(), ..Step::new(EVENT_STOP) });
        }
        if let Some(usage) = json.get("usage")
            && usage.is_object()
            && usage.is_truthy()
            && !self.has_usage
        {
            self.has_usage = true;
            self.usage(usage);
        }
    }

    fn usage(&mut self, usage: &Json) {
        self.steps.push(Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) });
        let inner = |object: &str, name: &str| usage.get(object).and_then(|details| details.get(name));
        self.steps.extend(counters(&[
            (USAGE_INPUT, usage.get("prompt_tokens")),
            (USAGE_OUTPUT, usage.get("completion_tokens")),
            (USAGE_TOTAL, usage.get("total_tokens")),
            (USAGE_REASONING, inner("completion_tokens_details", "reasoning_tokens")),
            (USAGE_CACHE_READ, inner("prompt_tokens_details", "cached_tokens")),
            (USAGE_CACHE_WRITE, inner("prompt_tokens_details", "cache_write_tokens")),
        ]));
    }
}

fn other(content_type: &str, raw: &str, sub: u32) -> Step {
    Step { sub, text: raw.into(), aux: content_type.into(), ..Step::new(EVENT_OTHER_CONTENT) }
}

impl Choice {
    fn delta(&mut self, steps: &mut Vec<Step>, delta: &Json) {
        let fields = ["reasoning_content", "reasoning", "reasoning_text"];
        let filled = fields.iter().find_map(|name| Some((*name, delta.filled_text_of(name)?)));
        if let Some((name, text)) = filled {
            self.prose(steps, EVENT_THINKING, text, name);
        }
        if let Some(content) = delta.get("content") {
            match &content.value {
                Value::Text(text) => self.prose(steps, EVENT_TEXT, text, ""),
                Value::List(parts) => parts.iter().for_each(|part| self.part(steps, part)),
                _ => self.prose(steps, EVENT_TEXT, content.text_of("text").unwrap_or_default(), ""),
            }
        }
        self.prose(steps, EVENT_REFUSAL, delta.text_of("refusal").unwrap_or_default(), "");
        if let Some(function) = delta.get("function_call").filter(|function| function.is_object()) {
            let call = self.calls.iter().position(|call| call.is_legacy);
            self.call(steps, call, true, None, None, function);
        }
        for json in delta.list_of("tool_calls").iter().filter(|call| call.is_object()) {
            let index = json.get("index").and_then(Json::int);
            let id = json.filled_text_of("id");
            let same = |call: &&Call| call.index == index;
            let found = match (index, id) {
                (None, Some(id)) => self.calls.iter().find(|call| call.id == id),
                (None, None) => self.calls.last(),
                (Some(_), _) => {
                    let last = self.calls.iter().rev().find(same);
                    match (last, id) {
                        (Some(last), Some(id)) if !last.id.is_empty() && last.id != id => {
                            self.calls.iter().rev().filter(same).find(|call| call.id == id)
                        }
                        _ => last,
                    }
                }
            };
            let found = found.map(|call| call.block);
            let position = self.calls.iter().position(|call| Some(call.block) == found);
            let none = Json { raw: String::new(), value: Value::Null };
            self.call(steps, position, false, index, id, json.get("function").unwrap_or(&none));
        }
        for name in ["reasoning_details", "annotations", "images", "audio"] {
            let Some(value) = delta.get(name).filter(|value| value.is_truthy()) else { continue };
            let is_copy = |detail: &Json| {
                !detail.is_object()
                    || (matches!(detail.text_of("type"), Some("reasoning.text" | "reasoning.summary"))
                        && !["signature", "data"].iter().any(|key| detail.get(key).is_some_and(Json::is_truthy)))
            };
            if name != "reasoning_details" || !value.list().iter().all(is_copy) {
                steps.push(other(name, &value.raw, self.sub));
            }
        }
    }

    fn part(&mut self, steps: &mut Vec<Step>, part: &Json) {
        if let Some(text) = part.text() {
            return self.prose(steps, EVENT_TEXT, text, "");
        }
        if !part.is_object() {
            return;
        }
        match part.text_of("type") {
            Some("thinking") => {
                self.prose(steps, EVENT_THINKING, part.text_of("thinking").unwrap_or_default(), "");
                for inner in part.list_of("thinking").iter().filter(|inner| inner.text_of("type") == Some("text")) {
                    self.prose(steps, EVENT_THINKING, inner.text_of("text").unwrap_or_default(), "");
                }
            }
            Some("text") => self.prose(steps, EVENT_TEXT, part.text_of("text").unwrap_or_default(), ""),
            None if part.some("type").is_none() && part.get("text").is_some() => {
                self.prose(steps, EVENT_TEXT, part.text_of("text").unwrap_or_default(), "");
            }
            kind => steps.push(other(kind.unwrap_or_default(), &part.raw, self.sub)),
        }
    }

    fn prose(&mut self, steps: &mut Vec<Step>, kind: u32, text: &str, aux: &str) {
        if text.is_empty() {
            return;
        }
        let block = match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                self.blocks += 1;
                self.open = Some((kind, self.blocks - 1));
                self.blocks - 1
            }
        };
        steps.push(Step { sub: self.sub, block, text: text.into(), aux: aux.into(), ..Step::new(kind) });
    }

    fn call(
        &mut self,
        steps: &mut Vec<Step>,
        position: Option<usize>,
        is_legacy: bool,
        index: Option<i64>,
        id: Option<&str>,
        function: &Json,
    ) {
        let before = steps.len();
        let name = function.filled_text_of("name");
        let is_new = position.is_none();
        let position = position.unwrap_or_else(|| {
            let id = id.unwrap_or_default().to_owned();
            let name = name.unwrap_or_default().to_owned();
            self.calls.push(Call { block: self.blocks, index, id, name, is_legacy });
            self.blocks += 1;
            self.calls.len() - 1
        });
        let call = &mut self.calls[position];
        let known = (call.id.clone(), call.name.clone());
        if !is_new {
            if call.id.is_empty() {
                call.id = id.unwrap_or_default().into();
            }
            match name {
                Some(name) if call.name.is_empty() => call.name = name.into(),
                Some(name) if call.name != name && !is_legacy => call.name += name,
                _ => {}
            }
        }
        let step = Step { sub: self.sub, block: call.block, ..Step::default() };
        if is_new || known != (call.id.clone(), call.name.clone()) {
            let (text, aux) = (call.name.clone(), call.id.clone());
            steps.push(Step { kind: EVENT_TOOL_BEGIN, text, aux, ..step.clone() });
        }
        let arguments = function.some("arguments").map(|json| json.text().unwrap_or(&json.raw)).unwrap_or_default();
        if !arguments.is_empty() {
            steps.push(Step { kind: EVENT_TOOL_ARGUMENTS, text: arguments.into(), ..step });
        }
        if steps.len() > before {
            self.open = None;
        }
    }
}

#[derive(Default)]
struct Anthropic {
    steps: Vec<Step>,
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
    fn record(&mut self, event: &str, data: &str) {
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
            "content_block_stop" => self.end(index),
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
        if !self.blocks.iter().any(|block| block.index == index) {
            let prose = matches!(kind, Some("text_delta" | "thinking_delta"));
            let kind = if prose { Kind::Prose } else { Kind::Other };
            self.blocks.push(Block { index, kind, input: String::new(), start: None });
        }
        let block = self.blocks.iter_mut().find(|block| block.index == index).expect("it was put in");
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

    fn end_of_stream(&mut self) {
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
