//! A line of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT,
    EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FAILURE_MALFORMED, FLAG_AUX_ESCAPED,
    FLAG_FROM_NOW, FLAG_REPEATABLE, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, STOP_CONTENT_FILTER, STOP_END, STOP_ERROR,
    STOP_LENGTH, STOP_OTHER, STOP_SEQUENCE, STOP_TOOL_USE, StreamEvent, USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    next_block: u32,
    /// The block that text adds to.
    open: Option<u32>,
    has_calls: bool,
}

static LINE: Names<9> = Names::new([
    "event_type",
    "text",
    "generation_id",
    "tool_calls",
    "finish_reason",
    "response",
    "citations",
    "error",
    "message",
]);
static RESPONSE: Names<1> = Names::new(["meta"]);
static WHOLE: Names<8> =
    Names::new(["text", "generation_id", "tool_calls", "finish_reason", "meta", "citations", "error", "message"]);
static META: Names<1> = Names::new(["tokens"]);
static TOKENS: Names<2> = Names::new(["input_tokens", "output_tokens"]);
static CALL: Names<2> = Names::new(["name", "parameters"]);

impl Reply {
    /// Reads one line.
    #[inline]
    pub(crate) fn read<'f>(&mut self, data: &'f [u8], out: &mut Out<'_, 'f>) {
        match json::object(data, &LINE, NESTING_MAX) {
            Ok(Some(fields)) => self.tell(data, fields, out),
            Ok(None) => out.push(StreamEvent::new(EVENT_SKIPPED)),
            Err(error) => malformed(&error, out),
        }
    }

    #[inline]
    fn tell<'f>(&mut self, data: &'f [u8], fields: [Raw<'f>; 9], out: &mut Out<'_, 'f>) {
        let [kind, text, id, calls, reason, response, citations, error, message] = fields;
        let kind = kind.text().unwrap_or_default();
        match kind.short(&mut [0; 64]) {
            b"text-generation" => self.tell_text(text, out),
            b"stream-start" => start(id, out),
            // What comes in pieces comes once more as a whole.
            b"tool-calls-chunk" | b"debug" => {}
            b"tool-calls-generation" => self.tell_calls(calls, out),
            b"citation-generation" => tell_other(citations, b"citations", out),
            b"search-queries-generation" | b"search-results" => {
                let line = json::value(data, NESTING_MAX).unwrap_or_default();
                let event = StreamEvent::new(EVENT_OTHER_CONTENT).with_text(line.bytes()).with_aux(kind.raw());
                out.push(event.with_flags(if kind.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }));
            }
            b"stream-end" => {
                if error.is_truthy() {
                    report(data, out);
                }
                self.tell_stop(reason, out);
                let [meta] = response.fields(&RESPONSE).unwrap_or_default();
                tell_usage(meta, out);
                out.push(StreamEvent::new(EVENT_DONE));
            }
            b"" if error.is_truthy() || message.text().is_some() => report(data, out),
            _ => {
                let flags = if kind.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
                out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(kind.raw()).with_flags(flags));
            }
        }
    }

    /// Reads a reply that was not streamed.
    pub(crate) fn read_whole<'f>(&mut self, data: &'f [u8], out: &mut Out<'_, 'f>) {
        match json::object(data, &WHOLE, NESTING_MAX) {
            Ok(Some([text, id, calls, reason, meta, citations, error, message])) => {
                if error.is_truthy() || message.text().is_some() {
                    return report(data, out);
                }
                start(id, out);
                self.tell_text(text, out);
                self.tell_calls(calls, out);
                tell_other(citations, b"citations", out);
                self.tell_stop(reason, out);
                tell_usage(meta, out);
                out.push(StreamEvent::new(EVENT_DONE));
            }
            Ok(None) => out.push(StreamEvent::new(EVENT_SKIPPED)),
            Err(error) => malformed(&error, out),
        }
    }

    /// Text that adds to the open block is repeatable, and an event also when it is empty.
    #[inline]
    fn tell_text<'f>(&mut self, text: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some(text) = text.text() else { return };
        let event = prose(EVENT_TEXT, text);
        match self.open {
            Some(block) => {
                let flags = if text.is_empty() { 0 } else { FLAG_REPEATABLE };
                out.push(event.with_block(block).with_flags(flags));
            }
            None if text.is_empty() => {}
            None => {
                let block = self.take_block();
                self.open = Some(block);
                out.push(event.with_block(block).with_flags(FLAG_REPEATABLE | FLAG_FROM_NOW));
            }
        }
    }

    /// Calls, which are whole and have no ids.
    fn tell_calls<'f>(&mut self, calls: Raw<'f>, out: &mut Out<'_, 'f>) {
        for [name, parameters] in calls.objects(&CALL) {
            let block = self.take_block();
            self.open = None;
            self.has_calls = true;
            out.push(prose(EVENT_TOOL_BEGIN, name.text().unwrap_or_default()).with_block(block));
            let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block);
            out.push(if parameters.is_truthy() {
                event.with_text(parameters.bytes())
            } else {
                event.with_text(b"{}").with_flags(FLAG_SCRATCH)
            });
        }
    }

    /// A reply with calls ends as any other.
    fn tell_stop<'f>(&self, reason: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some(reason) = reason.non_empty_text() else { return };
        let num = match reason.short(&mut [0; 64]) {
            b"COMPLETE" if self.has_calls => STOP_TOOL_USE,
            b"COMPLETE" => STOP_END,
            b"STOP_SEQUENCE" => STOP_SEQUENCE,
            b"MAX_TOKENS" | b"ERROR_LIMIT" => STOP_LENGTH,
            b"ERROR_TOXIC" => STOP_CONTENT_FILTER,
            b"ERROR" => STOP_ERROR,
            _ => STOP_OTHER,
        };
        out.push(prose(EVENT_STOP, reason).with_num(num));
    }

    const fn take_block(&mut self) -> u32 {
        let block = self.next_block;
        self.next_block = block.saturating_add(1);
        block
    }
}

fn start<'f>(id: Raw<'f>, out: &mut Out<'_, 'f>) {
    let id = id.text().unwrap_or_default();
    let flags = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
    out.push(StreamEvent::new(EVENT_MESSAGE_START).with_aux(id.raw()).with_flags(flags));
}

#[inline]
fn prose(kind: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_text(text.raw()).with_flags(flags)
}

fn tell_other(value: Raw<'_>, content_type: &[u8], out: &mut Out<'_, '_>) {
    if value.is_truthy() {
        out.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), value.bytes(), content_type);
    }
}

/// The usage is among other things that are said about the reply; all of it is kept.
fn tell_usage<'f>(meta: Raw<'f>, out: &mut Out<'_, 'f>) {
    if !meta.is_truthy() {
        return;
    }
    let Some([tokens]) = meta.fields(&META) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(meta.bytes()));
    let [input, output] = tokens.fields(&TOKENS).unwrap_or_default();
    for (counter, value) in [(USAGE_INPUT, input), (USAGE_OUTPUT, output)] {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}

#[cold]
fn report<'f>(data: &'f [u8], out: &mut Out<'_, 'f>) {
    let payload = json::value(data, NESTING_MAX).unwrap_or_default();
    out.push(ProviderError::from_value(payload, 0).event());
}

#[cold]
fn malformed(error: &json::Error, out: &mut Out<'_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    out.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}
