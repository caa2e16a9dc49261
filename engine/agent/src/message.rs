//! Messages of a conversation. The serde form is the canonical JSON that codecs read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::content::{ContentBlock, OtherContent, Source, ToolCall, ToolResult, UserContent};
pub use crate::failure::{Failure, FailureKind};
pub use crate::stop::{StopKind, StopReason};
pub use crate::usage::Usage;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "every other message is a reply, so that a box would save little")]
pub enum Message {
    /// What a user says.
    User(UserMessage),
    /// What the model says.
    Assistant(AssistantMessage),
    /// All tool results of one turn, in the order of the calls.
    Tool(ToolMessage),
    /// A message of the program's own: kept in the conversation and told to readers, never sent to a provider.
    Custom(CustomMessage),
}

impl Message {
    /// A user's message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::user_content(vec![UserContent::text(text)])
    }

    /// A user's message of several parts, such as a question and an image.
    #[must_use]
    pub const fn user_content(content: Vec<UserContent>) -> Self {
        Self::User(UserMessage { content, time_us: None })
    }

    /// A message of the program's own.
    pub fn custom(custom_type: impl Into<String>, data: Value) -> Self {
        Self::Custom(CustomMessage { custom_type: custom_type.into(), data, time_us: None })
    }

    /// `user`, `assistant`, `tool` or `custom`.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Assistant(_) => "assistant",
            Self::Tool(_) => "tool",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether a request may carry this message: providers refuse empty ones, such as a reply that failed at once.
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        match self {
            Self::User(message) => !message.content.is_empty(),
            Self::Assistant(message) => message.has_content(),
            Self::Tool(message) => !message.content.is_empty(),
            Self::Custom(_) => false,
        }
    }

    /// The canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and JSON values only, with string keys: there is nothing here that can fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a user says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMessage {
    /// Its parts.
    pub content: Vec<UserContent>,
    /// When, on the clock of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_us: Option<u64>,
}

/// The tool results of one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolMessage {
    /// One a call, in the order of the calls.
    pub content: Vec<ToolResult>,
    /// When the last one came, on the clock of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_us: Option<u64>,
}

/// A message of the program's own, such as a note in its window. A hook at
/// `ConvertMessages` may put a user's message in its place on the way to the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomMessage {
    /// The program's name for it.
    #[serde(rename = "type")]
    pub custom_type: String,
    /// Whatever it holds.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// When it was said, in microseconds of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_us: Option<u64>,
}

/// What the model says: complete, or as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssistantMessage {
    /// Its parts, in order of appearance.
    pub content: Vec<ContentBlock>,
    /// Id of the provider as the caller named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The provider's id of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// Why it ended; none while it is still coming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// Tokens, as far as the provider counted them.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub usage: Usage,
    /// What went wrong; the content is what came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Content that is kept but neither understood nor sent back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_content: Vec<OtherContent>,
    /// When it ended, on the clock of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_us: Option<u64>,
}

impl AssistantMessage {
    /// All text blocks, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.content
            .iter()
            .filter_map(|b| if let ContentBlock::Text { text } = b { Some(text.as_str()) } else { None })
            .collect()
    }

    /// All thinking blocks, joined.
    #[must_use]
    pub fn thinking(&self) -> String {
        self.content
            .iter()
            .filter_map(|b| if let ContentBlock::Thinking { text, .. } = b { Some(text.as_str()) } else { None })
            .collect()
    }

    /// All refusal blocks, joined.
    #[must_use]
    pub fn refusal(&self) -> String {
        self.content
            .iter()
            .filter_map(|b| if let ContentBlock::Refusal { text } = b { Some(text.as_str()) } else { None })
            .collect()
    }

    /// The tool calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|b| if let ContentBlock::ToolCall(call) = b { Some(call) } else { None })
    }

    /// The engine's word for its end; none while it is still coming.
    #[must_use]
    pub fn stop_kind(&self) -> Option<StopKind> {
        self.stop_reason.as_ref().map(|reason| reason.mapped)
    }

    /// Whether there is anything that a provider takes back: thinking alone only with its signature.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.content.iter().any(|block| match block {
            ContentBlock::Text { text } | ContentBlock::Refusal { text } => !text.is_empty(),
            ContentBlock::Thinking { signature, .. } => signature.is_some(),
            ContentBlock::RedactedThinking { .. } | ContentBlock::ToolCall(_) => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round_trip(message: &Message, expected: Value) {
        assert_eq!(serde_json::to_value(message).unwrap(), expected);
        assert_eq!(&serde_json::from_value::<Message>(expected).unwrap(), message);
    }

    #[test]
    fn user_message_has_the_canonical_form() {
        let content = vec![
            UserContent::text("hi"),
            UserContent::image(Source::data("image/png", "AA==")),
            UserContent::image(Source::url("https://x/y.png")),
            UserContent::document(Source::url("https://x/z.pdf"), Some("z".into())).cached(),
        ];
        round_trip(
            &Message::User(UserMessage { content, time_us: None }),
            json!({"role":"user","content":[
                {"type":"text","text":"hi"},
                {"type":"image","media_type":"image/png","data":"AA=="},
                {"type":"image","url":"https://x/y.png"},
                {"type":"document","url":"https://x/z.pdf","name":"z","cache":true}]}),
        );
    }

    #[test]
    fn a_message_of_the_program_is_kept_and_not_sent() {
        let message = Message::custom("note", json!({"text": "seen"}));
        assert!(!message.is_sendable() && message.role() == "custom");
        round_trip(&message, json!({"role":"custom","type":"note","data":{"text":"seen"}}));
    }

    #[test]
    fn assistant_message_has_the_canonical_form() {
        let call =
            ToolCall { id: "c1".into(), name: "add".into(), arguments: "{\"a\":1}".into(), ..ToolCall::default() };
        let message = AssistantMessage {
            content: vec![
                ContentBlock::Thinking { text: "hm".into(), signature: Some("s".into()) },
                ContentBlock::RedactedThinking { data: "d".into() },
                ContentBlock::Text { text: "t".into() },
                ContentBlock::Refusal { text: "no".into() },
                ContentBlock::ToolCall(call),
            ],
            model: Some("m".into()),
            stop_reason: Some(StopReason { mapped: StopKind::ToolUse, raw: Some("tool_calls".into()), sequence: None }),
            usage: Usage { input_tokens: Some(3), ..Usage::default() },
            error: Some(Failure::new(FailureKind::Truncated, "cut")),
            ..AssistantMessage::default()
        };
        round_trip(
            &Message::Assistant(message),
            json!({"role":"assistant","content":[
                {"type":"thinking","text":"hm","signature":"s"},
                {"type":"redacted_thinking","data":"d"},
                {"type":"text","text":"t"},
                {"type":"refusal","text":"no"},
                {"type":"tool_call","id":"c1","name":"add","arguments":"{\"a\":1}"}],
                "model":"m","stop_reason":{"mapped":"tool_use","raw":"tool_calls"},
                "usage":{"input_tokens":3},"error":{"kind":"truncated","message":"cut"}}),
        );
    }

    #[test]
    fn tool_message_has_the_canonical_form() {
        let result = ToolResult {
            tool_call_id: "c1".into(),
            tool_name: "add".into(),
            content: vec![UserContent::text("2")],
            is_error: false,
            details: None,
        };
        round_trip(
            &Message::Tool(ToolMessage { content: vec![result], time_us: None }),
            json!({"role":"tool","content":[{"type":"tool_result","tool_call_id":"c1","tool_name":"add",
                "content":[{"type":"text","text":"2"}],"is_error":false}]}),
        );
    }

    #[test]
    fn a_reply_without_content_is_not_sendable() {
        let mut message = AssistantMessage::default();
        assert!(!Message::Assistant(message.clone()).is_sendable());
        message.content.push(ContentBlock::Text { text: String::new() });
        message.content.push(ContentBlock::Thinking { text: "cut".into(), signature: None });
        assert!(!Message::Assistant(message.clone()).is_sendable());
        message.content.push(ContentBlock::Text { text: "x".into() });
        assert!(Message::Assistant(message).is_sendable());
    }
}
