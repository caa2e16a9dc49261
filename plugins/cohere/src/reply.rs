//! An event of the stream: from JSON to events.

use thalweg_abi::guest::{Out, Recycle};
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP,
    EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW,
    FAILURE_MALFORMED, FAILURE_SERVER, FLAG_AUX_ESCAPED, FLAG_FROM_NOW, FLAG_REPEATABLE, FLAG_TEXT_ESCAPED, FrameRef,
    STOP_CONTENT_FILTER, STOP_END, STOP_ERROR, STOP_LENGTH, STOP_OTHER, STOP_SEQUENCE, STOP_TOOL_USE, StreamEvent,
    USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    has_started: bool,
    next_block: u32,
    /// The blocks that have not ended.
    blocks: Vec<Block>,
    /// The plan so far, as it stands in JSON, the first quote included.
    plan: Vec<u8>,
}

/// A block that has begun.
#[derive(Clone, Copy, Debug)]
struct Block {
    kind: Kind,
    /// Its number on the wire, which is one among its kind.
    index: i64,
    block: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Content,
    Tool,
}

/// Blocks that may be open at once; further ones are skipped.
const BLOCKS_MAX: usize = 1024;
/// Bytes of a plan that are kept; more is skipped.
const PLAN_BYTES_MAX: usize = 1 << 20;

static EVENT: Names<6> = Names::new(["type", "index", "delta", "id", "error", "message"]);
static DELTA: Names<4> = Names::new(["message", "finish_reason", "usage", "error"]);
static ERROR: Names<1> = Names::new(["error_type"]);
static MESSAGE: Names<4> = Names::new(["content", "tool_plan", "tool_calls", "citations"]);
pub(crate) static CONTENT: Names<2> = Names::new(["thinking", "text"]);
static CALL: Names<2> = Names::new(["id", "function"]);
static FUNCTION: Names<2> = Names::new(["name", "arguments"]);
static USAGE: Names<1> = Names::new(["tokens"]);
static TOKENS: Names<2> = Names::new(["input_tokens", "output_tokens"]);

impl Reply {
    /// Back to the start of a reply; the lists keep their memory.
    pub(crate) fn reset(&mut self) {
        let (mut blocks, mut plan) = (std::mem::take(&mut self.blocks), std::mem::take(&mut self.plan));
        blocks.clear();
        plan.reuse();
        *self = Self { blocks, plan, ..Self::default() };
    }

    /// Reads one event.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            self.tell_plan(out);
            return out.push(StreamEvent::new(EVENT_DONE));
        }
        match json::object(data, &EVENT, NESTING_MAX) {
            Ok(Some(fields)) => self.tell(frame, fields, out),
            Ok(None) => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => malformed(&error, out),
        }
    }

    #[inline]
    fn tell<'f>(&mut self, frame: &FrameRef<'f>, fields: [Raw<'f>; 6], out: &mut Out<'_, 'f>) {
        let [kind, index, delta, id, error, message] = fields;
        let kind = kind.non_empty_text();
        let mut buffer = [0; 64];
        let name = match &kind {
            Some(kind) => kind.short(&mut buffer),
            None => frame.event(),
        };
        let index = index.int().unwrap_or(0);
        match name {
            b"content-delta" => self.tell_content(index, message_of(delta)[0], out),
            b"tool-call-delta" => self.tell_call(index, message_of(delta)[2], out),
            b"tool-plan-delta" => self.add_to_plan(message_of(delta)[1], out),
            b"content-start" => {
                self.tell_plan(out);
                self.end(Kind::Content, index, out);
                if self.begin(Kind::Content, index, out).is_some() {
                    self.tell_content(index, message_of(delta)[0], out);
                }
            }
            b"tool-call-start" => {
                self.tell_plan(out);
                self.end(Kind::Tool, index, out);
                self.tell_call(index, message_of(delta)[2], out);
            }
            b"content-end" => self.end(Kind::Content, index, out),
            b"tool-call-end" => self.end(Kind::Tool, index, out),
            b"citation-start" => {
                let citation = message_of(delta)[3];
                if citation.is_truthy() {
                    out.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), citation.bytes(), b"citations");
                }
            }
            b"citation-end" | b"debug" => {}
            b"message-start" => self.start(id, out),
            b"message-end" => {
                self.tell_plan(out);
                let [_, reason, usage, error] = delta.fields(&DELTA).unwrap_or_default();
                if error.is_truthy() {
                    tell_error(delta, out);
                }
                tell_stop(reason, out);
                tell_usage(usage, out);
            }
            _ if kind.is_none() && (error.is_truthy() || message.text().is_some()) => {
                let payload = json::value(frame.data(), NESTING_MAX).unwrap_or_default();
                out.push(ProviderError::from_value(payload, 0).event());
            }
            _ => {
                let flags = if kind.is_some_and(|kind| kind.is_escaped()) { FLAG_AUX_ESCAPED } else { 0 };
                let aux = kind.map_or(frame.event(), |kind| kind.raw());
                out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(aux).with_flags(flags));
            }
        }
    }

    /// Tells once that the reply begins.
    pub(crate) fn start<'f>(&mut self, id: Raw<'f>, out: &mut Out<'_, 'f>) {
        if !self.has_started {
            self.has_started = true;
            let id = id.text().unwrap_or_default();
            let flags = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
            out.push(StreamEvent::new(EVENT_MESSAGE_START).with_aux(id.raw()).with_flags(flags));
        }
    }

    /// Text or thinking of a block, which begins with it if it has not yet. A lone one that adds to a block is repeatable,
    /// and an event also when it is empty.
    #[inline]
    fn tell_content<'f>(&mut self, index: i64, content: Raw<'f>, out: &mut Out<'_, 'f>) {
        let fields = content.fields(&CONTENT).unwrap_or_default();
        let texts = fields.map(|field| field.text());
        let is_lone = texts.iter().flatten().count() == 1;
        let known = self.find(Kind::Content, index);
        for (kind, text) in [EVENT_THINKING, EVENT_TEXT].into_iter().zip(texts) {
            let Some(text) = text else { continue };
            if text.is_empty() && (known.is_none() || !is_lone) {
                continue;
            }
            let block = known.or_else(|| self.find(Kind::Content, index));
            let Some(block) = block.or_else(|| self.begin(Kind::Content, index, out)) else { return };
            let flags = match (is_lone && !text.is_empty(), known) {
                (false, _) => 0,
                (true, Some(_)) => FLAG_REPEATABLE,
                (true, None) => FLAG_REPEATABLE | FLAG_FROM_NOW,
            };
            out.push(prose(kind, block, text).with_flags(flags));
        }
    }

    /// A piece of a tool call, which begins with it if it has not yet.
    fn tell_call<'f>(&mut self, index: i64, call: Raw<'f>, out: &mut Out<'_, 'f>) {
        let call = if call.is_array() { call.items().next().unwrap_or_default() } else { call };
        let [id, function] = call.fields(&CALL).unwrap_or_default();
        let [name, arguments] = function.fields(&FUNCTION).unwrap_or_default();
        let known = self.find(Kind::Tool, index);
        let Some(block) = known.or_else(|| self.begin(Kind::Tool, index, out)) else { return };
        let says_more = id.non_empty_text().is_some() || name.non_empty_text().is_some();
        if known.is_none() || says_more {
            out.push(tool_begin(block, id, name));
        }
        let is_lone = known.is_some() && !says_more;
        if let Some(text) = arguments.text()
            && (is_lone || !text.is_empty())
        {
            let flags = if is_lone && !text.is_empty() { FLAG_REPEATABLE } else { 0 };
            out.push(prose(EVENT_TOOL_ARGUMENTS, block, text).with_flags(flags));
        }
    }

    fn find(&self, kind: Kind, index: i64) -> Option<u32> {
        let is_it = |block: &&Block| block.kind == kind && block.index == index;
        self.blocks.iter().rev().find(is_it).map(|block| block.block)
    }

    /// Takes the next number for a block. None if there are as many as there may be.
    pub(crate) fn begin(&mut self, kind: Kind, index: i64, out: &mut Out<'_, '_>) -> Option<u32> {
        if self.blocks.len() >= BLOCKS_MAX {
            out.push(StreamEvent::new(EVENT_SKIPPED));
            return None;
        }
        let block = self.next_block;
        self.next_block = block.saturating_add(1);
        self.blocks.push(Block { kind, index, block });
        Some(block)
    }

    pub(crate) fn end(&mut self, kind: Kind, index: i64, out: &mut Out<'_, '_>) {
        if let Some(at) = self.blocks.iter().rposition(|block| block.kind == kind && block.index == index) {
            let block = self.blocks.remove(at);
            out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(block.block));
        }
    }

    fn add_to_plan(&mut self, plan: Raw<'_>, out: &mut Out<'_, '_>) {
        let Some(text) = plan.text() else { return };
        if self.plan.len() + text.raw().len() > PLAN_BYTES_MAX {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        }
        if self.plan.is_empty() && !text.is_empty() {
            self.plan.push(b'"');
        }
        self.plan.extend_from_slice(text.raw());
    }

    /// Tells the plan as soon as something follows it, or nothing can any more.
    pub(crate) fn tell_plan(&mut self, out: &mut Out<'_, '_>) {
        if !self.plan.is_empty() {
            self.plan.push(b'"');
            out.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), &self.plan, b"tool_plan");
            self.plan.reuse();
        }
    }
}

/// The fields of the message in a delta.
#[inline]
fn message_of(delta: Raw<'_>) -> [Raw<'_>; 4] {
    let [message, ..] = delta.fields(&DELTA).unwrap_or_default();
    message.fields(&MESSAGE).unwrap_or_default()
}

#[inline]
pub(crate) fn prose(kind: u32, block: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_block(block).with_text(text.raw()).with_flags(flags)
}

fn tool_begin<'f>(block: u32, id: Raw<'f>, name: Raw<'f>) -> StreamEvent<'f> {
    let (name, id) = (name.text().unwrap_or_default(), id.text().unwrap_or_default());
    let name_flag = if name.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    let id_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
    let event = StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block).with_text(name.raw()).with_aux(id.raw());
    event.with_flags(name_flag | id_flag)
}

/// Tells one whole call.
pub(crate) fn tell_whole_call<'f>(block: u32, call: Raw<'f>, out: &mut Out<'_, 'f>) {
    let [id, function] = call.fields(&CALL).unwrap_or_default();
    let [name, arguments] = function.fields(&FUNCTION).unwrap_or_default();
    out.push(tool_begin(block, id, name));
    if let Some(text) = arguments.non_empty_text() {
        out.push(prose(EVENT_TOOL_ARGUMENTS, block, text));
    }
}

/// An error with which the message ends. The model may do better the next time when it called a tool wrongly.
fn tell_error<'f>(delta: Raw<'f>, out: &mut Out<'_, 'f>) {
    let mut error = ProviderError::from_value(delta, 0);
    let [kind] = delta.fields(&ERROR).unwrap_or_default();
    if kind.text().is_some_and(|kind| kind.is(b"INVALID_TOOL_GENERATION")) {
        error.kind = FAILURE_SERVER;
    }
    out.push(error.event());
}

pub(crate) fn tell_stop<'f>(reason: Raw<'f>, out: &mut Out<'_, 'f>) {
    let Some(reason) = reason.non_empty_text() else { return };
    let num = match reason.short(&mut [0; 64]) {
        b"COMPLETE" => STOP_END,
        b"STOP_SEQUENCE" => STOP_SEQUENCE,
        b"MAX_TOKENS" | b"ERROR_LIMIT" => STOP_LENGTH,
        b"TOOL_CALL" => STOP_TOOL_USE,
        b"ERROR_TOXIC" => STOP_CONTENT_FILTER,
        b"ERROR" | b"TIMEOUT" => STOP_ERROR,
        _ => STOP_OTHER,
    };
    out.push(prose(EVENT_STOP, 0, reason).with_num(num));
}

/// What was counted; what was billed is in the raw usage.
pub(crate) fn tell_usage<'f>(usage: Raw<'f>, out: &mut Out<'_, 'f>) {
    if !usage.is_truthy() {
        return;
    }
    let Some([tokens]) = usage.fields(&USAGE) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()));
    let [input, output] = tokens.fields(&TOKENS).unwrap_or_default();
    for (counter, value) in [(USAGE_INPUT, input), (USAGE_OUTPUT, output)] {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}

#[cold]
pub(crate) fn malformed(error: &json::Error, out: &mut Out<'_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    out.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}
