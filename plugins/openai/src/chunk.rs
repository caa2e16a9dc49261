//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Recycled;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, FRAME_WHOLE_BODY, FrameRef, STOP_CONTENT_FILTER, STOP_END, STOP_ERROR,
    STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent,
};
use thalweg_wire::json::{self, Cursor, Error, Fields, Head, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::blocks::Choice;
use crate::delta::Delta;
use crate::emit::Emit;
use crate::think_tags::ThinkTags;
use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    choices: Recycled<Choice>,
    has_started: bool,
    has_usage: bool,
    /// Length of the citations told last: some providers repeat the whole list in every payload.
    citations_len: usize,
    /// Where a text of this server begins.
    tags: ThinkTags,
    /// How the last payload began.
    head: Head<CHUNK_KEYS>,
}

/// Choices of one reply; further ones are skipped.
const CHOICES_MAX: usize = 128;

static GROQ: Names<1> = Names::new(["usage"]);

/// The keys of a payload as they mostly follow each other, also those that are not read.
const CHUNK_KEYS: usize = 14;
static CHUNK: Names<CHUNK_KEYS> = Names::new([
    "id",
    "object",
    "created",
    "model",
    "service_tier",
    "system_fingerprint",
    "choices",
    "usage",
    "obfuscation",
    "x_groq",
    "type",
    "error",
    "citations",
    "provider",
]);
const ID: usize = CHUNK.place("id");
const MODEL: usize = CHUNK.place("model");
const OBJECT: usize = CHUNK.place("object");
const TYPE: usize = CHUNK.place("type");
const CHOICES: usize = CHUNK.place("choices");
const USAGE: usize = CHUNK.place("usage");
const X_GROQ: usize = CHUNK.place("x_groq");
const ERROR: usize = CHUNK.place("error");
const CITATIONS: usize = CHUNK.place("citations");

/// The same for a choice.
static CHOICE: Names<8> =
    Names::new(["index", "delta", "logprobs", "finish_reason", "native_finish_reason", "usage", "message", "text"]);
const INDEX: usize = CHOICE.place("index");
const DELTA: usize = CHOICE.place("delta");
const FINISH_REASON: usize = CHOICE.place("finish_reason");
const CHOICE_USAGE: usize = CHOICE.place("usage");
const MESSAGE: usize = CHOICE.place("message");
const TEXT: usize = CHOICE.place("text");

/// The fields of a payload: the last one counts where a key stands twice.
#[derive(Default)]
struct Chunk<'a> {
    /// As [`CHUNK`] has them.
    fields: Fields<'a, CHUNK_KEYS>,
    /// Whether `choices` is a list of one object: it is read in the same pass, any other list is read again.
    is_single: bool,
    single: ChoiceFields<'a>,
}

/// The fields of a choice.
#[derive(Default)]
struct ChoiceFields<'a> {
    /// As [`CHOICE`] has them.
    fields: Fields<'a, 8>,
    /// What is in `delta`, if that is an object.
    delta: Delta<'a>,
}

impl<'a> Chunk<'a> {
    /// Reads a payload into an empty chunk. Whether it is an object, not just JSON.
    #[inline]
    fn read(&mut self, data: &'a [u8], head: &mut Head<CHUNK_KEYS>) -> Result<bool, Error> {
        let mut cursor = Cursor::new(data, NESTING_MAX);
        if cursor.peek() != Some(b'{') {
            return json::check(data, NESTING_MAX).map(|()| false);
        }
        let (single, is_single) = (&mut self.single, &mut self.is_single);
        let mut is_first = true;
        cursor.read_fields_behind(&CHUNK, CHOICES, head, &mut self.fields, |cursor| {
            if !std::mem::take(&mut is_first) {
                // The key stands here a second time.
                *single = ChoiceFields::default();
            }
            *is_single = read_single(single, cursor)?;
            Ok(())
        })?;
        cursor.end()?;
        Ok(true)
    }
}

/// Reads a value whole. Whether it is a list of one object, whose fields are in `single` then.
#[inline]
fn read_single<'a>(single: &mut ChoiceFields<'a>, cursor: &mut Cursor<'a>) -> Result<bool, Error> {
    if cursor.peek() != Some(b'[') {
        return cursor.skip().map(|_| false);
    }
    if !cursor.open_array()? {
        return Ok(false);
    }
    let mut is_single = cursor.peek() == Some(b'{');
    if is_single {
        single.read(cursor)?;
    } else {
        cursor.skip()?;
    }
    while cursor.more_elements()? {
        is_single = false;
        cursor.skip()?;
    }
    Ok(is_single)
}

impl<'a> ChoiceFields<'a> {
    /// Reads the object at the cursor into empty fields.
    #[inline]
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Error> {
        let delta = &mut self.delta;
        let mut is_first = true;
        cursor.read_fields_but(&CHOICE, DELTA, &mut self.fields, |cursor| {
            if !std::mem::take(&mut is_first) {
                *delta = Delta::default();
            }
            if cursor.peek() == Some(b'{') { delta.read(cursor) } else { cursor.skip().map(|_| ()) }
        })
    }
}

impl Reply {
    /// A reply of a server that may put thinking into its text.
    pub(crate) fn new(has_tags: bool) -> Self {
        Self { tags: if has_tags { ThinkTags::Before(0) } else { ThinkTags::Plain }, ..Self::default() }
    }

    /// The body has ended: what may have been the beginning of a tag is none.
    pub(crate) fn finish(&mut self, emit: &mut Emit<'_, '_, '_>) {
        for choice in self.choices.iter_mut() {
            choice.flush_tags(emit);
        }
    }

    /// Back to the start of a reply. The choices and their calls keep their memory.
    pub(crate) fn reset(&mut self) {
        let mut choices = std::mem::take(&mut self.choices);
        choices.clear();
        // How a payload begins says the same in any reply.
        let head = std::mem::take(&mut self.head);
        *self = Self { choices, head, tags: self.tags, ..Self::default() };
    }

    /// Reads one frame that is no error body.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            return emit.push(StreamEvent::new(EVENT_DONE));
        }
        let mut chunk = Chunk::default();
        match chunk.read(data, &mut self.head) {
            Ok(true) => self.tell(&chunk, frame, emit),
            Ok(false) => emit.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => {
                let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
                emit.push_copied(event, provider_error::not_json(&error).as_bytes(), b"");
            }
        }
    }

    #[inline]
    fn tell<'f>(&mut self, chunk: &Chunk<'f>, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let fields = &chunk.fields;
        let is_error = (!fields.is_absent(ERROR) && fields.get(ERROR).is_truthy())
            || frame.event() == b"error"
            || fields.get(OBJECT).text().is_some_and(|object| object.is(b"error"));
        let is_known = is_error || [CHOICES, USAGE, X_GROQ].iter().any(|place| !fields.is_absent(*place));
        if !is_known {
            let kind = chunk.fields.get(TYPE).non_empty_text().or_else(|| chunk.fields.get(OBJECT).non_empty_text());
            return emit.push(skipped(kind, frame.event()));
        }
        if is_error {
            // Read again, which only errors pay for.
            let payload = json::value(frame.data(), NESTING_MAX).unwrap_or_default();
            emit.push(ProviderError::from_value(payload, 0).event());
        }
        if !self.has_started {
            self.start(chunk, emit);
        }
        if chunk.fields.get(CITATIONS).is_array() && chunk.fields.get(CITATIONS).bytes().len() != self.citations_len {
            self.tell_citations(chunk.fields.get(CITATIONS), emit);
        }
        let usage = if chunk.fields.get(USAGE).is_truthy() {
            chunk.fields.get(USAGE)
        } else {
            chunk.fields.get(X_GROQ).fields(&GROQ).unwrap_or_default()[0]
        };
        let has_usage = usage.is_object() && usage.is_truthy();
        self.has_usage |= has_usage;
        if chunk.is_single {
            self.tell_choice(&chunk.single, emit);
        } else {
            self.tell_choices(chunk.fields.get(CHOICES), emit);
        }
        if has_usage {
            usage::tell(usage, emit);
        }
        if frame.kind() == FRAME_WHOLE_BODY && !is_error {
            emit.push(StreamEvent::new(EVENT_DONE));
        }
    }

    /// Says who answers, as soon as that is known, and at the latest before the first content.
    fn start<'f>(&mut self, chunk: &Chunk<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let has_choice = chunk.is_single || chunk.fields.get(CHOICES).items().any(|choice| choice.is_object());
        let (id, model) = (chunk.fields.get(ID).non_empty_text(), chunk.fields.get(MODEL).non_empty_text());
        if id.is_none() && model.is_none() && !has_choice {
            return;
        }
        self.has_started = true;
        let (model, id) = (model.unwrap_or_default(), id.unwrap_or_default());
        let event = StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_aux(id.raw());
        emit.push(event.with_flags(flags(model, id)));
    }

    fn tell_citations<'f>(&mut self, citations: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        self.citations_len = citations.bytes().len();
        if citations.is_truthy() {
            emit.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), citations.bytes(), b"citations");
        }
    }

    /// Several choices in one payload.
    #[cold]
    fn tell_choices<'f>(&mut self, choices: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        for choice in choices.items().filter(Raw::is_object) {
            let mut fields = ChoiceFields::default();
            if fields.read(&mut choice.cursor()).is_ok() {
                self.tell_choice(&fields, emit);
            }
        }
    }

    #[inline]
    fn tell_choice<'f>(&mut self, fields: &ChoiceFields<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let index = fields.fields.get(INDEX).int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let Some(choice) = self.choice(index) else {
            return emit.push(StreamEvent::new(EVENT_SKIPPED));
        };
        if fields.fields.get(DELTA).is_object() {
            choice.tell(&fields.delta, emit);
        } else {
            tell_without_delta(choice, fields, emit);
        }
        if let Some(reason) = fields.fields.get(FINISH_REASON).non_empty_text() {
            if !choice.tags.is_plain() {
                choice.flush_tags(emit);
            }
            let event = StreamEvent::new(EVENT_STOP).with_sub(index).with_num(stop_of(reason));
            emit.push(event.with_text(reason.raw()).with_flags(flags(reason, Text::default())));
        }
        if !self.has_usage && fields.fields.get(CHOICE_USAGE).is_object() && fields.fields.get(CHOICE_USAGE).is_truthy()
        {
            self.has_usage = true;
            usage::tell(fields.fields.get(CHOICE_USAGE), emit);
        }
    }

    #[inline]
    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let position = self.choices.iter().position(|choice| choice.index == index);
        let position = match position {
            Some(position) => position,
            None if self.choices.len() >= CHOICES_MAX => return None,
            None => {
                let choice = self.choices.push_empty();
                (choice.index, choice.tags) = (index, self.tags);
                self.choices.len() - 1
            }
        };
        self.choices.get_mut(position)
    }
}

/// A choice of a whole reply, or of the completions of old.
#[cold]
fn tell_without_delta<'f>(choice: &mut Choice, fields: &ChoiceFields<'f>, emit: &mut Emit<'_, '_, 'f>) {
    if fields.fields.get(DELTA).is_absent()
        && let Some(text) = fields.fields.get(TEXT).text()
    {
        choice.tell_text(text, emit);
    }
    let mut message = Delta::default();
    if fields.fields.get(DELTA).is_none()
        && fields.fields.get(MESSAGE).is_object()
        && message.read(&mut fields.fields.get(MESSAGE).cursor()).is_ok()
    {
        // It is volatile where there is a delta.
        emit.is_unrepeatable();
        choice.tell(&message, emit);
    }
}

fn skipped<'f>(kind: Option<Text<'f>>, event: &'f [u8]) -> StreamEvent<'f> {
    let skipped = StreamEvent::new(EVENT_SKIPPED);
    match kind {
        Some(kind) if kind.is_escaped() => skipped.with_aux(kind.raw()).with_flags(FLAG_AUX_ESCAPED),
        Some(kind) => skipped.with_aux(kind.raw()),
        None => skipped.with_aux(event),
    }
}

const fn flags(text: Text<'_>, aux: Text<'_>) -> u32 {
    let text = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    text | if aux.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }
}

/// The engine's word for a `finish_reason`.
fn stop_of(reason: Text<'_>) -> i64 {
    match reason.short(&mut [0; 64]) {
        b"stop" | b"eos" | b"end_turn" | b"stop_sequence" => STOP_END,
        b"length" | b"max_tokens" | b"model_length" => STOP_LENGTH,
        b"tool_calls" | b"function_call" | b"tool_use" => STOP_TOOL_USE,
        b"content_filter" | b"refusal" | b"safety" => STOP_CONTENT_FILTER,
        b"error" | b"network_error" | b"insufficient_system_resource" => STOP_ERROR,
        _ => STOP_OTHER,
    }
}
