//! The reply that is coming in, as far as its events tell.
//!
//! A reader who wants the message so far at every moment feeds the events it reads to a [`Partial`]: each costs one append,
//! and a copy is made only when [`Partial::message`] is asked for.

use serde_json::Value;

use crate::event::{BlockKind, EventView, UpdateView};
use crate::limits::BLOCKS_MAX;
use crate::message::{AssistantMessage, ContentBlock, Message, ToolCall};
use crate::partial_json;

/// The reply that is coming in.
#[derive(Clone, Debug, Default)]
pub struct Partial {
    /// What was known when it began; none while no reply comes in.
    start: Option<AssistantMessage>,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
struct Block {
    kind: BlockKind,
    text: String,
    id: String,
    name: String,
    /// The call, once it is complete.
    call: Option<ToolCall>,
}

impl Partial {
    /// Takes the next event of the run.
    pub fn take(&mut self, event: &EventView<'_>) {
        match *event {
            EventView::MessageStart { role: "assistant", message } => {
                let start = match serde_json::from_str(message) {
                    Ok(Message::Assistant(start)) => start,
                    _ => AssistantMessage::default(),
                };
                self.start = Some(start);
                self.blocks.clear();
            }
            EventView::MessageUpdate(update) => self.update(update),
            EventView::MessageEnd { role: "assistant", .. } => *self = Self::default(),
            _ => {}
        }
    }

    fn update(&mut self, update: UpdateView<'_>) {
        match update {
            UpdateView::Start { block, content_index, tool_call_id, tool_name, .. } => {
                // Blocks begin in the order of their places.
                if content_index as usize == self.blocks.len() && self.blocks.len() < BLOCKS_MAX {
                    let (id, name) = (tool_call_id.to_owned(), tool_name.to_owned());
                    self.blocks.push(Block { kind: block, text: String::new(), id, name, call: None });
                }
            }
            UpdateView::Delta { content_index, delta, .. } => {
                if let Some(block) = self.blocks.get_mut(content_index as usize) {
                    block.text.push_str(delta);
                }
            }
            UpdateView::End { block: kind, content_index, content } => {
                if let Some(block) = self.blocks.get_mut(content_index as usize) {
                    match kind {
                        BlockKind::ToolCall => block.call = serde_json::from_str(content).ok(),
                        _ => content.clone_into(&mut block.text),
                    }
                }
            }
        }
    }

    /// Whether a reply is coming in.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.start.is_some()
    }

    /// The blocks of the reply so far.
    #[must_use]
    pub const fn blocks_len(&self) -> usize {
        self.blocks.len()
    }

    /// The text of a block so far; of a tool call the arguments as they came.
    #[must_use]
    pub fn text(&self, content_index: u32) -> Option<&str> {
        self.blocks.get(content_index as usize).map(|block| block.text.as_str())
    }

    /// The arguments of a tool call, as far as they can be read: `{"city": "Par` is `{"city": "Par"}`. Costs a pass over
    /// their text.
    #[must_use]
    pub fn arguments(&self, content_index: u32) -> Option<Value> {
        let block = self.blocks.get(content_index as usize).filter(|block| block.kind == BlockKind::ToolCall)?;
        partial_json::parse(&block.text)
    }

    /// The message so far; none while no reply comes in. Copies it. Signatures, usage and the reason of the end come with
    /// `message_end` only. The arguments of a call that is not complete are what can be read of them, as in
    /// [`Partial::arguments`]; `wire_arguments` has their text.
    #[must_use]
    pub fn message(&self) -> Option<AssistantMessage> {
        let start = self.start.clone()?;
        Some(AssistantMessage { content: self.blocks.iter().map(Block::content).collect(), ..start })
    }
}

impl Block {
    fn content(&self) -> ContentBlock {
        let text = self.text.clone();
        match self.kind {
            BlockKind::Text => ContentBlock::Text { text },
            BlockKind::Thinking => ContentBlock::Thinking { text, signature: None },
            BlockKind::Refusal => ContentBlock::Refusal { text },
            BlockKind::ToolCall => ContentBlock::ToolCall(self.call.clone().unwrap_or_else(|| {
                let known = partial_json::parse(&text).filter(Value::is_object);
                let arguments = known.map_or_else(|| "{}".to_owned(), |known| known.to_string());
                let (id, name) = (self.id.clone(), self.name.clone());
                ToolCall { id, name, arguments, wire_arguments: Some(text), arguments_error: None }
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delta(block: BlockKind, content_index: u32, delta: &str) -> EventView<'_> {
        EventView::MessageUpdate(UpdateView::Delta { block, content_index, delta, member: "" })
    }

    #[test]
    fn the_message_grows_with_each_event_and_is_gone_with_its_end() {
        let mut partial = Partial::default();
        assert!(partial.message().is_none());
        partial.take(&EventView::MessageStart { role: "user", message: r#"{"role":"user","content":[]}"# });
        assert!(!partial.is_open());
        let start = r#"{"role":"assistant","content":[],"model":"m"}"#;
        partial.take(&EventView::MessageStart { role: "assistant", message: start });
        let begin = |block, content_index, tool_call_id, tool_name| {
            EventView::MessageUpdate(UpdateView::Start { block, content_index, tool_call_id, tool_name, member: "" })
        };
        partial.take(&begin(BlockKind::Text, 0, "", ""));
        partial.take(&delta(BlockKind::Text, 0, "Look"));
        partial.take(&delta(BlockKind::Text, 0, "ing"));
        partial.take(&begin(BlockKind::ToolCall, 1, "c1", "weather"));
        partial.take(&delta(BlockKind::ToolCall, 1, "{\"city\":\"Par"));
        let message = partial.message().unwrap();
        assert_eq!((message.text().as_str(), message.model.as_deref()), ("Looking", Some("m")));
        assert_eq!(message.tool_calls().next().unwrap().arguments, r#"{"city":"Par"}"#);
        assert_eq!(partial.arguments(1), Some(json!({"city": "Par"})));
        assert_eq!((partial.arguments(0), partial.text(0)), (None, Some("Looking")));
        // A place that no block has, such as from a log that was cut, is no place.
        partial.take(&delta(BlockKind::Text, 7, "x"));
        assert_eq!(partial.blocks_len(), 2);
        let call = r#"{"id":"c1","name":"weather","arguments":"{\"city\":\"Paris\"}"}"#;
        let end = UpdateView::End { block: BlockKind::ToolCall, content_index: 1, content: call };
        partial.take(&EventView::MessageUpdate(end));
        let message = partial.message().unwrap();
        assert_eq!(message.tool_calls().next().unwrap().arguments, r#"{"city":"Paris"}"#);
        partial.take(&EventView::MessageEnd { role: "assistant", message: start });
        assert!(partial.message().is_none());
    }
}
