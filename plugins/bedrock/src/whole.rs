//! A reply that was not streamed: the same events as a stream gives.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_REDACTED_THINKING, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE,
    EVENT_TOOL_ARGUMENTS, FLAG_SCRATCH, FrameRef, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::ProviderError;

use crate::content::{other, prose, tell_stop, tell_usage, tool_begin};
use crate::converse::{Reply, others};
use crate::failure::malformed;
use crate::invoke::Invoke;

static WHOLE: Names<7> =
    Names::new(["output", "stopReason", "additionalModelResponseFields", "usage", "trace", "message", "__type"]);
static OUTPUT: Names<1> = Names::new(["message"]);
static MESSAGE: Names<1> = Names::new(["content"]);
static BLOCK: Names<3> = Names::new(["text", "toolUse", "reasoningContent"]);
static REASONING: Names<2> = Names::new(["reasoningText", "redactedContent"]);
static REASONING_TEXT: Names<2> = Names::new(["text", "signature"]);
static TOOL: Names<1> = Names::new(["input"]);

/// Reads the body of Converse or of `InvokeModel`.
pub(crate) fn read<'f>(frame: &FrameRef<'f>, reply: &mut Reply, invoke: &mut Invoke, out: &mut Out<'_, 'f>) {
    let value = match json::value(frame.data(), NESTING_MAX) {
        Ok(value) => value,
        Err(error) => return malformed(&error, out),
    };
    let [output, reason, own_fields, usage, trace, message, kind] = value.fields(&WHOLE).unwrap_or_default();
    if !output.is_object() {
        if kind.is_truthy() || message.text().is_some() {
            return out.push(ProviderError::from_value(value, 0).event());
        }
        return invoke.read_whole(frame.data(), value, reply, out);
    }
    reply.start(out);
    let [message] = output.fields(&OUTPUT).unwrap_or_default();
    let [content] = message.fields(&MESSAGE).unwrap_or_default();
    for (block, part) in (0..).zip(content.items()) {
        tell_block(block, part, out);
    }
    tell_stop(reason, own_fields, out);
    tell_usage(usage, out);
    if trace.is_truthy() {
        out.push_copied(other(0, trace, Text::default()), trace.bytes(), b"trace");
    }
    out.push(StreamEvent::new(EVENT_DONE));
}

fn tell_block<'f>(block: u32, part: Raw<'f>, out: &mut Out<'_, 'f>) {
    let [text, tool, reasoning] = part.fields(&BLOCK).unwrap_or_default();
    if let Some(text) = text.non_empty_text() {
        out.push(prose(EVENT_TEXT, block, text));
    }
    if tool.is_object() {
        out.push(tool_begin(block, tool));
        let [input] = tool.fields(&TOOL).unwrap_or_default();
        let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block);
        let has_input = input.is_truthy();
        out.push(if has_input {
            event.with_text(input.bytes())
        } else {
            event.with_text(b"{}").with_flags(FLAG_SCRATCH)
        });
    }
    let [thinking, redacted] = reasoning.fields(&REASONING).unwrap_or_default();
    let [thinking, signature] = thinking.fields(&REASONING_TEXT).unwrap_or_default();
    let parts =
        [(EVENT_THINKING, thinking), (EVENT_THINKING_SIGNATURE, signature), (EVENT_REDACTED_THINKING, redacted)];
    for (kind, part) in parts {
        if let Some(text) = part.non_empty_text() {
            out.push(prose(kind, block, text));
        }
    }
    others(part, &BLOCK, |key, value| out.push(other(block, value, key)));
    out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(block));
}
