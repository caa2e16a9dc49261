//! An event of a reply, by its name.

use std::str;

use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_STOP, EVENT_TEXT,
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, StreamEvent,
};
use thalweg_agent::failure::FailureKind;
use thalweg_agent::stop::StopKind;

/// One event of a reply. Deltas with the same `block` belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyEvent<'a> {
    /// The reply begins.
    Start {
        /// The model, as it names itself.
        model: &'a str,
        /// The provider's id of the reply.
        id: &'a str,
    },
    /// More text.
    Text {
        /// The block.
        block: u32,
        /// The piece.
        delta: &'a str,
    },
    /// More thinking.
    Thinking {
        /// The block.
        block: u32,
        /// The piece.
        delta: &'a str,
    },
    /// A piece of the signature of a thinking block.
    ThinkingSignature {
        /// The block.
        block: u32,
        /// The piece.
        delta: &'a str,
    },
    /// Thinking that only the provider can read.
    RedactedThinking {
        /// The block.
        block: u32,
        /// Its data.
        data: &'a str,
    },
    /// More of a refusal.
    Refusal {
        /// The block.
        block: u32,
        /// The piece.
        delta: &'a str,
    },
    /// A tool call begins.
    ToolCall {
        /// The block.
        block: u32,
        /// Its id; empty where the provider gives none.
        id: &'a str,
        /// The tool.
        name: &'a str,
    },
    /// More of the arguments of a tool call.
    ToolArguments {
        /// The block.
        block: u32,
        /// The piece of JSON text.
        delta: &'a str,
    },
    /// A block is complete.
    BlockEnd {
        /// The block.
        block: u32,
    },
    /// A counter of tokens; the last value counts.
    Usage {
        /// `THW_USAGE_*`.
        counter: u32,
        /// Tokens.
        tokens: i64,
    },
    /// The reply ends.
    Stop {
        /// Why.
        kind: StopKind,
        /// The provider's word for it.
        raw: &'a str,
    },
    /// The provider tells an error.
    Error {
        /// What kind of failure it is.
        kind: FailureKind,
        /// What it says.
        message: &'a str,
    },
    /// Anything else, with its number.
    Other(u32),
}

impl<'a> ReplyEvent<'a> {
    /// What `event` says.
    #[must_use]
    pub fn of(event: &StreamEvent<'a>) -> Self {
        let (block, text, aux) = (event.block(), of_bytes(event.text()), of_bytes(event.aux()));
        match event.kind() {
            EVENT_MESSAGE_START => Self::Start { model: text, id: aux },
            EVENT_TEXT => Self::Text { block, delta: text },
            EVENT_THINKING => Self::Thinking { block, delta: text },
            EVENT_THINKING_SIGNATURE => Self::ThinkingSignature { block, delta: text },
            EVENT_REDACTED_THINKING => Self::RedactedThinking { block, data: text },
            EVENT_REFUSAL => Self::Refusal { block, delta: text },
            EVENT_TOOL_BEGIN => Self::ToolCall { block, id: aux, name: text },
            EVENT_TOOL_ARGUMENTS => Self::ToolArguments { block, delta: text },
            EVENT_BLOCK_END => Self::BlockEnd { block },
            EVENT_USAGE => Self::Usage { counter: block, tokens: event.num() },
            EVENT_STOP => Self::Stop { kind: StopKind::from_num(event.num()), raw: text },
            EVENT_ERROR => Self::Error { kind: FailureKind::from_num(event.num()), message: text },
            kind => Self::Other(kind),
        }
    }
}

/// The pipeline and the sinks give valid UTF-8 only.
fn of_bytes(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}
