//! The events of `InvokeModel`, which are those of the model itself: messages of Claude, the events of Converse one level
//! deeper, or pieces of text under a name that each family has for itself.

use thalweg_abi::guest::{CodecStream, Out};
use thalweg_abi::types::{
    EVENT_DONE, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, FLAG_AUX_ESCAPED, FLAG_FROM_NOW,
    FLAG_REPEATABLE, FRAME_EVENT, FRAME_WHOLE_BODY, FrameRef, STOP_CONTENT_FILTER, STOP_END, STOP_LENGTH, STOP_OTHER,
    STOP_SEQUENCE, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::ProviderError;

use crate::content::prose;
use crate::converse::{self, Reply};
use crate::failure::malformed;

/// What has to be remembered of a reply.
#[derive(Debug)]
pub(crate) struct Invoke {
    form: Option<Form>,
    messages: thalweg_anthropic::Stream,
}

/// What a model speaks; its first event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Messages,
    Converse,
    Text,
}

static FIRST: Names<1> = Names::new(["type"]);
static EVENT: Names<7> = Names::new([
    "contentBlockDelta",
    "contentBlockStart",
    "contentBlockStop",
    "messageStart",
    "messageStop",
    "metadata",
    "error",
]);
static TEXT: Names<12> = Names::new([
    "completion",
    "outputText",
    "generation",
    "text",
    "outputs",
    "generations",
    "choices",
    "stop_reason",
    "completionReason",
    "finish_reason",
    "stop",
    "amazon-bedrock-invocationMetrics",
]);
static PIECE: Names<4> = Names::new(["text", "stop_reason", "finish_reason", "completionReason"]);
static CHOICE: Names<4> = Names::new(["message", "delta", "finish_reason", "stop_reason"]);
static CONTENT: Names<1> = Names::new(["content"]);

impl Invoke {
    pub(crate) const fn new(messages: thalweg_anthropic::Stream) -> Self {
        Self { form: None, messages }
    }

    pub(crate) fn reset(&mut self) {
        self.form = None;
        self.messages.reset();
    }

    pub(crate) fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        self.messages.finish(out);
    }

    /// Reads one event of the model.
    #[inline]
    pub(crate) fn read<'f>(&mut self, data: &'f [u8], reply: &mut Reply, out: &mut Out<'_, 'f>) {
        if self.form == Some(Form::Messages) {
            return self.messages.decode_frame(&FrameRef::new(FRAME_EVENT, data), out);
        }
        let value = match json::value(data, NESTING_MAX) {
            Ok(value) => value,
            Err(error) => return malformed(&error, out),
        };
        match *self.form.get_or_insert_with(|| form_of(value)) {
            Form::Messages => self.messages.decode_frame(&FrameRef::new(FRAME_EVENT, data), out),
            Form::Converse => tell_converse(value, reply, out),
            Form::Text => tell_text(value, reply, out),
        }
    }

    /// Reads a reply that was not streamed.
    pub(crate) fn read_whole<'f>(&mut self, data: &'f [u8], value: Raw<'f>, reply: &mut Reply, out: &mut Out<'_, 'f>) {
        if form_of(value) == Form::Messages {
            return self.messages.decode_frame(&FrameRef::new(FRAME_WHOLE_BODY, data), out);
        }
        tell_text(value, reply, out);
    }
}

fn form_of(value: Raw<'_>) -> Form {
    let [kind] = value.fields(&FIRST).unwrap_or_default();
    if kind.non_empty_text().is_some() {
        return Form::Messages;
    }
    let events = value.fields(&converse::NAMES).unwrap_or_default();
    if events.iter().any(Raw::is_object) { Form::Converse } else { Form::Text }
}

/// An event of Converse under its name.
fn tell_converse<'f>(value: Raw<'f>, reply: &mut Reply, out: &mut Out<'_, 'f>) {
    let fields = value.fields(&EVENT).unwrap_or_default();
    if fields[6].is_truthy() {
        return out.push(ProviderError::from_value(value, 0).event());
    }
    let names: [&'static [u8]; 6] =
        [b"contentBlockDelta", b"contentBlockStart", b"contentBlockStop", b"messageStart", b"messageStop", b"metadata"];
    let mut is_known = false;
    for (name, event) in names.into_iter().zip(fields) {
        if event.is_object() {
            is_known = true;
            reply.read_value(name, event, out);
        }
    }
    if !is_known {
        out.push(StreamEvent::new(EVENT_SKIPPED));
    }
}

/// A piece of text. Its end has no word that all families share, so the event carries the engine's only.
fn tell_text<'f>(value: Raw<'f>, reply: &mut Reply, out: &mut Out<'_, 'f>) {
    let Some(fields) = value.fields(&TEXT) else { return out.push(StreamEvent::new(EVENT_SKIPPED)) };
    let [completion, output_text, generation, text, outputs, generations, choices, reasons @ .., stop, metrics] =
        fields;
    let is_first = reply.start(out);
    let mut texts = [completion, output_text, generation, text].into_iter().filter_map(|field| field.text());
    let is_flat =
        [outputs, generations, choices, metrics].iter().all(Raw::is_none) && !reasons.iter().any(Raw::is_truthy);
    if let (Some(text), None, true) = (texts.next(), texts.next(), is_flat)
        && !(is_first && text.is_empty())
    {
        let flags = match (text.is_empty(), is_first) {
            // An empty text has no place in the event where another one could stand.
            (true, _) => 0,
            (false, false) => FLAG_REPEATABLE,
            (false, true) => FLAG_REPEATABLE | FLAG_FROM_NOW,
        };
        return out.push(prose(EVENT_TEXT, 0, text).with_flags(flags));
    }
    let mut reason = reasons.iter().find_map(Raw::non_empty_text);
    let mut tell = |text: Raw<'f>| {
        if let Some(text) = text.non_empty_text() {
            out.push(prose(EVENT_TEXT, 0, text));
        }
    };
    [completion, output_text, generation, text].into_iter().for_each(&mut tell);
    for list in [outputs, generations] {
        for [text, reasons @ ..] in list.objects(&PIECE) {
            tell(text);
            reason = reason.or(reasons.iter().find_map(Raw::non_empty_text));
        }
    }
    for [message, delta, reasons @ ..] in choices.objects(&CHOICE) {
        let said = if message.is_truthy() { message } else { delta };
        tell(said.fields(&CONTENT).unwrap_or_default()[0]);
        reason = reason.or(reasons.iter().find_map(Raw::non_empty_text));
    }
    if let Some(reason) = reason {
        let sequence = stop.text().unwrap_or_default();
        let flags = if sequence.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        out.push(StreamEvent::new(EVENT_STOP).with_num(stop_of(reason)).with_aux(sequence.raw()).with_flags(flags));
    }
    if metrics.is_truthy() {
        out.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), metrics.bytes(), b"amazon-bedrock-invocationMetrics");
        out.push(StreamEvent::new(EVENT_DONE));
    }
}

/// The engine's word for what the families call the reason of an end.
fn stop_of(reason: Text<'_>) -> i64 {
    let mut buffer = [0; 64];
    let reason = reason.short(&mut buffer);
    let is_one = |words: &[&str]| words.iter().any(|word| reason.eq_ignore_ascii_case(word.as_bytes()));
    if is_one(&["stop", "finish", "complete", "end_turn", "endoftext"]) {
        STOP_END
    } else if is_one(&["length", "max_tokens"]) {
        STOP_LENGTH
    } else if is_one(&["stop_sequence", "stop_criteria_met"]) {
        STOP_SEQUENCE
    } else if is_one(&["content_filter", "content_filtered"]) {
        STOP_CONTENT_FILTER
    } else {
        STOP_OTHER
    }
}
