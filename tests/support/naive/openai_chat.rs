//! The twin of `openai-chat`.

use thalweg_abi::types::*;

use super::{counters, malformed, other, skipped};
use crate::naive_json::{self, Json, Value};
use crate::step::Step;

/// Choices of one reply that are read.
const CHOICES_MAX: usize = 128;

#[derive(Default)]
pub(super) struct OpenAiChat {
    pub(super) steps: Vec<Step>,
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
    signed: Option<u32>,
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
    pub(super) fn record(&mut self, event: &str, data: &str) {
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
        let known = self.choices.iter().position(|choice| choice.sub == sub);
        if known.is_none() && self.choices.len() >= CHOICES_MAX {
            return self.steps.push(skipped(""));
        }
        let at = known.unwrap_or_else(|| {
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
            if name == "audio" {
                self.prose(steps, EVENT_TEXT, value.text_of("transcript").unwrap_or_default(), "");
            }
            let is_copy = |detail: &Json| {
                !detail.is_object()
                    || (matches!(detail.text_of("type"), Some("reasoning.text" | "reasoning.summary"))
                        && !["signature", "data"].iter().any(|key| detail.get(key).is_some_and(Json::is_truthy)))
            };
            if name != "reasoning_details" {
                steps.push(other(name, &value.raw, self.sub));
            } else if !value.list().iter().all(is_copy) {
                let block = match (self.open.take(), self.signed) {
                    (Some((EVENT_THINKING, block)), _) => block,
                    (None, Some(block)) if block + 1 == self.blocks => block,
                    _ => {
                        self.blocks += 1;
                        self.blocks - 1
                    }
                };
                self.signed = Some(block);
                let sub = self.sub;
                steps.push(Step { sub, block, text: value.raw.clone(), ..Step::new(EVENT_THINKING_SIGNATURE) });
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
