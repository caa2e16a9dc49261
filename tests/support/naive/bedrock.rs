//! The twin of `bedrock`.

use thalweg_abi::types::*;

use super::anthropic::Anthropic;
use super::{counters, malformed, other, skipped};
use crate::naive_json::{self, Json, Value};
use crate::step::Step;

#[derive(Default)]
pub(super) struct Bedrock {
    pub(super) steps: Vec<Step>,
    has_started: bool,
    form: Option<Form>,
    messages: Anthropic,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Messages,
    Converse,
    Text,
}

const EVENTS: [&str; 6] =
    ["contentBlockDelta", "contentBlockStart", "contentBlockStop", "messageStart", "messageStop", "metadata"];

impl Bedrock {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if event == "error" || event.ends_with("Exception") {
            let payload = naive_json::parse(data).map_or_else(|| "{}".to_owned(), |payload| payload.raw);
            return self.steps.push(Step { aux: format!("{{\"{event}\":{payload}}}"), ..Step::new(EVENT_ERROR) });
        }
        if event == "chunk" {
            return self.chunk(data);
        }
        match naive_json::parse(data) {
            None => self.steps.push(malformed()),
            Some(payload) if payload.is_object() => self.converse(event, &payload),
            Some(_) => self.steps.push(skipped(event)),
        }
    }

    pub(super) fn end_of_stream(&mut self) {
        self.messages.end_of_stream();
        self.steps.append(&mut self.messages.steps);
    }

    fn start(&mut self) {
        if !self.has_started {
            self.has_started = true;
            self.steps.push(Step::new(EVENT_MESSAGE_START));
        }
    }

    fn chunk(&mut self, data: &str) {
        if self.form != Some(Form::Messages) {
            let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
            let is_event = |name: &&str| payload.get(name).is_some_and(Json::is_object);
            let form = *self.form.get_or_insert(if payload.filled_text_of("type").is_some() {
                Form::Messages
            } else if EVENTS.iter().any(is_event) {
                Form::Converse
            } else {
                Form::Text
            });
            match form {
                Form::Messages => {}
                Form::Text => return self.text(&payload),
                Form::Converse => {
                    if let Some(error) = payload.get("error").filter(|error| error.is_truthy()) {
                        return self.steps.push(Step { aux: error.raw.clone(), ..Step::new(EVENT_ERROR) });
                    }
                    let events: Vec<_> = EVENTS.iter().filter(|name| is_event(name)).collect();
                    if events.is_empty() {
                        return self.steps.push(skipped(""));
                    }
                    return events.iter().for_each(|name| self.converse(name, payload.get(name).expect("an event")));
                }
            }
        }
        self.messages.record("", data);
        self.steps.append(&mut self.messages.steps);
    }

    fn converse(&mut self, event: &str, payload: &Json) {
        let block = payload.get("contentBlockIndex").and_then(Json::int).and_then(|index| u32::try_from(index).ok());
        let block = block.unwrap_or(0);
        match event {
            "messageStart" => self.start(),
            "contentBlockStart" => {
                self.start();
                let Some(start) = payload.get("start") else { return };
                if let Some(tool) = start.get("toolUse").filter(|tool| tool.is_object()) {
                    let text = tool.text_of("name").unwrap_or_default().into();
                    let aux = tool.text_of("toolUseId").unwrap_or_default().into();
                    self.steps.push(Step { block, text, aux, ..Step::new(EVENT_TOOL_BEGIN) });
                }
                self.others(start, &["toolUse"], block);
            }
            "contentBlockDelta" => {
                self.start();
                if let Some(delta) = payload.get("delta") {
                    self.delta(delta, block);
                }
            }
            "contentBlockStop" => self.steps.push(Step { block, ..Step::new(EVENT_BLOCK_END) }),
            "messageStop" => {
                let Some(reason) = payload.filled_text_of("stopReason") else { return };
                let own = payload.get("additionalModelResponseFields");
                let aux = own.and_then(|own| own.text_of("stop_sequence")).unwrap_or_default().into();
                let num = match reason {
                    "end_turn" => STOP_END,
                    "tool_use" => STOP_TOOL_USE,
                    "max_tokens" | "model_context_window_exceeded" => STOP_LENGTH,
                    "stop_sequence" => STOP_SEQUENCE,
                    "guardrail_intervened" | "content_filtered" => STOP_CONTENT_FILTER,
                    "malformed_model_output" | "malformed_tool_use" => STOP_ERROR,
                    _ => STOP_OTHER,
                };
                self.steps.push(Step { num, text: reason.into(), aux, ..Step::new(EVENT_STOP) });
            }
            "metadata" => {
                if let Some(usage) = payload.get("usage").filter(|usage| usage.is_object() && usage.is_truthy()) {
                    self.steps.push(Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) });
                    self.steps.extend(counters(&[
                        (USAGE_INPUT, usage.get("inputTokens")),
                        (USAGE_OUTPUT, usage.get("outputTokens")),
                        (USAGE_TOTAL, usage.get("totalTokens")),
                        (USAGE_CACHE_READ, usage.get("cacheReadInputTokens")),
                        (USAGE_CACHE_WRITE, usage.get("cacheWriteInputTokens")),
                    ]));
                }
                if let Some(trace) = payload.get("trace").filter(|trace| trace.is_truthy()) {
                    self.steps.push(other("trace", &trace.raw, 0));
                }
                self.steps.push(Step::new(EVENT_DONE));
            }
            event => self.steps.push(skipped(event)),
        }
    }

    fn delta(&mut self, delta: &Json, block: u32) {
        let step = |kind: u32, text: &str| Step { block, text: text.into(), ..Step::new(kind) };
        self.steps.extend(delta.text_of("text").map(|text| step(EVENT_TEXT, text)));
        if let Some(input) = delta.get("toolUse").and_then(|tool| tool.get("input")) {
            let arguments = input.text().or_else(|| input.is_truthy().then_some(input.raw.as_str()));
            self.steps.extend(arguments.map(|text| step(EVENT_TOOL_ARGUMENTS, text)));
        }
        if let Some(reasoning) = delta.get("reasoningContent") {
            for (kind, name) in [
                (EVENT_THINKING, "text"),
                (EVENT_THINKING_SIGNATURE, "signature"),
                (EVENT_REDACTED_THINKING, "redactedContent"),
            ] {
                self.steps.extend(reasoning.text_of(name).map(|text| step(kind, text)));
            }
        }
        self.others(delta, &["text", "toolUse", "reasoningContent"], block);
    }

    fn others(&mut self, json: &Json, known: &[&str], block: u32) {
        let Value::Object(members) = &json.value else { return };
        for (name, value) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            self.steps.push(Step { block, ..other(name, &value.raw, 0) });
        }
    }

    fn text(&mut self, payload: &Json) {
        if !payload.is_object() {
            return self.steps.push(skipped(""));
        }
        self.start();
        let mut texts: Vec<&str> = Vec::new();
        let mut reasons: Vec<&str> = Vec::new();
        texts
            .extend(["completion", "outputText", "generation", "text"].iter().filter_map(|name| payload.text_of(name)));
        let words = ["stop_reason", "completionReason", "finish_reason"];
        reasons.extend(words.iter().filter_map(|name| payload.filled_text_of(name)));
        for piece in ["outputs", "generations"].iter().flat_map(|name| payload.list_of(name)) {
            texts.extend(piece.text_of("text"));
            let words = ["stop_reason", "finish_reason", "completionReason"];
            reasons.extend(words.iter().filter_map(|name| piece.filled_text_of(name)));
        }
        for choice in payload.list_of("choices") {
            let said = choice.get("message").filter(|message| message.is_truthy()).or_else(|| choice.get("delta"));
            texts.extend(said.and_then(|said| said.text_of("content")));
            let words = ["finish_reason", "stop_reason"];
            reasons.extend(words.iter().filter_map(|name| choice.filled_text_of(name)));
        }
        self.steps.extend(texts.iter().map(|text| Step { text: (*text).into(), ..Step::new(EVENT_TEXT) }));
        if let Some(reason) = reasons.first() {
            let num = match reason.to_ascii_lowercase().as_str() {
                "stop" | "finish" | "complete" | "end_turn" | "endoftext" => STOP_END,
                "length" | "max_tokens" => STOP_LENGTH,
                "stop_sequence" | "stop_criteria_met" => STOP_SEQUENCE,
                "content_filter" | "content_filtered" => STOP_CONTENT_FILTER,
                _ => STOP_OTHER,
            };
            let aux = payload.text_of("stop").unwrap_or_default().into();
            self.steps.push(Step { num, aux, ..Step::new(EVENT_STOP) });
        }
        let name = "amazon-bedrock-invocationMetrics";
        if let Some(metrics) = payload.get(name).filter(|metrics| metrics.is_truthy()) {
            self.steps.push(other(name, &metrics.raw, 0));
            self.steps.push(Step::new(EVENT_DONE));
        }
    }
}
