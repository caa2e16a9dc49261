//! The twin of `ollama`.

use thalweg_abi::types::*;

use super::{counters, malformed, skipped};
use crate::naive_json::{self, Json};
use crate::step::Step;

#[derive(Default)]
pub(super) struct Ollama {
    pub(super) steps: Vec<Step>,
    blocks: u32,
    open: Option<(u32, u32)>,
    has_calls: bool,
    has_started: bool,
}

impl Ollama {
    pub(super) fn record(&mut self, data: &str) {
        let Some(line) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if line.some("error").is_some() {
            let error = line.get("error").filter(|error| error.is_truthy()).unwrap_or(&line);
            return self.steps.push(Step { aux: error.raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        if !["message", "response", "thinking", "done"].iter().any(|name| line.get(name).is_some()) {
            return self.steps.push(skipped(""));
        }
        if !self.has_started {
            self.has_started = true;
            let model = line.text_of("model").unwrap_or_default();
            self.steps.push(Step { text: model.into(), ..Step::new(EVENT_MESSAGE_START) });
        }
        let message = line.get("message");
        let inner = |name: &str| message.and_then(|message| message.filled_text_of(name));
        self.prose(EVENT_THINKING, inner("thinking"));
        self.prose(EVENT_THINKING, line.filled_text_of("thinking"));
        self.prose(EVENT_TEXT, inner("content"));
        self.prose(EVENT_TEXT, line.filled_text_of("response"));
        for call in message.map_or(&[][..], |message| message.list_of("tool_calls")) {
            if call.is_object() {
                self.call(call);
            }
        }
        if let Some(images) = message.and_then(|message| message.get("images")).filter(|images| images.is_truthy()) {
            self.steps.push(super::other("images", &images.raw, 0));
        }
        if line.get("done").is_some_and(Json::is_truthy) {
            self.done(&line);
        }
    }

    fn prose(&mut self, kind: u32, text: Option<&str>) {
        let Some(text) = text else { return };
        let block = match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                self.blocks += 1;
                self.blocks - 1
            }
        };
        self.open = Some((kind, block));
        self.steps.push(Step { block, text: text.into(), ..Step::new(kind) });
    }

    fn call(&mut self, call: &Json) {
        let function = call.get("function");
        let name = function.and_then(|function| function.text_of("name")).unwrap_or_default();
        let block = self.blocks;
        self.blocks += 1;
        self.open = None;
        self.has_calls = true;
        let id = call.text_of("id").unwrap_or_default();
        self.steps.push(Step { block, text: name.into(), aux: id.into(), ..Step::new(EVENT_TOOL_BEGIN) });
        let text = match function.and_then(|function| function.some("arguments")) {
            None => "{}".to_owned(),
            Some(arguments) => arguments.text().map_or_else(|| arguments.raw.clone(), str::to_owned),
        };
        self.steps.push(Step { block, text, ..Step::new(EVENT_TOOL_ARGUMENTS) });
    }

    fn done(&mut self, line: &Json) {
        let names = [
            "prompt_eval_count",
            "eval_count",
            "total_duration",
            "load_duration",
            "prompt_eval_duration",
            "eval_duration",
        ];
        let members = names.iter().filter_map(|name| Some(format!("{name:?}:{}", line.get(name)?.raw)));
        let usage = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        self.steps.push(Step { text: usage, ..Step::new(EVENT_USAGE_RAW) });
        self.steps
            .extend(counters(&[(USAGE_INPUT, line.get("prompt_eval_count")), (USAGE_OUTPUT, line.get("eval_count"))]));
        let reason = line.text_of("done_reason").unwrap_or_default();
        let num = match (reason, self.has_calls) {
            ("" | "stop", true) => STOP_TOOL_USE,
            ("" | "stop", false) => STOP_END,
            ("length", _) => STOP_LENGTH,
            _ => STOP_OTHER,
        };
        self.steps.push(Step { num, text: reason.into(), ..Step::new(EVENT_STOP) });
        self.steps.push(Step::new(EVENT_DONE));
    }
}
