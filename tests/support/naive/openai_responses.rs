//! The twin of `openai-responses`.

use super::*;

#[derive(Default)]
pub(super) struct OpenAiResponses {
    pub(super) steps: Vec<Step>,
    items: Vec<Item>,
    blocks: u32,
    has_started: bool,
    has_calls: bool,
    is_done: bool,
}

#[derive(Default)]
struct Item {
    index: Option<u32>,
    /// What deltas and fields have to be to belong to it.
    kind: String,
    id: String,
    has_phase: bool,
    call: Option<Call>,
    /// Channel, number and block of the parts that have said something.
    parts: Vec<(String, u32, u32)>,
    is_ended: bool,
}

#[derive(Clone, Default)]
struct Call {
    block: u32,
    has_name: bool,
    has_id: bool,
    has_arguments: bool,
}

fn small(json: Option<&Json>) -> Option<u32> {
    json.and_then(Json::int).and_then(|number| u32::try_from(number).ok())
}

fn kind_of(item: &Json) -> &str {
    match item.text_of("type").unwrap_or_default() {
        "function_call" | "custom_tool_call" => "call",
        kind @ ("message" | "reasoning" | "compaction") => kind,
        _ => "other",
    }
}

impl OpenAiResponses {
    pub(super) fn record(&mut self, event: &str, data: &str) {
        if data.trim_ascii() == "[DONE]" {
            return self.done();
        }
        let Some(payload) = naive_json::parse(data) else { return self.steps.push(malformed()) };
        if !payload.is_object() {
            return self.steps.push(skipped(event));
        }
        let error = payload.get("error").filter(|error| error.is_truthy());
        let kind = payload.filled_text_of("type");
        let name = kind.unwrap_or(event);
        match name {
            "response.output_text.delta"
            | "response.audio.transcript.delta"
            | "response.output_audio_transcript.delta" => self.delta("message", "text", &payload),
            "response.audio.delta" | "response.output_audio.delta" => {
                if let Some(sound) = payload.get("delta").filter(|sound| sound.is_truthy()) {
                    self.steps.push(other(name, &sound.raw, 0));
                }
            }
            "response.refusal.delta" => self.delta("message", "refusal", &payload),
            "response.reasoning_summary_text.delta" | "response.reasoning_summary.delta" => {
                self.delta("reasoning", "summary", &payload);
            }
            "response.reasoning_text.delta" | "response.reasoning.delta" => {
                self.delta("reasoning", "thinking", &payload);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.delta("call", "", &payload);
            }
            "response.output_item.added" => self.item(&payload, false),
            "response.output_item.done" => self.item(&payload, true),
            "response.output_text.annotation.added" => self.annotation(&payload),
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = payload.get("response") {
                    self.start(response);
                }
            }
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
            | "response.done" => {
                let word = name.trim_start_matches("response.");
                let word = if word == "done" { "completed" } else { word };
                let none = Json { raw: String::new(), value: naive_json::Value::Null };
                self.close(payload.get("response").unwrap_or(&none), word);
                self.done();
            }
            _ if name == "error" || (kind.is_none() && error.is_some()) => {
                self.steps.push(Step { aux: error.unwrap_or(&payload).raw.clone(), ..Step::new(EVENT_ERROR) });
            }
            _ if SAID_AGAIN.contains(&name) => {}
            _ => self.steps.push(skipped(name)),
        }
    }

    fn take_block(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks - 1
    }

    fn delta(&mut self, kind: &str, channel: &str, payload: &Json) {
        let delta = payload.get("delta");
        let Some(text) = delta.and_then(|delta| delta.text().or_else(|| delta.text_of("text"))) else { return };
        let number = if channel == "summary" { "summary_index" } else { "content_index" };
        let part = small(payload.get(number)).unwrap_or(0);
        let at = match small(payload.get("output_index")) {
            Some(index) => self.items.iter().rposition(|item| item.index == Some(index) && item.kind == kind),
            None => {
                let open: Vec<usize> = (0..self.items.len())
                    .filter(|at| !self.items[*at].is_ended && self.items[*at].kind == kind)
                    .collect();
                let id = payload.text_of("item_id").unwrap_or_default();
                let by_id = open.iter().rev().find(|at| self.items[**at].id == id);
                if open.len() > 1 { by_id.or(open.first()).copied() } else { open.first().copied() }
            }
        };
        let at = at.unwrap_or_else(|| {
            let index = small(payload.get("output_index"));
            self.items.push(Item { index, kind: kind.into(), ..Item::default() });
            self.items.len() - 1
        });
        self.has_calls |= kind == "call";
        if kind != "call" {
            return self.prose(at, channel, part, text);
        }
        if self.items[at].call.is_none() {
            let block = self.take_block();
            self.steps.push(Step { block, ..Step::new(EVENT_TOOL_BEGIN) });
            self.items[at].call = Some(Call { block, ..Call::default() });
        }
        let call = self.items[at].call.as_mut().expect("it was put in");
        call.has_arguments |= !text.is_empty();
        self.steps.push(Step { block: call.block, text: text.into(), ..Step::new(EVENT_TOOL_ARGUMENTS) });
    }

    fn prose(&mut self, at: usize, channel: &str, part: u32, text: &str) {
        if text.is_empty() {
            return;
        }
        let known = self.items[at].parts.iter().find(|(name, index, _)| (name.as_str(), *index) == (channel, part));
        let block = match known {
            Some((_, _, block)) => *block,
            None => {
                let block = self.take_block();
                self.items[at].parts.push((channel.into(), part, block));
                block
            }
        };
        let kind = match channel {
            "text" => EVENT_TEXT,
            "refusal" => EVENT_REFUSAL,
            _ => EVENT_THINKING,
        };
        self.steps.push(Step { block, text: text.into(), ..Step::new(kind) });
    }

    fn item(&mut self, payload: &Json, is_end: bool) {
        let Some(item) = payload.get("item").filter(|item| item.is_object()) else {
            return self.steps.push(skipped(""));
        };
        self.item_at(small(payload.get("output_index")), item, is_end);
    }

    fn item_at(&mut self, index: Option<u32>, item: &Json, is_end: bool) {
        let kind = kind_of(item);
        let id = item.text_of("id").unwrap_or_default();
        self.has_calls |= kind == "call";
        let mine = |known: &Item| known.kind == kind && known.index == index;
        let mut found = self.items.iter().rposition(|known| mine(known) && (index.is_some() || known.id == id));
        if found.is_none() && index.is_none() {
            found = self.items.iter().rposition(|known| mine(known) && !known.is_ended && known.id.is_empty());
        }
        if let (Some(at), false) = (found, is_end) {
            let known = &self.items[at];
            let is_same = known.id.is_empty() || id.is_empty() || known.id == id;
            if known.is_ended || !is_same {
                found = None;
            }
        }
        let at = found.unwrap_or_else(|| {
            self.items.push(Item { index, kind: kind.into(), ..Item::default() });
            self.items.len() - 1
        });
        if is_end {
            if !self.items[at].is_ended {
                self.end(at, item);
            }
            return;
        }
        if self.items[at].id.is_empty() {
            self.items[at].id = id.into();
        }
        match kind {
            "call" => self.call(at, item),
            "message" => self.phase(at, item),
            _ => {}
        }
    }

    fn phase(&mut self, at: usize, item: &Json) {
        if item.filled_text_of("phase").is_some() && !self.items[at].has_phase {
            self.items[at].has_phase = true;
            let block = self.take_block();
            self.steps.push(Step { block, text: item.raw.clone(), ..Step::new(EVENT_THINKING_SIGNATURE) });
            self.steps.push(Step { block, ..Step::new(EVENT_BLOCK_END) });
        }
    }

    fn call(&mut self, at: usize, item: &Json) {
        let name = item.filled_text_of("name");
        let id = item.filled_text_of("call_id");
        let is_new = self.items[at].call.is_none();
        if is_new {
            let block = self.take_block();
            self.items[at].call = Some(Call { block, ..Call::default() });
        }
        let call = self.items[at].call.as_mut().expect("it was put in");
        let says_more = (name.is_some() && !call.has_name) || (id.is_some() && !call.has_id);
        call.has_name |= name.is_some();
        call.has_id |= id.is_some();
        if is_new || says_more {
            let (text, aux) = (name.unwrap_or_default().into(), id.unwrap_or_default().into());
            self.steps.push(Step { block: call.block, text, aux, ..Step::new(EVENT_TOOL_BEGIN) });
        }
    }

    fn end(&mut self, at: usize, item: &Json) {
        self.items[at].is_ended = true;
        match kind_of(item) {
            "call" => {
                self.call(at, item);
                let arguments = item.some("arguments").or_else(|| item.get("input"));
                let text = match arguments.map(|json| json.text().unwrap_or(&json.raw)) {
                    Some("" | "null") | None => "{}",
                    Some(text) => text,
                };
                let call = self.items[at].call.as_mut().expect("it was told");
                if !call.has_arguments {
                    self.steps.push(Step { block: call.block, text: text.into(), ..Step::new(EVENT_TOOL_ARGUMENTS) });
                }
            }
            "message" if self.items[at].parts.is_empty() => {
                self.phase(at, item);
                self.missing(at, item, "content", &[("output_text", "text"), ("refusal", "refusal")]);
            }
            "message" => self.missing(at, item, "content", &[("output_text", "text"), ("refusal", "refusal")]),
            "reasoning" => {
                self.missing(at, item, "summary", &[("summary_text", "summary")]);
                self.missing(at, item, "content", &[("reasoning_text", "thinking")]);
                let last = self.items[at].parts.last().map(|(_, _, block)| *block);
                let block = last.unwrap_or_else(|| self.take_block());
                self.steps.push(Step { block, text: item.raw.clone(), ..Step::new(EVENT_THINKING_SIGNATURE) });
                if last.is_none() {
                    self.steps.push(Step { block, ..Step::new(EVENT_BLOCK_END) });
                }
            }
            "compaction" => {
                let block = self.take_block();
                self.steps.push(Step { block, text: item.raw.clone(), ..Step::new(EVENT_REDACTED_THINKING) });
            }
            _ => {
                let block = self.take_block();
                let kind = item.text_of("type").unwrap_or_default();
                self.steps.push(Step { block, ..other(kind, &item.raw, 0) });
            }
        }
        let item = &mut self.items[at];
        let blocks = item.call.iter().map(|call| call.block).chain(item.parts.drain(..).map(|(_, _, block)| block));
        self.steps.extend(blocks.map(|block| Step { block, ..Step::new(EVENT_BLOCK_END) }));
    }

    fn missing(&mut self, at: usize, item: &Json, list: &str, channels: &[(&str, &str)]) {
        let is_told = |(name, _, _): &(String, u32, u32)| channels.iter().any(|(_, channel)| channel == name);
        if self.items[at].parts.iter().any(is_told) {
            return;
        }
        for (index, part) in item.list_of(list).iter().enumerate() {
            let kind = part.text_of("type");
            let Some((_, channel)) = channels.iter().find(|(name, _)| Some(*name) == kind) else { continue };
            let text = part.text_of(if *channel == "refusal" { "refusal" } else { "text" }).unwrap_or_default();
            self.prose(at, channel, index as u32, text);
        }
    }

    fn annotation(&mut self, payload: &Json) {
        let (index, part) = (small(payload.get("output_index")), small(payload.get("content_index")).unwrap_or(0));
        let item = self.items.iter().rev().find(|item| item.index == index);
        let found = item.and_then(|item| item.parts.iter().find(|(name, at, _)| name == "text" && *at == part));
        let block = found.map_or(0, |(_, _, block)| *block);
        let none = Json { raw: String::new(), value: naive_json::Value::Null };
        let annotation = payload.get("annotation").unwrap_or(&none);
        let kind = annotation.text_of("type").unwrap_or_default();
        self.steps.push(Step { block, ..other(kind, &annotation.raw, 0) });
    }

    fn start(&mut self, response: &Json) {
        let text: String = response.text_of("model").unwrap_or_default().into();
        let aux: String = response.text_of("id").unwrap_or_default().into();
        let is_named = !text.is_empty() || !aux.is_empty();
        if !self.has_started && is_named {
            self.has_started = true;
            self.steps.push(Step { text, aux, ..Step::new(EVENT_MESSAGE_START) });
        }
    }

    fn close(&mut self, response: &Json, word: &str) {
        self.start(response);
        let is_new = self.items.is_empty();
        for (index, item) in response.list_of("output").iter().enumerate() {
            let index = Some(index as u32);
            let is_open = self.items.iter().any(|known| known.index == index && !known.is_ended);
            match item.is_object() {
                _ if !is_new && !is_open => {}
                true => self.item_at(index, item, true),
                false => self.steps.push(skipped("")),
            }
        }
        if let Some(error) = response.get("error").filter(|error| error.is_truthy()) {
            // A proxy may have put the error of another one into its own.
            let inner = error.get("error").filter(|inner| inner.is_truthy());
            self.steps.push(Step { aux: inner.unwrap_or(error).raw.clone(), ..Step::new(EVENT_ERROR) });
        }
        let details = response.get("incomplete_details").filter(|details| details.is_object() && details.is_truthy());
        if let Some(details) = details {
            self.steps.push(other("incomplete_details", &details.raw, 0));
        }
        let status = response.filled_text_of("status").unwrap_or(word);
        let reason = response.get("incomplete_details").and_then(|details| details.text_of("reason"));
        let num = match (status, reason.unwrap_or_default()) {
            ("completed", _) if self.has_calls => STOP_TOOL_USE,
            ("completed", _) => STOP_END,
            ("failed", _) => STOP_ERROR,
            ("incomplete", "max_output_tokens" | "max_tokens") => STOP_LENGTH,
            ("incomplete", "content_filter") => STOP_CONTENT_FILTER,
            _ => STOP_OTHER,
        };
        self.steps.push(Step { num, text: status.into(), ..Step::new(EVENT_STOP) });
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object() && usage.is_truthy()) {
            self.steps.push(Step { text: usage.raw.clone(), ..Step::new(EVENT_USAGE_RAW) });
            let inner = |object: &str, name: &str| usage.get(object).and_then(|details| details.get(name));
            self.steps.extend(counters(&[
                (USAGE_INPUT, usage.get("input_tokens")),
                (USAGE_OUTPUT, usage.get("output_tokens")),
                (USAGE_TOTAL, usage.get("total_tokens")),
                (USAGE_REASONING, inner("output_tokens_details", "reasoning_tokens")),
                (USAGE_CACHE_READ, inner("input_tokens_details", "cached_tokens")),
                (USAGE_CACHE_WRITE, inner("input_tokens_details", "cache_write_tokens")),
            ]));
        }
    }

    fn done(&mut self) {
        if !self.is_done {
            self.is_done = true;
            self.steps.push(Step::new(EVENT_DONE));
        }
    }
}

const SAID_AGAIN: [&str; 20] = [
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.done",
    "response.refusal.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary.done",
    "response.reasoning_part.added",
    "response.reasoning_part.done",
    "response.reasoning_text.done",
    "response.reasoning.done",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
    "response.audio.done",
    "response.audio.transcript.done",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "keepalive",
    "ping",
];
