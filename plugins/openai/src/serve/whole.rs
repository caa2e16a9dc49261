//! A reply that is not streamed: the chunks of one that is, added up.

use serde_json::{Map, Value, json};

/// The reply so far.
#[derive(Debug, Default)]
pub(super) struct Whole {
    choices: Vec<Value>,
    citations: Option<Value>,
    error: Option<Value>,
}

impl Whole {
    /// Adds a chunk.
    pub(super) fn add(&mut self, mut chunk: Value) {
        if let Some(citations) = chunk.get_mut("citations") {
            self.citations = Some(citations.take());
        }
        let Value::Array(choices) = chunk["choices"].take() else { return };
        for mut choice in choices {
            let target = match self.choices.iter().position(|known| known["index"] == choice["index"]) {
                Some(place) => &mut self.choices[place],
                None => {
                    let message = json!({"role": "assistant", "content": null});
                    self.choices.push(json!({"index": choice["index"], "message": message, "finish_reason": null}));
                    let last = self.choices.len() - 1;
                    &mut self.choices[last]
                }
            };
            if !choice["finish_reason"].is_null() {
                target["finish_reason"] = choice["finish_reason"].take();
            }
            if let (Value::Object(message), Value::Object(delta)) = (&mut target["message"], choice["delta"].take()) {
                merge(message, delta);
            }
        }
    }

    /// What the client gets instead of a reply. The first failure is told.
    pub(super) fn fail(&mut self, error: Value) {
        self.error.get_or_insert(error);
    }

    /// The body, but for its head.
    pub(super) fn take(&mut self) -> Value {
        if let Some(error) = self.error.take() {
            return error;
        }
        let mut body = json!({"choices": std::mem::take(&mut self.choices)});
        if let Some(citations) = self.citations.take() {
            body["citations"] = citations;
        }
        body
    }
}

/// Adds what a delta says to a message.
fn merge(message: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (key, value) in delta {
        match (key.as_str(), value) {
            ("role", _) => {}
            ("tool_calls", Value::Array(calls)) => {
                let list = message.entry(key).or_insert_with(|| json!([]));
                for call in calls {
                    add_call(list, call);
                }
            }
            (_, Value::String(more)) if more.is_empty() => {}
            (_, Value::String(more)) => match message.get_mut(&key) {
                Some(Value::String(text)) => text.push_str(&more),
                // Behind parts that are no text, text is a part too.
                Some(Value::Array(parts)) => parts.push(json!({"type": "text", "text": more})),
                _ => drop(message.insert(key, json!(more))),
            },
            ("content", Value::Array(more)) => {
                let content = message.entry(key).or_insert(Value::Null);
                if let Value::String(text) = content {
                    *content = json!([{"type": "text", "text": text}]);
                }
                match content {
                    Value::Array(parts) => parts.extend(more),
                    _ => *content = more.into(),
                }
            }
            (_, Value::Array(more)) => match message.get_mut(&key) {
                Some(Value::Array(list)) => list.extend(more),
                _ => drop(message.insert(key, more.into())),
            },
            (_, value) => drop(message.insert(key, value)),
        }
    }
}

fn add_call(list: &mut Value, mut call: Value) {
    let Value::Array(list) = list else { return };
    let Some(index) = call["index"].as_u64().and_then(|index| usize::try_from(index).ok()) else { return };
    match list.get_mut(index) {
        None => {
            if let Value::Object(call) = &mut call {
                call.remove("index");
            }
            list.push(call);
        }
        Some(known) => {
            if call["id"].is_string() {
                known["id"] = call["id"].take();
            }
            for field in ["name", "arguments"] {
                if let (Value::String(text), Some(more)) =
                    (&mut known["function"][field], call["function"][field].as_str())
                {
                    text.push_str(more);
                }
            }
        }
    }
}
