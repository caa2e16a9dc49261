//! One content block: its beginning, its deltas, its end.

use serde_json::Value;
use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING, EVENT_SKIPPED, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_AUX_ESCAPED, FLAG_FROM_NOW, FLAG_LASTING,
    FLAG_REPEATABLE, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, StreamEvent,
};
use thalweg_wire::json::{Cursor, Error, Fields, Names, Raw, Text};

/// What has to be remembered of a block that has begun.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its number on the wire.
    pub(crate) index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Prose,
    /// A tool call of ours.
    Tool {
        has_arguments: bool,
        /// Arguments that came with the beginning; they count if no others follow.
        input: Vec<u8>,
    },
    /// A tool call that the provider runs itself: kept until its end, then told whole.
    ServerTool {
        content_type: Vec<u8>,
        /// The block as it began.
        start: Vec<u8>,
        /// JSON text of the input, still escaped.
        input: Vec<u8>,
    },
    /// Told with its beginning.
    Other,
}

/// Bytes of input that a tool call of the provider may have; more is skipped.
const INPUT_BYTES_MAX: usize = 4 << 20;

static START: Names<9> =
    Names::new(["type", "text", "thinking", "signature", "data", "id", "name", "input", "citations"]);

/// The keys of a delta.
static DELTA: Names<7> =
    Names::new(["type", "text", "partial_json", "thinking", "signature", "stop_reason", "stop_sequence"]);
const TYPE: usize = DELTA.place("type");
const TEXT: usize = DELTA.place("text");
const PARTIAL_JSON: usize = DELTA.place("partial_json");
const THINKING: usize = DELTA.place("thinking");
const SIGNATURE: usize = DELTA.place("signature");
const STOP_REASON: usize = DELTA.place("stop_reason");
const STOP_SEQUENCE: usize = DELTA.place("stop_sequence");

/// The fields of a delta: the last one counts where a key stands twice.
#[derive(Default)]
pub(crate) struct Delta<'a> {
    /// As [`DELTA`] has them.
    fields: Fields<'a, 7>,
    /// All of it.
    whole: Raw<'a>,
}

impl<'a> Delta<'a> {
    /// Reads the value at the cursor into an empty delta, which stays empty unless it is an object.
    #[inline]
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Error> {
        if cursor.peek() != Some(b'{') {
            self.whole = cursor.skip()?;
            return Ok(());
        }
        let fields = &mut self.fields;
        self.whole = cursor.capture(|cursor| cursor.read_fields(&DELTA, fields))?;
        Ok(())
    }

    /// Why the message stops, if it does.
    pub(crate) fn stop_reason(&self) -> Raw<'a> {
        self.fields.get(STOP_REASON)
    }

    /// The sequence that stopped it, if one did.
    pub(crate) fn stop_sequence(&self) -> Raw<'a> {
        self.fields.get(STOP_SEQUENCE)
    }
}

impl Block {
    /// Tells the beginning of a block, with whatever content is in it already.
    pub(crate) fn begin<'f>(index: u32, value: Raw<'f>, out: &mut Out<'_, 'f>) -> Self {
        let [content_type, text, thinking, signature, data, id, name, input, citations] =
            value.fields(&START).unwrap_or_default();
        let content_type = content_type.text().unwrap_or_default();
        let mut tell = |kind: u32, value: Raw<'f>| {
            if let Some(text) = value.non_empty_text() {
                out.push(text_event(kind, index, text));
            }
        };
        let kind = match content_type.short(&mut [0; 64]) {
            b"text" => {
                tell(EVENT_TEXT, text);
                if citations.is_array() && citations.is_truthy() {
                    let event = StreamEvent::new(EVENT_OTHER_CONTENT).with_block(index);
                    out.push_copied(event, citations.bytes(), b"citations");
                }
                Kind::Prose
            }
            b"thinking" => {
                tell(EVENT_THINKING, thinking);
                tell(EVENT_THINKING_SIGNATURE, signature);
                Kind::Prose
            }
            b"redacted_thinking" => {
                tell(EVENT_REDACTED_THINKING, data);
                Kind::Other
            }
            b"tool_use" => {
                out.push(tool_begin(index, name.text().unwrap_or_default(), id.text().unwrap_or_default()));
                let input = if input.is_truthy() { input.bytes() } else { b"" };
                Kind::Tool { has_arguments: false, input: input.to_vec() }
            }
            _ if !input.is_absent() => {
                let mut owned = Vec::new();
                content_type.push_to(&mut owned);
                Kind::ServerTool { content_type: owned, start: value.bytes().to_vec(), input: Vec::new() }
            }
            _ => {
                out.push(other(index, value, content_type));
                Kind::Other
            }
        };
        Self { index, kind }
    }

    /// A block whose beginning was never told: its deltas say all that there is to know.
    pub(crate) const fn untold(index: u32) -> Self {
        Self { index, kind: Kind::Other }
    }

    /// Tells a delta. `is_numbered` says that the index stands in the payload.
    #[inline]
    pub(crate) fn delta<'f>(&mut self, delta: &Delta<'f>, is_numbered: bool, out: &mut Out<'_, 'f>) {
        let index = self.index;
        let Some(content_type) = delta.fields.get(TYPE).text() else {
            return out.push(StreamEvent::new(EVENT_SKIPPED).with_block(index));
        };
        // Nothing but arguments changes a block, and prose of any block is told alike.
        let prose = FLAG_REPEATABLE | if is_numbered { FLAG_LASTING } else { 0 };
        let mut tell = |kind: u32, value: Raw<'f>, flags: u32| {
            if let Some(text) = value.text() {
                out.push(text_event(kind, index, text).with_flags(flags));
            }
        };
        match content_type.short(&mut [0; 64]) {
            b"text_delta" => tell(EVENT_TEXT, delta.fields.get(TEXT), prose),
            b"thinking_delta" => tell(EVENT_THINKING, delta.fields.get(THINKING), prose),
            b"signature_delta" => tell(EVENT_THINKING_SIGNATURE, delta.fields.get(SIGNATURE), FLAG_REPEATABLE),
            b"input_json_delta" => self.arguments(delta, content_type, out),
            _ => out.push(other(index, delta.whole, content_type).with_flags(FLAG_REPEATABLE)),
        }
    }

    fn arguments<'f>(&mut self, delta: &Delta<'f>, content_type: Text<'f>, out: &mut Out<'_, 'f>) {
        let Some(text) = delta.fields.get(PARTIAL_JSON).text() else { return };
        match &mut self.kind {
            Kind::Tool { has_arguments, .. } => {
                if *has_arguments || !text.is_empty() {
                    let flags = FLAG_REPEATABLE | if *has_arguments { 0 } else { FLAG_FROM_NOW };
                    *has_arguments = true;
                    out.push(text_event(EVENT_TOOL_ARGUMENTS, self.index, text).with_flags(flags));
                }
            }
            Kind::ServerTool { input, .. } if input.len() + text.raw().len() <= INPUT_BYTES_MAX => {
                input.extend_from_slice(text.raw());
            }
            Kind::ServerTool { .. } => out.push(StreamEvent::new(EVENT_SKIPPED).with_block(self.index)),
            Kind::Prose | Kind::Other => out.push(other(self.index, delta.whole, content_type)),
        }
    }

    /// Tells what was kept for the end of the block. A tool call that ends in order has arguments, be it none.
    pub(crate) fn complete(&mut self, out: &mut Out<'_, '_>) {
        if let Kind::Tool { has_arguments, input } = &mut self.kind
            && !*has_arguments
            && input.is_empty()
        {
            *has_arguments = true;
            let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(self.index);
            out.push(event.with_text(b"{}").with_flags(FLAG_SCRATCH));
        }
        self.release(out);
    }

    /// Tells what was kept, once, although the end of the block may never come.
    pub(crate) fn release(&mut self, out: &mut Out<'_, '_>) {
        match &mut self.kind {
            Kind::Tool { has_arguments, input } if !*has_arguments && !input.is_empty() => {
                *has_arguments = true;
                out.push_copied(StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(self.index), input, b"");
            }
            Kind::ServerTool { content_type, start, input } => {
                let event = StreamEvent::new(EVENT_OTHER_CONTENT).with_block(self.index);
                match with_input(start, input) {
                    Some(whole) => out.push_copied(event, whole.as_bytes(), content_type),
                    None => out.push_copied(event, start, content_type),
                }
                self.kind = Kind::Other;
            }
            _ => {}
        }
    }

    /// Tells the end of the block.
    pub(crate) fn end(mut self, out: &mut Out<'_, '_>) {
        self.complete(out);
        out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(self.index));
    }
}

#[inline]
fn text_event(kind: u32, index: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_block(index).with_text(text.raw()).with_flags(flags)
}

const fn tool_begin<'f>(index: u32, name: Text<'f>, id: Text<'f>) -> StreamEvent<'f> {
    let name_flag = if name.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    let id_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
    StreamEvent::new(EVENT_TOOL_BEGIN)
        .with_block(index)
        .with_text(name.raw())
        .with_aux(id.raw())
        .with_flags(name_flag | id_flag)
}

const fn other<'f>(index: u32, value: Raw<'f>, content_type: Text<'f>) -> StreamEvent<'f> {
    StreamEvent::new(EVENT_OTHER_CONTENT)
        .with_block(index)
        .with_text(value.bytes())
        .with_aux(content_type.raw())
        .with_flags(if content_type.is_escaped() { FLAG_AUX_ESCAPED } else { 0 })
}

/// The JSON of a block with the input that came after its beginning. `None` if none came. Input that is no JSON, since it
/// was cut, is put in as a string.
fn with_input(start: &[u8], input: &[u8]) -> Option<String> {
    if input.is_empty() {
        return None;
    }
    let text: String = serde_json::from_slice(&[b"\"", input, b"\""].concat()).ok()?;
    let mut block: Value = serde_json::from_slice(start).ok()?;
    block["input"] = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some(block.to_string())
}
