//! Parts of messages, which streams and whole replies share.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_OTHER_CONTENT, EVENT_STOP, EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FLAG_AUX_ESCAPED,
    FLAG_TEXT_ESCAPED, STOP_CONTENT_FILTER, STOP_END, STOP_ERROR, STOP_LENGTH, STOP_OTHER, STOP_SEQUENCE,
    STOP_TOOL_USE, StreamEvent, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT, USAGE_TOTAL,
};
use thalweg_wire::json::{Names, Raw, Text};

static TOOL: Names<2> = Names::new(["toolUseId", "name"]);
static USAGE: Names<5> =
    Names::new(["inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]);

/// A text of block `block`.
#[inline]
pub(crate) fn prose(kind: u32, block: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_block(block).with_text(text.raw()).with_flags(flags)
}

/// The beginning of a tool call.
pub(crate) fn tool_begin(block: u32, tool: Raw<'_>) -> StreamEvent<'_> {
    let [id, name] = tool.fields(&TOOL).unwrap_or_default();
    with_texts(EVENT_TOOL_BEGIN, name.text().unwrap_or_default(), id.text().unwrap_or_default()).with_block(block)
}

/// Content that is kept and not read.
pub(crate) const fn other<'f>(block: u32, value: Raw<'f>, content_type: Text<'f>) -> StreamEvent<'f> {
    StreamEvent::new(EVENT_OTHER_CONTENT)
        .with_block(block)
        .with_text(value.bytes())
        .with_aux(content_type.raw())
        .with_flags(if content_type.is_escaped() { FLAG_AUX_ESCAPED } else { 0 })
}

/// Tells the usage as it is written, and the counters in it. Nothing if `usage` is no object or empty.
pub(crate) fn tell_usage<'f>(usage: Raw<'f>, out: &mut Out<'_, 'f>) {
    if !usage.is_truthy() {
        return;
    }
    let Some(counters) = usage.fields(&USAGE) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()));
    let kinds = [USAGE_INPUT, USAGE_OUTPUT, USAGE_TOTAL, USAGE_CACHE_READ, USAGE_CACHE_WRITE];
    for (kind, value) in kinds.into_iter().zip(counters) {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(kind).with_num(count));
        }
    }
}

static MORE: Names<1> = Names::new(["stop_sequence"]);

/// Tells why the reply ended. Which sequence was met is told by some models among the fields of their own.
pub(crate) fn tell_stop<'f>(reason: Raw<'f>, own_fields: Raw<'f>, out: &mut Out<'_, 'f>) {
    let Some(reason) = reason.non_empty_text() else { return };
    let [sequence] = own_fields.fields(&MORE).unwrap_or_default();
    let event = with_texts(EVENT_STOP, reason, sequence.text().unwrap_or_default());
    out.push(event.with_num(stop_of(reason)));
}

/// The engine's word for a `stopReason`.
fn stop_of(reason: Text<'_>) -> i64 {
    match reason.short(&mut [0; 64]) {
        b"end_turn" => STOP_END,
        b"tool_use" => STOP_TOOL_USE,
        b"max_tokens" | b"model_context_window_exceeded" => STOP_LENGTH,
        b"stop_sequence" => STOP_SEQUENCE,
        b"guardrail_intervened" | b"content_filtered" => STOP_CONTENT_FILTER,
        b"malformed_model_output" | b"malformed_tool_use" => STOP_ERROR,
        _ => STOP_OTHER,
    }
}

const fn with_texts<'f>(kind: u32, text: Text<'f>, aux: Text<'f>) -> StreamEvent<'f> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind)
        .with_text(text.raw())
        .with_aux(aux.raw())
        .with_flags(flags | if aux.is_escaped() { FLAG_AUX_ESCAPED } else { 0 })
}
