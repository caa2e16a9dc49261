//! What a choice says: the `delta` of a stream or the `message` of a whole reply.

use thalweg_abi::types::{
    EVENT_OTHER_CONTENT, EVENT_REFUSAL, EVENT_SKIPPED, EVENT_TEXT, EVENT_THINKING, FLAG_AUX_ESCAPED, StreamEvent,
};
use thalweg_wire::json::{Cursor, Error, Fields, Names, Raw, Text};

use crate::blocks::{CallDelta, Choice};
use crate::emit::Emit;

/// The keys of a delta as they mostly follow each other, also those that are not read.
static DELTA: Names<12> = Names::new([
    "role",
    "content",
    "refusal",
    // Where thinking may be, the stronger field first.
    "reasoning_content",
    "reasoning",
    "reasoning_text",
    "tool_calls",
    "function_call",
    // What is kept and not read.
    "reasoning_details",
    "annotations",
    "images",
    "audio",
]);
const CONTENT: usize = DELTA.place("content");
const REFUSAL: usize = DELTA.place("refusal");
const THINKING: usize = DELTA.place("reasoning_content");
const TOOL_CALLS: usize = DELTA.place("tool_calls");
const FUNCTION_CALL: usize = DELTA.place("function_call");
const OTHER: usize = DELTA.place("reasoning_details");

/// The fields that are read: the last one counts where a key stands twice.
#[derive(Default)]
pub(crate) struct Delta<'a> {
    /// As [`DELTA`] has them.
    fields: Fields<'a, 12>,
    /// All of it.
    whole: Raw<'a>,
}

/// A value and the name that it has on the wire.
#[derive(Clone, Copy, Default)]
struct Field<'a> {
    value: Raw<'a>,
    name: Text<'a>,
}

impl<'a> Delta<'a> {
    /// Reads the object at the cursor into an empty delta.
    #[inline]
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Error> {
        let fields = &mut self.fields;
        self.whole = cursor.capture(|cursor| cursor.read_fields(&DELTA, fields))?;
        Ok(())
    }

    /// Whether there may be thinking in it.
    #[inline]
    fn has_thinking(&self) -> bool {
        (THINKING..THINKING + 3).any(|place| !self.fields.is_absent(place))
    }

    /// The fields that may hold thinking, the stronger one first.
    fn thinking(&self) -> [Field<'a>; 3] {
        [0, 1, 2].map(|n| Field { value: self.fields.get(THINKING + n), name: self.fields.key(THINKING + n) })
    }

    /// Whether it has content that is kept and not read.
    #[inline]
    fn has_other(&self) -> bool {
        (OTHER..OTHER + OTHER_FIELDS.len())
            .any(|place| !self.fields.is_absent(place) && self.fields.get(place).is_truthy())
    }
}

impl Choice {
    /// Tells a delta or a message. Thinking comes before text, since a whole message has both.
    #[inline]
    pub(crate) fn tell<'f>(&mut self, delta: &Delta<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if delta.has_thinking() {
            self.tell_thinking(&delta.thinking(), emit);
        }
        self.tell_content(delta.fields.get(CONTENT), emit);
        if let Some(text) = delta.fields.get(REFUSAL).text() {
            self.prose(EVENT_REFUSAL, text, Text::default(), emit);
        }
        if delta.fields.get(FUNCTION_CALL).is_object() {
            self.tell_function_call(delta.fields.get(FUNCTION_CALL), emit);
        }
        if delta.fields.get(TOOL_CALLS).is_array() {
            self.tell_tool_calls(delta.fields.get(TOOL_CALLS), emit);
        }
        if delta.has_other() {
            self.tell_other(delta.whole, emit);
        }
    }

    /// Content that is kept and not read, each field once.
    #[cold]
    fn tell_other<'f>(&mut self, delta: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let mut fields = [Field::default(); OTHER_FIELDS.len()];
        let read = delta.cursor().members(|cursor, name| {
            let value = cursor.skip()?;
            if let Some(at) = OTHER_FIELDS.iter().position(|field| name.is(field.as_bytes())) {
                fields[at] = Field { value, name };
            }
            Ok(())
        });
        debug_assert!(read.is_ok(), "the delta was checked");
        for (at, Field { value, name }) in fields.into_iter().enumerate() {
            // What is said aloud is also there as text.
            if let Some([transcript]) = value.fields(&TRANSCRIPT)
                && at == AUDIO
                && let Some(text) = transcript.non_empty_text()
            {
                self.prose(EVENT_TEXT, text, Text::default(), emit);
            }
            match at {
                _ if !value.is_truthy() => {}
                DETAILS if is_only_text(value) => {}
                DETAILS => self.sign(value, emit),
                _ => emit.push(self.other(value, name)),
            }
        }
    }

    /// The legacy `text` of a choice.
    pub(crate) fn tell_text<'f>(&mut self, text: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        self.prose(EVENT_TEXT, text, Text::default(), emit);
    }

    /// The first field that says something. Several servers fill two fields with the same.
    fn tell_thinking<'f>(&mut self, fields: &[Field<'f>; 3], emit: &mut Emit<'_, '_, 'f>) {
        if fields.iter().all(|field| field.value.is_none()) {
            return;
        }
        let mut texts = fields.iter().filter_map(|field| Some((field.value.text()?, field.name)));
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
    fn text<'f>(&mut self, text: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if self.tags.is_plain() {
            self.prose(EVENT_TEXT, text, Text::default(), emit);
        } else {
            self.tagged(text, emit);
        }
    }

    #[inline]
    fn tell_content<'f>(&mut self, content: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if let Some(text) = content.text() {
            self.text(text, emit);
        } else if content.is_array() {
            for part in content.items() {
                self.tell_part(part, emit);
            }
        } else if let Some([text]) = content.fields(&TEXT)
            && let Some(text) = text.text()
        {
            self.text(text, emit);
        }
    }

    /// One part of content that is a list.
    fn tell_part<'f>(&mut self, part: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if let Some(text) = part.text() {
            return self.text(text, emit);
        }
        let Some([kind, text, thinking]) = part.fields(&PART) else { return };
        let kind_text = kind.text();
        if kind_text.is_some_and(|kind| kind.is(b"thinking")) {
            if let Some(text) = thinking.text() {
                self.prose(EVENT_THINKING, text, Text::default(), emit);
            }
            for [kind, text] in thinking.objects(&INNER) {
                if let (Some(kind), Some(text)) = (kind.text(), text.text())
                    && kind.is(b"text")
                {
                    self.prose(EVENT_THINKING, text, Text::default(), emit);
                }
            }
        } else if kind_text.is_some_and(|kind| kind.is(b"text")) || (kind.is_none() && !text.is_absent()) {
            if let Some(text) = text.text() {
                self.text(text, emit);
            }
        } else {
            let kind = kind_text.unwrap_or_default();
            emit.push(self.other(part, kind));
        }
    }

    fn tell_function_call<'f>(&mut self, value: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let [name, arguments] = value.fields(&FUNCTION).unwrap_or_default();
        let delta = CallDelta { name: name.non_empty_text(), arguments, is_legacy: true, ..CallDelta::default() };
        self.tell_call(delta, emit);
    }

    fn tell_tool_calls<'f>(&mut self, list: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        for [index, id, function] in list.objects(&CALL) {
            let [name, arguments] = function.fields(&FUNCTION).unwrap_or_default();
            let delta = CallDelta {
                index: index.int(),
                id: id.non_empty_text(),
                name: name.non_empty_text(),
                arguments,
                is_legacy: false,
            };
            self.tell_call(delta, emit);
        }
    }

    fn tell_call<'f>(&mut self, delta: CallDelta<'f>, emit: &mut Emit<'_, '_, 'f>) {
        if self.call(delta, emit).is_err() {
            emit.push(StreamEvent::new(EVENT_SKIPPED).with_sub(self.index));
        }
    }

    const fn other<'f>(&self, value: Raw<'f>, content_type: Text<'f>) -> StreamEvent<'f> {
        StreamEvent::new(EVENT_OTHER_CONTENT)
            .with_sub(self.index)
            .with_text(value.bytes())
            .with_aux(content_type.raw())
            .with_flags(if content_type.is_escaped() { FLAG_AUX_ESCAPED } else { 0 })
    }
}

/// Fields of a delta that are kept and not read.
const OTHER_FIELDS: [&str; 4] = ["reasoning_details", "annotations", "images", "audio"];

const DETAILS: usize = 0;
const AUDIO: usize = 3;

static TEXT: Names<1> = Names::new(["text"]);
static TRANSCRIPT: Names<1> = Names::new(["transcript"]);
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
