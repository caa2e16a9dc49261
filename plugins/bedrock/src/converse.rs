//! The events of a Converse stream.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_MESSAGE_START, EVENT_REDACTED_THINKING, EVENT_SKIPPED, EVENT_TEXT,
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE,
    StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};

use crate::content::{other, prose, tell_stop, tell_usage, tool_begin};
use crate::failure::malformed;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    has_started: bool,
}

static EVENT: Names<7> = Names::new([
    "contentBlockIndex",
    "delta",
    "start",
    "stopReason",
    "additionalModelResponseFields",
    "usage",
    "trace",
]);
static START: Names<1> = Names::new(["toolUse"]);
static DELTA: Names<3> = Names::new(["text", "toolUse", "reasoningContent"]);
static REASONING: Names<3> = Names::new(["text", "signature", "redactedContent"]);
static TOOL_INPUT: Names<1> = Names::new(["input"]);

/// The names of all events, as `InvokeModel` wraps them for models that speak so.
pub(crate) static NAMES: Names<6> = Names::new([
    "contentBlockDelta",
    "contentBlockStart",
    "contentBlockStop",
    "messageStart",
    "messageStop",
    "metadata",
]);

impl Reply {
    /// Reads one event.
    #[inline]
    pub(crate) fn read<'f>(&mut self, name: &'f [u8], data: &'f [u8], out: &mut Out<'_, 'f>) {
        match json::object(data, &EVENT, NESTING_MAX) {
            Ok(Some(fields)) => self.tell(name, &fields, out),
            Ok(None) => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(name)),
            Err(error) => malformed(&error, out),
        }
    }

    /// Tells one event whose payload is a value that was checked.
    pub(crate) fn read_value<'f>(&mut self, name: &'f [u8], value: Raw<'f>, out: &mut Out<'_, 'f>) {
        match value.fields(&EVENT) {
            Some(fields) => self.tell(name, &fields, out),
            None => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(name)),
        }
    }

    /// Tells once that the reply begins. Whether this was the moment.
    pub(crate) fn start(&mut self, out: &mut Out<'_, '_>) -> bool {
        let is_first = !self.has_started;
        if is_first {
            self.has_started = true;
            out.push(StreamEvent::new(EVENT_MESSAGE_START));
        }
        is_first
    }

    #[inline]
    fn tell<'f>(&mut self, name: &'f [u8], fields: &[Raw<'f>; 7], out: &mut Out<'_, 'f>) {
        let [index, delta, start, reason, own_fields, usage, trace] = *fields;
        let number = index.int().and_then(|index| u32::try_from(index).ok());
        let block = number.unwrap_or(0);
        match name {
            b"contentBlockDelta" => {
                let start = if self.start(out) { FLAG_FROM_NOW } else { 0 };
                // Nothing but the start changes the reply.
                let lasting = if number.is_some() { FLAG_LASTING } else { 0 };
                tell_delta(block, delta, FLAG_REPEATABLE | start | lasting, out);
            }
            b"contentBlockStart" => {
                self.start(out);
                let [tool] = start.fields(&START).unwrap_or_default();
                if tool.is_object() {
                    out.push(tool_begin(block, tool));
                }
                others(start, &START, |key, value| out.push(other(block, value, key)));
            }
            b"contentBlockStop" => out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(block)),
            b"messageStart" => {
                self.start(out);
            }
            b"messageStop" => tell_stop(reason, own_fields, out),
            b"metadata" => {
                tell_usage(usage, out);
                if trace.is_truthy() {
                    out.push_copied(other(0, trace, Text::default()), trace.bytes(), b"trace");
                }
                out.push(StreamEvent::new(EVENT_DONE));
            }
            _ => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(name)),
        }
    }
}

/// Tells a delta. One that has a single text gets the flags.
#[inline]
fn tell_delta<'f>(block: u32, delta: Raw<'f>, flags: u32, out: &mut Out<'_, 'f>) {
    let mut single: Option<StreamEvent<'f>> = None;
    let mut is_single = true;
    let mut push = |event: StreamEvent<'f>, is_text: bool| {
        if let Some(before) = single.take() {
            is_single = false;
            out.push(before);
        }
        is_single &= is_text;
        single = Some(event);
    };
    let [text, tool, reasoning] = delta.fields(&DELTA).unwrap_or_default();
    if let Some(text) = text.text() {
        push(prose(EVENT_TEXT, block, text), true);
    }
    let [input] = tool.fields(&TOOL_INPUT).unwrap_or_default();
    if let Some(text) = input.text() {
        push(prose(EVENT_TOOL_ARGUMENTS, block, text), true);
    } else if input.is_truthy() {
        // An object instead of its JSON text: its JSON is the text.
        push(StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block).with_text(input.bytes()), false);
    }
    let parts = reasoning.fields(&REASONING).unwrap_or_default();
    let kinds = [EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_REDACTED_THINKING];
    for (kind, part) in kinds.into_iter().zip(parts) {
        if let Some(text) = part.text() {
            push(prose(kind, block, text), kind == EVENT_THINKING);
        }
    }
    others(delta, &DELTA, |key, value| push(other(block, value, key), false));
    if let Some(event) = single {
        out.push(event.with_flags(if is_single { flags } else { 0 }));
    }
}

/// The members of an object that was checked, but those that are known. Nothing if it is none.
pub(crate) fn others<'f, const N: usize>(object: Raw<'f>, known: &Names<N>, mut read: impl FnMut(Text<'f>, Raw<'f>)) {
    if !object.is_object() {
        return;
    }
    let checked = object.cursor().members(|cursor, key| {
        let value = cursor.skip()?;
        if known.find(key, 0).is_none() {
            read(key, value);
        }
        Ok(())
    });
    debug_assert!(checked.is_ok(), "the object was checked");
}
