//! A reply that was not streamed: the same events as a stream gives.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{EVENT_DONE, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_TEXT, EVENT_THINKING, StreamEvent};
use thalweg_wire::json::{self, NESTING_MAX, Names};
use thalweg_wire::provider_error::ProviderError;

use crate::reply::{CONTENT, Kind, Reply, malformed, prose, tell_stop, tell_usage, tell_whole_call};

static WHOLE: Names<5> = Names::new(["id", "message", "finish_reason", "usage", "error"]);
static MESSAGE: Names<4> = Names::new(["content", "tool_plan", "tool_calls", "citations"]);

/// Reads the whole body.
pub(crate) fn read<'f>(data: &'f [u8], reply: &mut Reply, out: &mut Out<'_, 'f>) {
    let value = match json::value(data, NESTING_MAX) {
        Ok(value) => value,
        Err(error) => return malformed(&error, out),
    };
    let Some([id, message, reason, usage, error]) = value.fields(&WHOLE) else {
        return out.push(StreamEvent::new(EVENT_SKIPPED));
    };
    // An error has its words where a reply has its message.
    if error.is_truthy() || message.text().is_some() {
        return out.push(ProviderError::from_value(value, 0).event());
    }
    reply.start(id, out);
    let [content, plan, calls, citations] = message.fields(&MESSAGE).unwrap_or_default();
    for (index, fields) in (0..).zip(content.objects(&CONTENT)) {
        let Some(block) = reply.begin(Kind::Content, index, out) else { return };
        for (kind, field) in [EVENT_THINKING, EVENT_TEXT].into_iter().zip(fields) {
            if let Some(text) = field.non_empty_text() {
                out.push(prose(kind, block, text));
            }
        }
        reply.end(Kind::Content, index, out);
    }
    let other = StreamEvent::new(EVENT_OTHER_CONTENT);
    if plan.non_empty_text().is_some() {
        out.push_copied(other, plan.bytes(), b"tool_plan");
    }
    for (index, call) in (0..).zip(calls.items()) {
        let Some(block) = reply.begin(Kind::Tool, index, out) else { return };
        tell_whole_call(block, call, out);
        reply.end(Kind::Tool, index, out);
    }
    for citation in citations.items() {
        out.push_copied(other, citation.bytes(), b"citations");
    }
    tell_stop(reason, out);
    tell_usage(usage, out);
    out.push(StreamEvent::new(EVENT_DONE));
}
