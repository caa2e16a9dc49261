//! What a choice says: the `delta` of a stream or the `message` of a whole reply.

use thalweg_abi::types::{
    EVENT_OTHER_CONTENT, EVENT_REFUSAL, EVENT_SKIPPED, EVENT_TEXT, EVENT_THINKING, FLAG_AUX_ESCAPED, StreamEvent,
};
use thalweg_wire::json::{Names, Raw, Text};

use crate::blocks::{CallDelta, Choice};
use crate::emit::Emit;

/// The fields that are read: the last one counts where a key stands twice.
#[derive(Default)]
struct Delta<'a> {
    content: Raw<'a>,
    refusal: Raw<'a>,
    /// Under each of [`THINKING_FIELDS`], in that order, with the field's name as it stands there.
    thinking: [(Raw<'a>, &'a [u8]); 3],
    tool_calls: Raw<'a>,
    function_call: Raw<'a>,
    /// Under each of [`OTHER_FIELDS`].
    other: [(Raw<'a>, &'a [u8]); 4],
}

/// Names of the field of thinking, the stronger one first.
const THINKING_FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];
/// Content that is kept and not read.
const OTHER_FIELDS: [&str; 4] = ["reasoning_details", "annotations", "images", "audio"];

static FIELDS: Names<11> = {
    let [first, second, third] = THINKING_FIELDS;
    let [details, annotations, images, audio] = OTHER_FIELDS;
    Names::new([
        "content",
        "refusal",
        first,
        second,
        third,
        details,
        "tool_calls",
        "function_call",
        annotations,
        images,
        audio,
    ])
};

impl<'a> Delta<'a> {
    /// `None` if `value` is no object.
    #[inline]
    fn read(value: Raw<'a>) -> Option<Self> {
        let mut delta = Self::default();
        let mut cursor = value.cursor();
        let mut hint = 0;
        let mut more = cursor.open_object().ok()?;
        while more {
            let key = cursor.key().ok()?;
            let value = cursor.skip().ok()?;
            if let Some(found) = FIELDS.find(key, hint) {
                hint = found + 1;
                match found {
                    0 => delta.content = value,
                    1 => delta.refusal = value,
                    2..=4 => delta.thinking[found - 2] = (value, key.raw()),
                    5 => delta.other[0] = (value, key.raw()),
                    6 => delta.tool_calls = value,
                    7 => delta.function_call = value,
                    _ => delta.other[found - 7] = (value, key.raw()),
                }
            }
            more = cursor.more_members().ok()?;
        }
        Some(delta)
    }
}

impl Choice {
    /// Reads a delta or a message. Thinking comes before text, since a whole message has both.
    pub(crate) fn read<'f>(&mut self, value: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let Some(delta) = Delta::read(value) else { return };
        self.read_thinking(&delta.thinking, emit);
        self.read_content(delta.content, emit);
        if let Some(text) = delta.refusal.text() {
            self.prose(EVENT_REFUSAL, text, b"", emit);
        }
        if delta.function_call.is_object() {
            self.read_function_call(delta.function_call, emit);
        }
        if delta.tool_calls.is_array() {
            self.read_tool_calls(delta.tool_calls, emit);
        }
        for (value, key) in delta.other {
            if value.is_truthy() && !(key == b"reasoning_details" && is_only_text(value)) {
                emit.push(self.other(value, key, 0));
            }
        }
    }

    /// The legacy `text` of a choice.
    pub(crate) fn read_text<'f>(&mut self, text: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        self.prose(EVENT_TEXT, text, b"", emit);
    }

    /// The first field that says something. Several servers fill two fields with the same.
    #[inline]
    fn read_thinking<'f>(&mut self, fields: &[(Raw<'f>, &'f [u8]); 3], emit: &mut Emit<'_, '_, 'f>) {
        let mut texts = fields.iter().filter_map(|(value, key)| Some((value.text()?, *key)));
        let Some(first) = texts.next() else { return };
        let mut chosen = first;
        let mut is_only = true;
        for other in texts {
            is_only = false;
            if chosen.0.is_empty() && !other.0.is_empty() {
                chosen = other;
            }
        }
        self.prose(EVENT_THINKING, chosen.0, chosen.1, emit);
        if !is_only {
            emit.is_unrepeatable();
        }
    }

    #[inline]
    fn read_content<'f>(&mut self, content: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if let Some(text) = content.text() {
            self.prose(EVENT_TEXT, text, b"", emit);
        } else if content.is_array() {
            for part in content.items() {
                self.read_part(part, emit);
            }
        } else if let Some([text]) = content.fields(&TEXT)
            && let Some(text) = text.text()
        {
            self.prose(EVENT_TEXT, text, b"", emit);
        }
    }

    /// One part of content that is a list.
    fn read_part<'f>(&mut self, part: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if let Some(text) = part.text() {
            return self.prose(EVENT_TEXT, text, b"", emit);
        }
        let Some([kind, text, thinking]) = part.fields(&PART) else { return };
        let kind_text = kind.text();
        if kind_text.is_some_and(|kind| kind.is(b"thinking")) {
            if let Some(text) = thinking.text() {
                self.prose(EVENT_THINKING, text, b"", emit);
            }
            for [kind, text] in thinking.objects(&INNER) {
                if let (Some(kind), Some(text)) = (kind.text(), text.text())
                    && kind.is(b"text")
                {
                    self.prose(EVENT_THINKING, text, b"", emit);
                }
            }
        } else if kind_text.is_some_and(|kind| kind.is(b"text")) || (kind.is_none() && !text.is_absent()) {
            if let Some(text) = text.text() {
                self.prose(EVENT_TEXT, text, b"", emit);
            }
        } else {
            let kind = kind_text.unwrap_or_default();
            emit.push(self.other(part, kind.raw(), if kind.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }));
        }
    }

    fn read_function_call<'f>(&mut self, value: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let [name, arguments] = value.fields(&FUNCTION).unwrap_or_default();
        let delta = CallDelta { name: name.non_empty_text(), arguments, is_legacy: true, ..CallDelta::default() };
        self.read_call(delta, emit);
    }

    fn read_tool_calls<'f>(&mut self, list: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        for [index, id, function] in list.objects(&CALL) {
            let [name, arguments] = function.fields(&FUNCTION).unwrap_or_default();
            let delta = CallDelta {
                index: index.int(),
                id: id.non_empty_text(),
                name: name.non_empty_text(),
                arguments,
                is_legacy: false,
            };
            self.read_call(delta, emit);
        }
    }

    fn read_call<'f>(&mut self, delta: CallDelta<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if self.call(delta, emit).is_err() {
            emit.push(StreamEvent::new(EVENT_SKIPPED).with_sub(self.index));
        }
    }

    const fn other<'f>(&self, value: Raw<'f>, content_type: &'f [u8], flags: u32) -> StreamEvent<'f> {
        StreamEvent::new(EVENT_OTHER_CONTENT)
            .with_sub(self.index)
            .with_text(value.bytes())
            .with_aux(content_type)
            .with_flags(flags)
    }
}

static TEXT: Names<1> = Names::new(["text"]);
static PART: Names<3> = Names::new(["type", "text", "thinking"]);
static INNER: Names<2> = Names::new(["type", "text"]);
static CALL: Names<3> = Names::new(["index", "id", "function"]);
static FUNCTION: Names<2> = Names::new(["name", "arguments"]);
static DETAIL: Names<3> = Names::new(["type", "signature", "data"]);

/// Whether `reasoning_details` say no more than the thinking beside them: nothing that has to be sent back.
fn is_only_text(details: Raw<'_>) -> bool {
    details.objects(&DETAIL).all(|[kind, signature, data]| {
        let is_text = kind.text().is_some_and(|kind| kind.is(b"reasoning.text") || kind.is(b"reasoning.summary"));
        is_text && !signature.is_truthy() && !data.is_truthy()
    })
}
