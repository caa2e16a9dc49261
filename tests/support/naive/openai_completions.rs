//! The twin of `openai-completions`.

use super::*;

#[derive(Default)]
pub(super) struct OpenAiCompletions {
    pub(super) steps: Vec<Step>,
    has_started: bool,
}

impl OpenAiCompletions {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            return self.steps.push(Step::new(EVENT_DONE));
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let error = payload.get("error").filter(|error| error.is_truthy());
        if error.is_some() || event == "error" || payload.text_of("object") == Some("error") {
            self.steps.push(Step { aux: error.unwrap_or(&payload).raw.clone(), ..Step::new(EVENT_ERROR) });
        } else if payload.get("choices").is_none() && payload.get("usage").is_none() {
            return self.steps.push(skipped(payload.filled_text_of("object").unwrap_or(event)));
        }
        let (text, aux) = (payload.text_of("model").unwrap_or_default(), payload.text_of("id").unwrap_or_default());
        if !self.has_started && !format!("{text}{aux}").is_empty() {
            self.has_started = true;
            self.steps.push(Step { text: text.into(), aux: aux.into(), ..Step::new(EVENT_MESSAGE_START) });
        }
        for choice in payload.list_of("choices").iter().filter(|choice| choice.is_object()) {
            let sub = choice.get("index").and_then(Json::int).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
            let text = choice.text_of("text").unwrap_or_default().into();
            self.steps.push(Step { sub, text, ..Step::new(EVENT_TEXT) });
            if let Some(reason) = choice.filled_text_of("finish_reason") {
                let num = match reason {
                    "stop" | "eos" => STOP_END,
                    "length" => STOP_LENGTH,
                    "content_filter" => STOP_CONTENT_FILTER,
                    _ => STOP_OTHER,
                };
                self.steps.push(Step { sub, num, text: reason.into(), ..Step::new(EVENT_STOP) });
            }
        }
        let Some(usage) = payload.get("usage").filter(|usage| usage.is_object() && usage.is_truthy()) else { return };
        self.steps.push(Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) });
        let inner = |object: &str, name: &str| usage.get(object).and_then(|details| details.get(name));
        self.steps.extend(counters(&[
            (USAGE_INPUT, usage.get("prompt_tokens")),
            (USAGE_OUTPUT, usage.get("completion_tokens")),
            (USAGE_TOTAL, usage.get("total_tokens")),
            (USAGE_REASONING, inner("completion_tokens_details", "reasoning_tokens")),
            (USAGE_CACHE_READ, inner("prompt_tokens_details", "cached_tokens")),
        ]));
    }
}
