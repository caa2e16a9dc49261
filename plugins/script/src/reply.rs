//! One reply of a script.

use std::thread;
use std::time::Duration;

use crate::fetch::Fetch;
use serde::Deserialize;
use serde_json::Value;
use thalweg_abi::guest::{Closed, Failure, Reply as Sink};
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_TEXT, EVENT_THINKING, FAILURE_OTHER, FAILURE_OVERLOADED, FAILURE_RATE_LIMIT, STOP_END,
    STOP_LENGTH, STOP_TOOL_USE, StreamEvent, USAGE_INPUT, USAGE_OUTPUT,
};

/// What a reply holds, in this order. A key that nobody knows is a slip, and an error.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// Thinking that comes first, word by word.
    pub thinking: String,
    /// The text, word by word.
    pub text: String,
    /// Text that a server gives, behind the other.
    pub fetch: Option<Fetch>,
    /// Tools to call: `{"name": …, "arguments": {…}}`, with an `id` where it matters.
    pub tool_calls: Vec<ToolCall>,
    /// How often the text is said; 1 unless set.
    pub repeat: Option<u64>,
    /// Milliseconds before each word.
    pub delay_ms: u64,
    /// Tokens of the prompt and of the reply.
    pub usage: Option<(u64, u64)>,
    /// Whether the reply ends for its length.
    #[serde(rename = "cut")]
    pub is_cut: bool,
    /// An error that ends it: `rate_limit`, `overloaded`, or any other word.
    pub error: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Id of the call; one is made of its numbers unless set.
    pub id: Option<String>,
    /// Name of the tool.
    pub name: String,
    /// Its arguments, as an object; a string is sent as it stands, for arguments that are wrong.
    #[serde(default)]
    pub arguments: Value,
}

impl Reply {
    /// Plays reply `number` of the conversation.
    pub(crate) fn play(&self, model: &str, number: usize, sink: &mut Sink) -> Result<(), Failure> {
        sink.begin(model)?;
        let mut block = 0;
        if !self.thinking.is_empty() {
            self.say(EVENT_THINKING, block, &self.thinking, sink)?;
            block += 1;
        }
        if !self.text.is_empty() {
            for _ in 0..self.repeat.unwrap_or(1) {
                self.say(EVENT_TEXT, block, &self.text, sink)?;
            }
            block += 1;
        }
        if let Some(fetch) = &self.fetch {
            fetch.say(block, sink)?;
            block += 1;
        }
        for (index, call) in self.tool_calls.iter().enumerate() {
            let id = call.id.clone().unwrap_or_else(|| format!("call_{}_{index}", number + 1));
            let arguments = match &call.arguments {
                Value::Null => "{}".to_owned(),
                Value::String(text) => text.clone(),
                arguments => arguments.to_string(),
            };
            sink.tool_call(block, &id, &call.name, &arguments)?;
            block += 1;
        }
        if let Some((input, output)) = self.usage {
            sink.usage(USAGE_INPUT, input)?;
            sink.usage(USAGE_OUTPUT, output)?;
        }
        match &self.error {
            Some(word) => {
                let kind = match word.as_str() {
                    "rate_limit" => FAILURE_RATE_LIMIT,
                    "overloaded" => FAILURE_OVERLOADED,
                    _ => FAILURE_OTHER,
                };
                sink.push(&[StreamEvent::new(EVENT_ERROR).with_num(kind).with_text(word.as_bytes())])?;
            }
            None if self.is_cut => sink.stop(STOP_LENGTH)?,
            None if self.tool_calls.is_empty() => sink.stop(STOP_END)?,
            None => sink.stop(STOP_TOOL_USE)?,
        }
        Ok(())
    }

    fn say(&self, kind: u32, block: u32, text: &str, sink: &mut Sink) -> Result<(), Closed> {
        for word in text.split_inclusive(' ') {
            // In short naps, so that a cancel is not waited for.
            let mut left = self.delay_ms;
            while left > 0 && !sink.is_cancelled() {
                let nap = left.min(NAP_MS);
                thread::sleep(Duration::from_millis(nap));
                left -= nap;
            }
            sink.push(&[StreamEvent::new(kind).with_block(block).with_text(word.as_bytes())])?;
        }
        Ok(())
    }
}

const NAP_MS: u64 = 10;
