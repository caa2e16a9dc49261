//! What a recorded reply says, gathered from its events: the answer of `thalweg decode`.
//!
//! Nothing is interpreted here: finish reasons and usage stay in the provider's own words, beside normalised counters.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thalweg_abi::types::{self, StreamEvent};

/// Facts of one stream, filled event by event.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    choices: BTreeMap<u32, Choice>,
    usage: Option<Value>,
    counters: BTreeMap<u32, i64>,
    errors: Vec<Value>,
    events: u64,
}

#[derive(Debug, Default)]
struct Choice {
    blocks: BTreeMap<u32, Block>,
    finish_reason: Option<String>,
}

/// The parts of one content block; a block has one of them, tool calls have a name and an id besides.
#[derive(Debug, Default)]
struct Block {
    text: String,
    thinking: String,
    refusal: String,
    tool: Option<Tool>,
}

#[derive(Debug, Default)]
struct Tool {
    id: String,
    name: String,
    arguments: String,
}

impl Facts {
    /// Takes one event in.
    pub(crate) fn handle_event(&mut self, event: &StreamEvent<'_>) {
        self.events += 1;
        let text = || String::from_utf8_lossy(event.text());
        match event.kind() {
            types::EVENT_TEXT => self.block(event).text.push_str(&text()),
            types::EVENT_THINKING => self.block(event).thinking.push_str(&text()),
            types::EVENT_REFUSAL => self.block(event).refusal.push_str(&text()),
            types::EVENT_TOOL_BEGIN => {
                let id = String::from_utf8_lossy(event.aux());
                let tool = self.block(event).tool.get_or_insert_default();
                tool.name.push_str(&text());
                tool.id.push_str(&id);
            }
            types::EVENT_TOOL_ARGUMENTS => {
                self.block(event).tool.get_or_insert_default().arguments.push_str(&text());
            }
            types::EVENT_STOP => {
                let choice = self.choices.entry(event.sub()).or_default();
                if !event.text().is_empty() {
                    choice.finish_reason = Some(text().into_owned());
                }
            }
            types::EVENT_USAGE => {
                self.counters.insert(event.block(), event.num());
            }
            types::EVENT_USAGE_RAW => self.handle_usage(event),
            types::EVENT_ERROR => self.handle_error(event),
            _ => {}
        }
    }

    /// An error of the stream itself, found below the dialect.
    pub(crate) fn handle_failure(&mut self, message: &str) {
        self.errors.push(json!({ "message": message }));
    }

    fn block(&mut self, event: &StreamEvent<'_>) -> &mut Block {
        self.choices.entry(event.sub()).or_default().blocks.entry(event.block()).or_default()
    }

    fn handle_usage(&mut self, event: &StreamEvent<'_>) {
        let Ok(update) = serde_json::from_slice::<Value>(event.text()) else { return };
        match (&mut self.usage, update) {
            (Some(Value::Object(old)), Value::Object(update)) if event.has(types::FLAG_MERGE) => {
                // A provider that repeats a counter as null does not take it back.
                old.extend(update.into_iter().filter(|(_, value)| !value.is_null()));
            }
            (usage, update) => *usage = Some(update),
        }
    }

    fn handle_error(&mut self, event: &StreamEvent<'_>) {
        let error = serde_json::from_slice::<Value>(event.aux())
            .unwrap_or_else(|_| json!({ "message": String::from_utf8_lossy(event.text()) }));
        self.errors.push(error);
    }

    /// The answer, one JSON object.
    pub(crate) fn into_json(self) -> Value {
        let usage_norm = if self.counters.is_empty() {
            Value::Null
        } else {
            let counter = |kind| self.counters.get(&kind).map_or(Value::Null, |count| json!(count));
            json!({
                "input_tokens": counter(types::USAGE_INPUT),
                "output_tokens": counter(types::USAGE_OUTPUT),
                "total_tokens": counter(types::USAGE_TOTAL),
                "reasoning_tokens": counter(types::USAGE_REASONING),
                "cached_tokens": counter(types::USAGE_CACHE_READ),
            })
        };
        let choices: Vec<(u32, Map<String, Value>)> =
            self.choices.into_iter().map(|(sub, choice)| (sub, choice.into_json())).collect();
        let mut answer = choices.first().map_or_else(|| Choice::default().into_json(), |(_, first)| first.clone());
        answer.insert("usage".to_owned(), self.usage.unwrap_or(Value::Null));
        answer.insert("usage_norm".to_owned(), usage_norm);
        answer.insert("errors".to_owned(), Value::Array(self.errors));
        answer.insert("events".to_owned(), json!(self.events));
        if choices.len() > 1 {
            let list = choices.into_iter().map(|(sub, choice)| {
                let mut numbered = Map::new();
                numbered.insert("index".to_owned(), json!(sub));
                numbered.extend(choice);
                Value::Object(numbered)
            });
            answer.insert("choices".to_owned(), list.collect());
        }
        Value::Object(answer)
    }
}

impl Choice {
    fn into_json(self) -> Map<String, Value> {
        let join = |part: fn(&Block) -> &str| self.blocks.values().map(part).collect::<String>();
        let text = join(|block| &block.text);
        let thinking = join(|block| &block.thinking);
        let refusal = join(|block| &block.refusal);
        let calls: Vec<Value> = self.blocks.into_values().filter_map(|block| block.tool).map(Tool::into_json).collect();
        let mut map = Map::new();
        map.insert("text".to_owned(), text.into());
        map.insert("thinking".to_owned(), thinking.into());
        map.insert("refusal".to_owned(), refusal.into());
        map.insert("tool_calls".to_owned(), calls.into());
        map.insert("finish_reason".to_owned(), self.finish_reason.into());
        map
    }
}

impl Tool {
    fn into_json(self) -> Value {
        let id = (!self.id.is_empty()).then_some(self.id);
        json!({ "id": id, "name": self.name, "arguments_json": self.arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(events: &[StreamEvent<'_>]) -> Value {
        let mut facts = Facts::default();
        for event in events {
            facts.handle_event(event);
        }
        facts.into_json()
    }

    #[test]
    fn interleaved_tool_calls_are_kept_apart_by_their_block() {
        let arguments = |block, text| StreamEvent::new(types::EVENT_TOOL_ARGUMENTS).with_block(block).with_text(text);
        let answer = gather(&[
            StreamEvent::new(types::EVENT_TOOL_BEGIN).with_block(0).with_text(b"a").with_aux(b"1"),
            StreamEvent::new(types::EVENT_TOOL_BEGIN).with_block(1).with_text(b"b").with_aux(b"2"),
            arguments(1, b"{\"y\":"),
            arguments(0, b"{\"x\":"),
            arguments(1, b"2}"),
            arguments(0, b"1}"),
        ]);
        assert_eq!(
            answer["tool_calls"],
            json!([
                { "id": "1", "name": "a", "arguments_json": "{\"x\":1}" },
                { "id": "2", "name": "b", "arguments_json": "{\"y\":2}" },
            ])
        );
        assert_eq!(answer["events"], 6);
        assert_eq!(answer["usage_norm"], Value::Null);
        assert!(answer.get("choices").is_none());
    }

    #[test]
    fn usage_that_merges_keeps_what_it_does_not_name() {
        let raw = |text| StreamEvent::new(types::EVENT_USAGE_RAW).with_text(text).with_flags(types::FLAG_MERGE);
        let answer = gather(&[raw(b"{\"in\":3,\"out\":1}"), raw(b"{\"out\":7,\"in\":null}")]);
        assert_eq!(answer["usage"], json!({ "in": 3, "out": 7 }));
    }

    #[test]
    fn several_choices_are_listed_with_the_first_on_top() {
        let text = |sub, text| StreamEvent::new(types::EVENT_TEXT).with_sub(sub).with_text(text);
        let answer = gather(&[text(1, b"right"), text(0, b"left")]);
        assert_eq!(answer["text"], "left");
        assert_eq!(answer["choices"][1]["text"], "right");
        assert_eq!(answer["choices"][1]["index"], 1);
    }

    #[test]
    fn an_error_shows_as_its_json_or_as_its_message() {
        let answer = gather(&[
            StreamEvent::new(types::EVENT_ERROR).with_text(b"busy").with_aux(b"{\"type\":\"overloaded\"}"),
            StreamEvent::new(types::EVENT_ERROR).with_text(b"not json"),
        ]);
        assert_eq!(answer["errors"], json!([{ "type": "overloaded" }, { "message": "not json" }]));
    }
}
