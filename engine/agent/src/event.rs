//! The events of a run as users see them: ten kinds, named as in TinyAgent and pi.
//!
//! [`EventView`] borrows from an event of the log and costs nothing; [`AgentEvent`] owns everything and has the serde
//! form. Both give the same JSON: one object with `type`, `seq` and `time_us`. A `message_update` carries the delta, not a
//! copy of the message so far: that would make a reply quadratic.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thalweg_abi::types::{
    EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, FLAG_SPEAKER, StreamEvent,
};

use crate::action::EndReason;
use crate::kind;
use crate::message::{Failure, Message, ToolCall, ToolResult, Usage, UserContent};

/// An event of a run, borrowed from the log. Payloads are JSON objects as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventView<'a> {
    /// The run begins.
    AgentStart,
    /// A turn begins.
    TurnStart {
        /// Its number, from 1.
        turn: u32,
    },
    /// A message begins.
    MessageStart {
        /// `user`, `assistant` or `tool`.
        role: &'a str,
        /// JSON of the message; of a reply without content.
        message: &'a str,
    },
    /// A step of the reply.
    MessageUpdate(UpdateView<'a>),
    /// A message is complete.
    MessageEnd {
        /// `user`, `assistant` or `tool`.
        role: &'a str,
        /// JSON of the message.
        message: &'a str,
    },
    /// A tool begins to run.
    ToolExecutionStart {
        /// Id of the call.
        tool_call_id: &'a str,
        /// JSON `{tool_call_id, tool_name, args}`, and `member` where one of a team runs it; so in the other two.
        payload: &'a str,
    },
    /// A tool reports progress.
    ToolExecutionUpdate {
        /// Id of the call.
        tool_call_id: &'a str,
        /// JSON `{tool_call_id, tool_name, args, partial_result}`.
        payload: &'a str,
    },
    /// A tool is done.
    ToolExecutionEnd {
        /// Id of the call.
        tool_call_id: &'a str,
        /// JSON `{tool_call_id, tool_name, args, result, is_error}`.
        payload: &'a str,
    },
    /// A turn is over.
    TurnEnd {
        /// JSON `{message, tool_results}`.
        payload: &'a str,
    },
    /// The run is over; always the last event, and only once.
    AgentEnd {
        /// Why, as [`EndReason`] writes it.
        reason: &'a str,
        /// JSON `{messages, reason, turns, usage, error}`.
        payload: &'a str,
    },
}

/// Which sort of content block an update is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Text of the answer.
    Text,
    /// Thinking; hidden thinking has no deltas and no content.
    Thinking,
    /// A refusal.
    Refusal,
    /// A tool call.
    ToolCall,
}

/// A step of the reply, borrowed from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateView<'a> {
    /// A content block begins.
    Start {
        /// Its sort.
        block: BlockKind,
        /// Its place in the message.
        content_index: u32,
        /// Id of the tool call as far as known, else empty.
        tool_call_id: &'a str,
        /// Name of the tool as far as known, else empty.
        tool_name: &'a str,
        /// Who of a team speaks, such as `panel/critic`; empty where only one does.
        member: &'a str,
    },
    /// More of a content block.
    Delta {
        /// Its sort.
        block: BlockKind,
        /// Its place in the message.
        content_index: u32,
        /// What is added; of a tool call a piece of the JSON text of its arguments.
        delta: &'a str,
        /// Who of a team speaks, such as `panel/critic`; empty where only one does.
        member: &'a str,
    },
    /// A content block is complete.
    End {
        /// Its sort.
        block: BlockKind,
        /// Its place in the message.
        content_index: u32,
        /// Its whole text; of a tool call the JSON `{id, name, arguments}`.
        content: &'a str,
    },
}

impl<'a> EventView<'a> {
    /// Reads an event of the log. `None` for events that are no step of a run in this sense: usage, stop, errors inside a
    /// stream, further choices, kinds that this version does not know.
    #[must_use]
    pub fn decode(event: &StreamEvent<'a>) -> Option<Self> {
        if event.sub() != 0 {
            return None;
        }
        if event.kind() < kind::AGENT_START {
            let block = BlockKind::from_delta(event.kind())?;
            let delta = text(event.text())?;
            let member = if event.has(FLAG_SPEAKER) { text(event.aux())? } else { "" };
            return Some(Self::MessageUpdate(UpdateView::Delta { block, content_index: event.block(), delta, member }));
        }
        let aux = text(event.aux())?;
        Some(match event.kind() {
            kind::AGENT_START => Self::AgentStart,
            kind::TURN_START => Self::TurnStart { turn: u32::try_from(event.num()).ok()? },
            kind::MESSAGE_START => Self::MessageStart { role: aux, message: object(event.text())? },
            kind::MESSAGE_END => Self::MessageEnd { role: aux, message: object(event.text())? },
            kind::BLOCK_START | kind::BLOCK_END => Self::MessageUpdate(UpdateView::decode(event)?),
            kind::TOOL_EXECUTION_START => {
                Self::ToolExecutionStart { tool_call_id: aux, payload: object(event.text())? }
            }
            kind::TOOL_EXECUTION_UPDATE => {
                Self::ToolExecutionUpdate { tool_call_id: aux, payload: object(event.text())? }
            }
            kind::TOOL_EXECUTION_END => Self::ToolExecutionEnd { tool_call_id: aux, payload: object(event.text())? },
            kind::TURN_END => Self::TurnEnd { payload: object(event.text())? },
            kind::AGENT_END => Self::AgentEnd { reason: aux, payload: object(event.text())? },
            _ => return None,
        })
    }

    /// The `type` of the JSON form.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::AgentStart => "agent_start",
            Self::TurnStart { .. } => "turn_start",
            Self::MessageStart { .. } => "message_start",
            Self::MessageUpdate(_) => "message_update",
            Self::MessageEnd { .. } => "message_end",
            Self::ToolExecutionStart { .. } => "tool_execution_start",
            Self::ToolExecutionUpdate { .. } => "tool_execution_update",
            Self::ToolExecutionEnd { .. } => "tool_execution_end",
            Self::TurnEnd { .. } => "turn_end",
            Self::AgentEnd { .. } => "agent_end",
        }
    }

    /// Appends the JSON form, without a line end.
    pub fn write_json(&self, seq: u64, time_us: u64, out: &mut Vec<u8>) {
        write_parts(out, &["{\"type\":\"", self.event_type(), "\",\"seq\":"]);
        write_number(seq, out);
        write_parts(out, &[",\"time_us\":"]);
        write_number(time_us, out);
        match self {
            Self::AgentStart => out.push(b'}'),
            Self::TurnStart { turn } => {
                write_parts(out, &[",\"turn\":"]);
                write_number(u64::from(*turn), out);
                out.push(b'}');
            }
            Self::MessageStart { message, .. } | Self::MessageEnd { message, .. } => {
                write_parts(out, &[",\"message\":", message, "}"]);
            }
            Self::MessageUpdate(update) => {
                write_parts(out, &[",\"assistant_message_event\":"]);
                update.write_json(out);
                out.push(b'}');
            }
            Self::ToolExecutionStart { payload, .. }
            | Self::ToolExecutionUpdate { payload, .. }
            | Self::ToolExecutionEnd { payload, .. }
            | Self::TurnEnd { payload }
            | Self::AgentEnd { payload, .. } => {
                // The fields of the payload join those of the head.
                out.push(b',');
                out.extend_from_slice(&payload.as_bytes()[1..]);
            }
        }
    }
}

impl BlockKind {
    const fn from_delta(kind: u32) -> Option<Self> {
        match kind {
            EVENT_TEXT => Some(Self::Text),
            EVENT_THINKING => Some(Self::Thinking),
            EVENT_REFUSAL => Some(Self::Refusal),
            EVENT_TOOL_ARGUMENTS => Some(Self::ToolCall),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Thinking => "thinking",
            Self::Refusal => "refusal",
            Self::ToolCall => "tool_call",
        }
    }
}

impl<'a> UpdateView<'a> {
    fn decode(event: &StreamEvent<'a>) -> Option<Self> {
        let block_type = u32::try_from(event.num()).ok()?;
        let is_hidden = block_type == EVENT_REDACTED_THINKING;
        let block = if is_hidden { BlockKind::Thinking } else { BlockKind::from_delta(block_type)? };
        let (content_index, text, aux) = (event.block(), text(event.text())?, text(event.aux())?);
        Some(if event.kind() == kind::BLOCK_START {
            let (tool_call_id, member) = if block == BlockKind::ToolCall { (aux, "") } else { ("", aux) };
            Self::Start { block, content_index, tool_call_id, tool_name: text, member }
        } else {
            Self::End { block, content_index, content: if is_hidden { "" } else { text } }
        })
    }

    /// Appends the JSON form: `type` such as `text_delta`, `content_index`, and what the step adds.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let (block, step, index) = match self {
            Self::Start { block, content_index, .. } => (*block, "_start", content_index),
            Self::Delta { block, content_index, .. } => (*block, "_delta", content_index),
            Self::End { block, content_index, .. } => (*block, "_end", content_index),
        };
        write_parts(out, &["{\"type\":\"", block.as_str(), step, "\",\"content_index\":"]);
        write_number(u64::from(*index), out);
        match self {
            Self::Start { block: BlockKind::ToolCall, tool_call_id, tool_name, .. } => {
                write_field("tool_call_id", tool_call_id, out);
                write_field("tool_name", tool_name, out);
            }
            Self::Start { member, .. } => write_member(member, out),
            Self::Delta { delta, member, .. } => {
                write_field("delta", delta, out);
                write_member(member, out);
            }
            Self::End { block: BlockKind::ToolCall, content, .. } => {
                write_parts(out, &[",\"tool_call\":", content]);
            }
            Self::End { content, .. } => write_field("content", content, out),
        }
        out.push(b'}');
    }
}

/// An event of a run that owns its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// What happened.
    #[serde(flatten)]
    pub body: AgentEventBody,
    /// Its place in the log of the run.
    pub seq: u64,
    /// When, on the clock of the run.
    pub time_us: u64,
}

impl AgentEvent {
    /// Reads an event of the log; `None` where [`EventView::decode`] gives none.
    #[must_use]
    pub fn decode(event: &StreamEvent<'_>, time_us: u64) -> Option<Self> {
        let view = EventView::decode(event)?;
        if let EventView::MessageUpdate(UpdateView::Delta { block, content_index, delta, member }) = view {
            let (delta, member) = (delta.to_owned(), member.to_owned());
            let assistant_message_event = AssistantMessageEvent::from_delta(block, content_index, delta, member);
            let body = AgentEventBody::MessageUpdate { assistant_message_event };
            return Some(Self { body, seq: event.seq(), time_us });
        }
        let mut json = Vec::new();
        view.write_json(event.seq(), time_us, &mut json);
        serde_json::from_slice(&json).ok()
    }
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEventBody {
    /// The run begins.
    AgentStart,
    /// A turn begins.
    TurnStart {
        /// Its number, from 1.
        turn: u32,
    },
    /// A message begins.
    MessageStart {
        /// The message; a reply has no content yet.
        message: Message,
    },
    /// A step of the reply.
    MessageUpdate {
        /// The step.
        assistant_message_event: AssistantMessageEvent,
    },
    /// A message is complete.
    MessageEnd {
        /// The message.
        message: Message,
    },
    /// A tool begins to run.
    ToolExecutionStart {
        /// Id of the call.
        tool_call_id: String,
        /// Name of the tool.
        tool_name: String,
        /// Its arguments.
        args: Value,
        /// Who of a team runs it, such as `panel/critic`; empty where only one does.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// A tool reports progress.
    ToolExecutionUpdate {
        /// Id of the call.
        tool_call_id: String,
        /// Name of the tool.
        tool_name: String,
        /// Its arguments.
        args: Value,
        /// Who of a team runs it, such as `panel/critic`; empty where only one does.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
        /// What it has to say so far.
        partial_result: PartialResult,
    },
    /// A tool is done.
    ToolExecutionEnd {
        /// Id of the call.
        tool_call_id: String,
        /// Name of the tool.
        tool_name: String,
        /// Its arguments.
        args: Value,
        /// Who of a team runs it, such as `panel/critic`; empty where only one does.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
        /// Its answer, or why there is none.
        result: ToolAnswer,
        /// Whether it failed.
        is_error: bool,
        /// Whether it has not run, since a person is to approve it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_waiting: bool,
    },
    /// A turn is over.
    TurnEnd {
        /// The reply.
        message: Message,
        /// The results of its tool calls, in the order of the calls.
        tool_results: Vec<ToolResult>,
    },
    /// The run is over.
    AgentEnd {
        /// The messages that the run added to the conversation.
        messages: Vec<Message>,
        /// Why it ended.
        reason: EndReason,
        /// Turns it took.
        turns: u32,
        /// Tokens over all turns.
        usage: Usage,
        /// What went wrong, if anything did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// Ids of the tool calls that wait for a person.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pending: Vec<String>,
    },
}

/// What a tool says before it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialResult {
    /// A message for the person who waits.
    pub content: Vec<UserContent>,
    /// How far it is, where it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_permille: Option<u32>,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// Its parts.
    pub content: Vec<UserContent>,
    /// What the tool has for the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether it ends the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminate: bool,
}

/// A step of the reply. `member` is who of a team speaks; empty where only one does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the JSON form and say the same in every variant")]
pub enum AssistantMessageEvent {
    /// A text block begins.
    TextStart {
        content_index: u32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// More of it.
    TextDelta {
        content_index: u32,
        delta: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// It is complete.
    TextEnd { content_index: u32, content: String },
    /// A thinking block begins.
    ThinkingStart {
        content_index: u32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// More of it.
    ThinkingDelta {
        content_index: u32,
        delta: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// It is complete.
    ThinkingEnd { content_index: u32, content: String },
    /// A refusal begins.
    RefusalStart {
        content_index: u32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// More of it.
    RefusalDelta {
        content_index: u32,
        delta: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        member: String,
    },
    /// It is complete.
    RefusalEnd { content_index: u32, content: String },
    /// A tool call begins.
    ToolCallStart { content_index: u32, tool_call_id: String, tool_name: String },
    /// More of the JSON text of its arguments.
    ToolCallDelta { content_index: u32, delta: String },
    /// It is complete.
    ToolCallEnd { content_index: u32, tool_call: ToolCall },
}

impl AssistantMessageEvent {
    fn from_delta(block: BlockKind, content_index: u32, delta: String, member: String) -> Self {
        match block {
            BlockKind::Text => Self::TextDelta { content_index, delta, member },
            BlockKind::Thinking => Self::ThinkingDelta { content_index, delta, member },
            BlockKind::Refusal => Self::RefusalDelta { content_index, delta, member },
            BlockKind::ToolCall => Self::ToolCallDelta { content_index, delta },
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The text of a JSON object that has at least one field, which is all that the engine writes.
fn object(bytes: &[u8]) -> Option<&str> {
    text(bytes).filter(|json| json.starts_with("{\""))
}

fn write_parts(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    write_value(&number, out);
}

fn write_field(name: &str, value: &str, out: &mut Vec<u8>) {
    write_parts(out, &[",\"", name, "\":"]);
    write_value(value, out);
}

fn write_member(member: &str, out: &mut Vec<u8>) {
    if !member.is_empty() {
        write_field("member", member, out);
    }
}

fn write_value(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        // Writing to a Vec cannot fail; should it ever, the line stays valid JSON.
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}
