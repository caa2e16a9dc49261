//! The twins of `cohere-v2` and `cohere-v1`.

use thalweg_abi::types::*;

use super::{counters, malformed, other, skipped};
use crate::naive_json::{self, Json};
use crate::step::Step;

#[derive(Default)]
pub(super) struct CohereV2 {
    pub(super) steps: Vec<Step>,
    has_started: bool,
    blocks: u32,
    /// Whether it is a tool call, its number on the wire, its block.
    open: Vec<(bool, i64, u32)>,
    /// The pieces of the plan, each in its quotes.
    plan: Vec<String>,
}

impl CohereV2 {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            self.end_of_stream();
            return self.steps.push(Step::new(EVENT_DONE));
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let kind = payload.filled_text_of("type");
        let index = payload.get("index").and_then(Json::int).unwrap_or(0);
        let delta = payload.get("delta");
        let of_message = |name: &str| delta?.get("message")?.get(name);
        match kind.unwrap_or(event) {
            "message-start" => {
                if !self.has_started {
                    self.has_started = true;
                    let aux = payload.text_of("id").unwrap_or_default().into();
                    self.steps.push(Step { aux, ..Step::new(EVENT_MESSAGE_START) });
                }
            }
            "content-start" => {
                self.end_of_stream();
                self.end(false, index);
                self.block(false, index);
                self.content(index, of_message("content"));
            }
            "content-delta" => self.content(index, of_message("content")),
            "tool-plan-delta" => {
                let text = of_message("tool_plan").filter(|plan| plan.text().is_some());
                self.plan.extend(text.map(|text| text.raw.clone()));
            }
            "tool-call-start" => {
                self.end_of_stream();
                self.end(true, index);
                self.call(index, of_message("tool_calls"));
            }
            "tool-call-delta" => self.call(index, of_message("tool_calls")),
            "content-end" => self.end(false, index),
            "tool-call-end" => self.end(true, index),
            "citation-start" => {
                let citation = of_message("citations").filter(|citation| citation.is_truthy());
                self.steps.extend(citation.map(|citation| other("citations", &citation.raw, 0)));
            }
            "citation-end" | "debug" => {}
            "message-end" => {
                self.end_of_stream();
                if let Some(delta) = delta.filter(|delta| delta.is_object()) {
                    self.message_end(delta);
                }
            }
            name => {
                let error = payload.get("error").filter(|error| error.is_truthy());
                if kind.is_none() && (error.is_some() || payload.text_of("message").is_some()) {
                    let aux = error.unwrap_or(&payload).raw.clone();
                    return self.steps.push(Step { aux, ..Step::new(EVENT_ERROR) });
                }
                self.steps.push(skipped(name));
            }
        }
    }

    /// Tells the plan.
    pub(super) fn end_of_stream(&mut self) {
        let plan: String = self.plan.drain(..).map(|piece| piece[1..piece.len() - 1].to_owned()).collect();
        if !plan.is_empty() {
            self.steps.push(other("tool_plan", &format!("\"{plan}\""), 0));
        }
    }

    fn message_end(&mut self, delta: &Json) {
        if let Some(error) = delta.get("error").filter(|error| error.is_truthy()) {
            self.steps.push(Step { aux: error.raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        if let Some(reason) = delta.filled_text_of("finish_reason") {
            let num = match reason {
                "COMPLETE" => STOP_END,
                "STOP_SEQUENCE" => STOP_SEQUENCE,
                "MAX_TOKENS" | "ERROR_LIMIT" => STOP_LENGTH,
                "TOOL_CALL" => STOP_TOOL_USE,
                "ERROR_TOXIC" => STOP_CONTENT_FILTER,
                "ERROR" | "TIMEOUT" => STOP_ERROR,
                _ => STOP_OTHER,
            };
            self.steps.push(Step { num, text: reason.into(), ..Step::new(EVENT_STOP) });
        }
        self.steps.extend(usage(delta.get("usage")));
    }

    fn block(&mut self, is_tool: bool, index: i64) -> u32 {
        let known = self.open.iter().find(|open| (open.0, open.1) == (is_tool, index)).map(|open| open.2);
        known.unwrap_or_else(|| {
            self.open.push((is_tool, index, self.blocks));
            self.blocks += 1;
            self.blocks - 1
        })
    }

    fn end(&mut self, is_tool: bool, index: i64) {
        if let Some(at) = self.open.iter().position(|open| (open.0, open.1) == (is_tool, index)) {
            let (_, _, block) = self.open.remove(at);
            self.steps.push(Step { block, ..Step::new(EVENT_BLOCK_END) });
        }
    }

    fn content(&mut self, index: i64, content: Option<&Json>) {
        for (kind, name) in [(EVENT_THINKING, "thinking"), (EVENT_TEXT, "text")] {
            if let Some(text) = content.and_then(|content| content.filled_text_of(name)) {
                let block = self.block(false, index);
                self.steps.push(Step { block, text: text.into(), ..Step::new(kind) });
            }
        }
    }

    fn call(&mut self, index: i64, call: Option<&Json>) {
        let call = call.and_then(|call| call.list().first().or(Some(call)));
        let id = call.and_then(|call| call.text_of("id")).unwrap_or_default();
        let function = call.and_then(|call| call.get("function"));
        let name = function.and_then(|function| function.text_of("name")).unwrap_or_default();
        let is_new = !self.open.iter().any(|open| (open.0, open.1) == (true, index));
        let block = self.block(true, index);
        if is_new || !id.is_empty() || !name.is_empty() {
            self.steps.push(Step { block, text: name.into(), aux: id.into(), ..Step::new(EVENT_TOOL_BEGIN) });
        }
        let arguments = function.and_then(|function| function.filled_text_of("arguments"));
        self.steps.extend(arguments.map(|text| Step { block, text: text.into(), ..Step::new(EVENT_TOOL_ARGUMENTS) }));
    }
}

#[derive(Default)]
pub(super) struct CohereV1 {
    pub(super) steps: Vec<Step>,
    blocks: u32,
    open: Option<u32>,
    has_calls: bool,
}

impl CohereV1 {
    pub(super) fn record(&mut self, data: &str) {
        let Some(line) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !line.is_object() {
            return self.steps.push(skipped(""));
        }
        let error = line.get("error").filter(|error| error.is_truthy());
        let told = || Step { aux: error.unwrap_or(&line).raw.clone(), ..Step::new(EVENT_ERROR) };
        match line.text_of("event_type").unwrap_or_default() {
            "stream-start" => {
                let aux = line.text_of("generation_id").unwrap_or_default().into();
                self.steps.push(Step { aux, ..Step::new(EVENT_MESSAGE_START) });
            }
            "text-generation" => {
                if let Some(text) = line.filled_text_of("text") {
                    let block = self.open.unwrap_or_else(|| self.next());
                    self.open = Some(block);
                    self.steps.push(Step { block, text: text.into(), ..Step::new(EVENT_TEXT) });
                }
            }
            "tool-calls-generation" => {
                for call in line.list_of("tool_calls").iter().filter(|call| call.is_object()) {
                    let block = self.next();
                    self.open = None;
                    self.has_calls = true;
                    let name = call.text_of("name").unwrap_or_default().into();
                    self.steps.push(Step { block, text: name, ..Step::new(EVENT_TOOL_BEGIN) });
                    let arguments = call.get("parameters").filter(|parameters| parameters.is_truthy());
                    let text = arguments.map_or("{}", |arguments| &arguments.raw).into();
                    self.steps.push(Step { block, text, ..Step::new(EVENT_TOOL_ARGUMENTS) });
                }
            }
            "citation-generation" => {
                let citations = line.get("citations").filter(|citations| citations.is_truthy());
                self.steps.extend(citations.map(|citations| other("citations", &citations.raw, 0)));
            }
            kind @ ("search-queries-generation" | "search-results") => self.steps.push(other(kind, &line.raw, 0)),
            "tool-calls-chunk" | "debug" => {}
            "stream-end" => {
                self.steps.extend(error.map(|_| told()));
                self.stop(&line);
                self.steps.extend(usage(line.get("response").and_then(|response| response.get("meta"))));
                self.steps.push(Step::new(EVENT_DONE));
            }
            "" if error.is_some() || line.text_of("message").is_some() => self.steps.push(told()),
            kind => self.steps.push(skipped(kind)),
        }
    }

    fn next(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks - 1
    }

    fn stop(&mut self, line: &Json) {
        let Some(reason) = line.filled_text_of("finish_reason") else { return };
        let num = match (reason, self.has_calls) {
            ("COMPLETE", true) => STOP_TOOL_USE,
            ("COMPLETE", false) => STOP_END,
            ("STOP_SEQUENCE", _) => STOP_SEQUENCE,
            ("MAX_TOKENS" | "ERROR_LIMIT", _) => STOP_LENGTH,
            ("ERROR_TOXIC", _) => STOP_CONTENT_FILTER,
            ("ERROR", _) => STOP_ERROR,
            _ => STOP_OTHER,
        };
        self.steps.push(Step { num, text: reason.into(), ..Step::new(EVENT_STOP) });
    }
}

fn usage(usage: Option<&Json>) -> Vec<Step> {
    let Some(usage) = usage.filter(|usage| usage.is_object() && usage.is_truthy()) else { return Vec::new() };
    let token = |name: &str| usage.get("tokens").and_then(|tokens| tokens.get(name));
    let counts = counters(&[(USAGE_INPUT, token("input_tokens")), (USAGE_OUTPUT, token("output_tokens"))]);
    let raw = Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) };
    [raw].into_iter().chain(counts).collect()
}
