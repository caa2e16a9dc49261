//! Turns the events of one reply into its message.
//!
//! Every delta is appended to its own block, found by choice and block number, so that tool calls whose arguments come
//! interleaved stay apart. Text is collected as bytes and turned into strings when a message is asked for.

mod choice;

use std::borrow::Cow;

use serde_json::Value;
use thalweg_abi::retry_hint::retry_after_ms;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING,
    EVENT_REFUSAL, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS,
    EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FLAG_MERGE, FLAG_SPEAKER, STOP_ERROR, StreamEvent,
};

use self::choice::Choice;
use crate::failure::{Failure, FailureKind};
use crate::limits::{BLOCKS_MAX, CHOICES_MAX};
use crate::message::{AssistantMessage, ContentBlock, ToolCall};
use crate::partial_json;
use crate::stop::{StopKind, StopReason};
use crate::usage::{RawUsage, Usage};

/// How the stream of a reply ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The body ended in order.
    Eof,
    /// The connection broke; the text says how.
    Reset(String),
    /// The caller stopped it.
    Aborted,
    /// Anything else: no connection, an HTTP error, a timeout, a broken plugin.
    Error(Failure),
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model said all it wanted, or all it could.
    Complete,
    /// It ended without the mark of an end; what came is kept.
    Truncated,
    /// The provider or the way to it failed; what came is kept.
    Failed,
    /// The caller stopped it; what came is kept.
    Aborted,
}

/// A content block of the first choice begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Block `position` begins.
    BlockStart {
        /// Its place in the message.
        position: u32,
    },
    /// Block `position` is complete.
    BlockEnd {
        /// Its place in the message.
        position: u32,
    },
}

/// A block as a reader of changes sees it, without a copy.
#[derive(Clone, Debug)]
pub struct BlockRef<'a> {
    /// The wire event that feeds it, one of [`crate::kind::BLOCK_TYPES`].
    pub block_type: u32,
    /// Its text so far; of a tool call the arguments as they came.
    pub text: Cow<'a, str>,
    /// Name of the tool, else empty.
    pub name: &'a str,
    /// Id of the tool call; of prose its speaker, where a reply has several; else empty.
    pub id: &'a str,
    /// The tool call, once it is complete.
    pub call: Option<&'a ToolCall>,
}

/// A reply that is coming in.
#[derive(Debug, Default)]
pub struct Assembly {
    choices: Vec<Choice>,
    model: String,
    response_id: String,
    usage: Usage,
    raw_usage: RawUsage,
    failure: Option<Failure>,
    outcome: Option<Outcome>,
    call_id_prefix: String,
    errors: u64,
    skipped: u64,
    is_done: bool,
}

impl Assembly {
    /// An assembly that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::with_call_ids("call_")
    }

    /// As [`Assembly::new`]; a tool call without an id gets `prefix` and its place in the message.
    pub fn with_call_ids(prefix: impl Into<String>) -> Self {
        Self { call_id_prefix: prefix.into(), ..Self::default() }
    }

    /// The short way for most deltas: adds to the block of the first choice that took the last one. `None`, and nothing
    /// changes, for anything else; [`Assembly::handle_event`] takes it then.
    #[inline]
    pub fn append(&mut self, event: &StreamEvent<'_>) -> Option<u32> {
        if event.sub() != 0 {
            return None;
        }
        self.choices.first_mut()?.append_to_current(event.kind(), event.block(), event.text())
    }

    /// Takes one event. Gives the place of the content block that it belongs to; none for events that belong to no
    /// block, that say nothing (an empty delta), or that are dropped (over a limit, after the end of their tool call).
    pub fn handle_event(&mut self, event: &StreamEvent<'_>) -> Option<u32> {
        let (block, text) = (event.block(), event.text());
        match event.kind() {
            kind @ (EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL) => {
                let speaker = if event.has(FLAG_SPEAKER) { event.aux() } else { &[] };
                self.choice(event)?.append_prose(kind, block, text, speaker)
            }
            EVENT_TOOL_ARGUMENTS => {
                let placed = self.choice(event)?.append_arguments(block, text);
                if let Err(choice::ClosedCall) = placed {
                    let message = format!("the reply goes on with tool call {block} after its end");
                    self.fail(Failure::new(FailureKind::Malformed, message));
                }
                placed.ok().flatten()
            }
            EVENT_THINKING_SIGNATURE => self.choice(event)?.append_signature(block, text),
            EVENT_REDACTED_THINKING => self.choice(event)?.push_redacted(block, text),
            EVENT_TOOL_BEGIN => {
                let aux = event.aux();
                self.choice(event)?.begin_call(block, text, aux)
            }
            EVENT_BLOCK_END => self.choice(event)?.end_block(block),
            _ => {
                self.handle_rare(event);
                None
            }
        }
    }

    /// The next block of the first choice that began or ended; in the order in which they did.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.choices.first_mut()?.poll_change()
    }

    /// Block `position` of the first choice.
    #[must_use]
    pub fn block(&self, position: u32) -> Option<BlockRef<'_>> {
        self.choices.first()?.block(position)
    }

    /// The arguments of the tool call at `position`, as far as they can be read so far. Costs a pass over their text.
    #[must_use]
    pub fn partial_arguments(&self, position: u32) -> Option<Value> {
        let block = self.block(position).filter(|block| block.block_type == EVENT_TOOL_ARGUMENTS)?;
        partial_json::parse(&block.text)
    }

    /// The body has ended: closes all blocks and says what became of the reply. Later calls change nothing.
    ///
    /// A reply whose stop or end mark was seen is complete, even when the connection broke behind it.
    pub fn finish(&mut self, end: End) -> Outcome {
        if let Some(outcome) = self.outcome {
            return outcome;
        }
        self.close_all();
        let outcome = self.judge(end);
        self.outcome = Some(outcome);
        outcome
    }

    /// The message of the first choice: so far, or after [`Assembly::finish`] the final one. Copies the content.
    #[must_use]
    pub fn message(&self) -> AssistantMessage {
        self.message_of(0)
    }

    /// As [`Assembly::message`], of choice `sub`.
    #[must_use]
    pub fn message_of(&self, sub: u32) -> AssistantMessage {
        let choice = self.choices.get(sub as usize);
        self.compose(choice.map(Choice::content).unwrap_or_default(), choice)
    }

    /// The message of the first choice, without a copy of its text.
    #[must_use]
    pub fn into_message(mut self) -> AssistantMessage {
        let content = self.choices.first_mut().map(Choice::take_content).unwrap_or_default();
        self.compose(content, self.choices.first())
    }

    /// Number of choices that have sent anything.
    #[must_use]
    pub fn choices_len(&self) -> usize {
        self.choices.len()
    }

    /// Whether any content has come: text, thinking, a refusal, a tool call. A reply without can be asked for again.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.choices.iter().any(Choice::has_content)
    }

    /// Wire events that neither the codec nor this assembly knows.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Errors that were reported inside the stream; the message carries the first.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// The first error, if any.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    fn compose(&self, content: Vec<ContentBlock>, choice: Option<&Choice>) -> AssistantMessage {
        let stop_reason = self.stop_reason(choice.and_then(|choice| choice.stop.clone()), &content);
        AssistantMessage {
            content,
            model: non_empty(&self.model),
            response_id: non_empty(&self.response_id),
            stop_reason,
            usage: Usage { raw: self.raw_usage.value(), ..self.usage.clone() },
            error: self.failure.clone(),
            other_content: choice.map(|choice| choice.other.clone()).unwrap_or_default(),
            ..AssistantMessage::default()
        }
    }

    fn handle_rare(&mut self, event: &StreamEvent<'_>) {
        match event.kind() {
            EVENT_MESSAGE_START => {
                set_text(&mut self.model, event.text());
                set_text(&mut self.response_id, event.aux());
            }
            EVENT_USAGE => self.usage.set(event.block(), event.num()),
            EVENT_USAGE_RAW if event.has(FLAG_MERGE) => self.raw_usage.merge(event.text()),
            EVENT_USAGE_RAW => {
                // Its counters follow; those of an earlier one are not of it.
                self.usage = Usage::default();
                self.raw_usage.replace(event.text());
            }
            EVENT_STOP => self.handle_stop(event),
            EVENT_ERROR => self.handle_error(event),
            EVENT_DONE => {
                self.is_done = true;
                self.close_all();
            }
            EVENT_OTHER_CONTENT => {
                if let Some(choice) = self.choice(event) {
                    choice.push_other(event.aux(), event.text());
                }
            }
            _ => self.skipped += 1,
        }
    }

    fn handle_stop(&mut self, event: &StreamEvent<'_>) {
        let raw = non_empty(&text_of(event.text()));
        if event.num() == STOP_ERROR {
            let word = raw.as_deref().unwrap_or("error");
            let message = format!("the provider ended the reply with an error, without saying more than `{word}`");
            self.fail(Failure::new(FailureKind::Server, message));
        }
        if let Some(choice) = self.choice(event) {
            let sequence = non_empty(&text_of(event.aux()));
            choice.stop = Some(StopReason { mapped: StopKind::from_num(event.num()), raw, sequence });
            choice.close_all();
        }
    }

    fn handle_error(&mut self, event: &StreamEvent<'_>) {
        self.errors += 1;
        let message = match text_of(event.text()) {
            text if text.is_empty() => "the provider reports an error without saying which".to_owned(),
            text => text.into_owned(),
        };
        let details = serde_json::from_slice::<Value>(event.aux()).ok();
        let retry_after_ms = retry_after_ms(event.text(), event.aux());
        self.fail(Failure { details, retry_after_ms, ..Failure::new(FailureKind::from_num(event.num()), message) });
    }

    /// The first failure counts: what follows is mostly its consequence.
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    fn choice(&mut self, event: &StreamEvent<'_>) -> Option<&mut Choice> {
        let sub = event.sub() as usize;
        if sub >= CHOICES_MAX {
            self.skipped += 1;
            return None;
        }
        while self.choices.len() <= sub {
            self.choices.push(Choice::new(self.call_id_prefix.clone(), self.choices.is_empty()));
        }
        Some(&mut self.choices[sub])
    }

    fn close_all(&mut self) {
        for choice in &mut self.choices {
            choice.close_all();
        }
    }

    fn judge(&mut self, end: End) -> Outcome {
        let first = self.choices.first();
        let over_limit = first.is_some_and(|choice| choice.is_over_limit);
        let is_stopped = self.is_done || first.is_some_and(|choice| choice.stop.is_some());
        if over_limit {
            let message = format!("the reply has more than {BLOCKS_MAX} content blocks");
            self.fail(Failure::new(FailureKind::Malformed, message));
        }
        match end {
            End::Aborted => {
                if !is_stopped {
                    self.fail(Failure::new(FailureKind::Aborted, "the caller stopped the reply"));
                }
                Outcome::Aborted
            }
            End::Error(failure) if self.failure.is_some() || !is_stopped => {
                self.failure = Some(join(failure, self.failure.take()));
                Outcome::Failed
            }
            _ if self.failure.is_some() => Outcome::Failed,
            _ if is_stopped => Outcome::Complete,
            End::Reset(how) => {
                let message = format!("the connection broke before the reply was complete ({}): {how}", self.kept());
                self.fail(Failure::new(FailureKind::Connection, message));
                Outcome::Truncated
            }
            End::Eof | End::Error(_) => {
                let message = format!(
                    "the stream ended before the reply was complete ({}); the provider or a proxy cut it, try again",
                    self.kept()
                );
                self.fail(Failure::new(FailureKind::Truncated, message));
                Outcome::Truncated
            }
        }
    }

    fn kept(&self) -> String {
        let bytes: usize = self.choices.iter().map(Choice::bytes).sum();
        format!("{bytes} bytes of content kept")
    }

    /// The reason of a choice: the provider's, unless the reply failed or was stopped; none while it is coming.
    fn stop_reason(&self, stop: Option<StopReason>, content: &[ContentBlock]) -> Option<StopReason> {
        let forced = match self.outcome {
            Some(Outcome::Aborted) if stop.is_none() && !self.is_done => Some(StopKind::Aborted),
            Some(Outcome::Failed | Outcome::Truncated) => Some(StopKind::Error),
            _ => None,
        };
        match (forced, stop) {
            (Some(mapped), Some(stop)) => Some(StopReason { mapped, ..stop }),
            (Some(mapped), None) => Some(StopReason::new(mapped)),
            (None, Some(stop)) => Some(stop),
            (None, None) if self.outcome.is_none() => None,
            (None, None) if content.iter().any(|block| matches!(block, ContentBlock::ToolCall(_))) => {
                Some(StopReason::new(StopKind::ToolUse))
            }
            (None, None) => Some(StopReason::new(StopKind::Stop)),
        }
    }
}

/// What the driver knows (status, host, what to do) goes in front of what the provider said.
fn join(failure: Failure, reported: Option<Failure>) -> Failure {
    let Some(reported) = reported else { return failure };
    let message = if failure.message.contains(&reported.message) {
        failure.message
    } else {
        format!("{}: {}", failure.message, reported.message)
    };
    let kind = if failure.kind == FailureKind::Other { reported.kind } else { failure.kind };
    let details = failure.details.or(reported.details);
    Failure { kind, message, details, ..failure }
}

fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn non_empty(text: &str) -> Option<String> {
    if text.is_empty() { None } else { Some(text.to_owned()) }
}

fn set_text(target: &mut String, bytes: &[u8]) {
    if !bytes.is_empty() {
        target.clear();
        target.push_str(&text_of(bytes));
    }
}
