//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, FRAME_WHOLE_BODY, FrameRef, STOP_CONTENT_FILTER, STOP_END, STOP_ERROR,
    STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::blocks::Choice;
use crate::emit::Emit;
use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    choices: Vec<Choice>,
    has_started: bool,
    has_usage: bool,
    /// Length of the citations told last: some providers repeat the whole list in every payload.
    citations_len: usize,
}

/// Choices of one reply; further ones are skipped.
const CHOICES_MAX: usize = 128;

static CHUNK: Names<9> =
    Names::new(["id", "object", "model", "choices", "usage", "x_groq", "error", "citations", "type"]);
static CHOICE: Names<6> = Names::new(["index", "delta", "message", "text", "finish_reason", "usage"]);
static GROQ: Names<1> = Names::new(["usage"]);

/// The fields of a payload.
struct Chunk<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    object: Option<Text<'a>>,
    kind: Option<Text<'a>>,
    choices: Raw<'a>,
    usage: Raw<'a>,
    groq: Raw<'a>,
    error: Raw<'a>,
    citations: Raw<'a>,
}

impl Reply {
    /// Reads one frame that is no error body.
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let data = frame.data();
        if data.trim_ascii() == b"[DONE]" {
            return emit.push(StreamEvent::new(EVENT_DONE));
        }
        let fields = match json::object(data, &CHUNK, NESTING_MAX) {
            Ok(Some(fields)) => fields,
            Ok(None) => return emit.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => {
                let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
                return emit.push_copied(event, provider_error::not_json(&error).as_bytes(), b"");
            }
        };
        let [id, object, model, choices, usage, groq, error, citations, kind] = fields;
        let chunk = Chunk {
            id: id.non_empty_text(),
            model: model.non_empty_text(),
            object: object.non_empty_text(),
            kind: kind.non_empty_text(),
            choices,
            usage,
            groq,
            error,
            citations,
        };
        self.read_chunk(&chunk, frame, emit);
    }

    fn read_chunk<'f>(&mut self, chunk: &Chunk<'f>, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let is_error = chunk.error.is_truthy()
            || frame.event() == b"error"
            || chunk.object.is_some_and(|object| object.is(b"error"));
        let is_known = is_error || [chunk.choices, chunk.usage, chunk.groq].iter().any(|value| !value.is_absent());
        if !is_known {
            return emit.push(skipped(chunk.kind.or(chunk.object), frame.event()));
        }
        if is_error {
            // Read again, which only errors pay for.
            let payload = json::value(frame.data(), NESTING_MAX).unwrap_or_default();
            emit.push(ProviderError::from_value(payload, 0).event());
        }
        if !self.has_started {
            self.start(chunk, emit);
        }
        if chunk.citations.is_array() && chunk.citations.bytes().len() != self.citations_len {
            self.read_citations(chunk.citations, emit);
        }
        let usage = [chunk.usage, chunk.groq.fields(&GROQ).unwrap_or_default()[0]]
            .into_iter()
            .find(Raw::is_truthy)
            .filter(Raw::is_object);
        self.has_usage |= usage.is_some();
        for choice in chunk.choices.objects(&CHOICE) {
            self.read_choice(choice, emit);
        }
        if let Some(usage) = usage {
            usage::read(usage, emit);
        }
        if frame.kind() == FRAME_WHOLE_BODY && !is_error {
            emit.push(StreamEvent::new(EVENT_DONE));
        }
    }

    /// Says who answers, as soon as that is known, and at the latest before the first content.
    fn start<'f>(&mut self, chunk: &Chunk<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let has_content = chunk.choices.objects(&CHOICE).next().is_some();
        if chunk.id.is_none() && chunk.model.is_none() && !has_content {
            return;
        }
        self.has_started = true;
        let (model, id) = (chunk.model.unwrap_or_default(), chunk.id.unwrap_or_default());
        emit.push(
            StreamEvent::new(EVENT_MESSAGE_START)
                .with_text(model.raw())
                .with_aux(id.raw())
                .with_flags(flags(model, id)),
        );
    }

    fn read_citations<'f>(&mut self, citations: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        self.citations_len = citations.bytes().len();
        if citations.is_truthy() {
            emit.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), citations.bytes(), b"citations");
        }
    }

    fn read_choice<'f>(
        &mut self,
        [index, delta, message, text, finish_reason, usage]: [Raw<'f>; 6],
        emit: &mut Emit<'_, '_, 'f>,
    ) {
        let index = index.int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let Some(choice) = self.choice(index) else {
            return emit.push(StreamEvent::new(EVENT_SKIPPED));
        };
        if delta.is_absent()
            && let Some(text) = text.text()
        {
            choice.read_text(text, emit);
        }
        choice.read(if delta.is_none() { message } else { delta }, emit);
        if let Some(reason) = finish_reason.non_empty_text() {
            emit.push(
                StreamEvent::new(EVENT_STOP)
                    .with_sub(index)
                    .with_num(stop_of(reason))
                    .with_text(reason.raw())
                    .with_flags(flags(reason, Text::default())),
            );
        }
        if usage.is_object() && usage.is_truthy() && !self.has_usage {
            self.has_usage = true;
            usage::read(usage, emit);
        }
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let position = self.choices.iter().position(|choice| choice.index == index);
        let position = match position {
            Some(position) => position,
            None if self.choices.len() >= CHOICES_MAX => return None,
            None => {
                self.choices.push(Choice::new(index));
                self.choices.len() - 1
            }
        };
        self.choices.get_mut(position)
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
