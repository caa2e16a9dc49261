//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Recycled;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_SKIPPED, FAILURE_CONTENT_FILTER, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, FrameRef, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::candidate::{Candidate, Fields};
use crate::emit::Emit;
use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    candidates: Recycled<Candidate>,
    has_started: bool,
}

/// Candidates of one reply; further ones are skipped.
const CANDIDATES_MAX: usize = 128;

static PAYLOAD: Names<7> =
    Names::new(["candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error", "response"]);
static FEEDBACK: Names<2> = Names::new(["blockReason", "blockReasonMessage"]);

impl Reply {
    /// Back to the start of a reply; the candidates keep their memory.
    pub(crate) fn reset(&mut self) {
        self.candidates.clear();
        self.has_started = false;
    }

    /// Reads one frame of the stream.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            return emit.push(StreamEvent::new(EVENT_DONE));
        }
        match json::object(data, &PAYLOAD, NESTING_MAX) {
            Ok(Some(fields)) => self.tell(&unwrapped(fields), frame, emit),
            Ok(None) => match json::value(data, NESTING_MAX) {
                // A gateway that sends an error as the plain API does: in a list.
                Ok(value) if value.is_array() && is_error(value) => {
                    emit.push(ProviderError::from_value(value, 0).event());
                }
                _ => emit.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            },
            Err(error) => malformed(&error, emit),
        }
    }

    /// Reads a reply that was not streamed: a payload, or a list of them.
    pub(crate) fn read_whole<'f>(&mut self, frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let value = match json::value(frame.data(), NESTING_MAX) {
            Ok(value) => value,
            Err(error) => return malformed(&error, emit),
        };
        if is_error(value) {
            return emit.push(ProviderError::from_value(value, 0).event());
        }
        if let Some(fields) = value.fields(&PAYLOAD) {
            self.tell(&unwrapped(fields), frame, emit);
        }
        for fields in value.objects(&PAYLOAD) {
            self.tell(&unwrapped(fields), frame, emit);
        }
        if !value.is_object() && !value.is_array() {
            return emit.push(StreamEvent::new(EVENT_SKIPPED));
        }
        emit.push(StreamEvent::new(EVENT_DONE));
    }

    #[inline]
    fn tell<'f>(&mut self, fields: &[Raw<'f>; 7], frame: &FrameRef<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let [candidates, usage, model, id, feedback, error, _] = *fields;
        let is_error = error.is_truthy() || frame.event() == b"error";
        if is_error {
            // Read again, which only errors pay for.
            let payload =
                if error.is_truthy() { error } else { json::value(frame.data(), NESTING_MAX).unwrap_or_default() };
            emit.push(ProviderError::from_value(payload, 0).event());
        } else if [candidates, usage, feedback].iter().all(Raw::is_absent) {
            return emit.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event()));
        }
        let is_first = !self.has_started;
        if is_first {
            self.start(model, id, candidates, emit);
        }
        let [reason, message] = feedback.fields(&FEEDBACK).unwrap_or_default();
        if let Some(reason) = reason.non_empty_text() {
            let text = message.non_empty_text().unwrap_or(reason);
            let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
            let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_CONTENT_FILTER).with_flags(flags);
            emit.push(event.with_text(text.raw()).with_aux(feedback.bytes()));
        }
        // The counters go up with every payload; those of the end tell all, and the first ones are what is known of a reply
        // that is cut off. These come before the text, so that it is the last that is said of the frame.
        let ends = |candidate| Fields::read(candidate).is_ok_and(|fields| fields.finish_reason.is_truthy());
        let is_early = is_first && !candidates.items().filter(Raw::is_object).any(ends);
        if is_early && usage.is_truthy() {
            usage::tell(usage, emit);
        }
        let (mut has_parts, mut is_end) = (false, false);
        for candidate in candidates.items().filter(Raw::is_object) {
            let Ok(fields) = Fields::read(candidate) else { continue };
            has_parts |= fields.has_parts();
            is_end |= fields.finish_reason.is_truthy();
            match self.candidate(fields.index()) {
                Some(candidate) => candidate.tell(&fields, emit),
                None => emit.push(StreamEvent::new(EVENT_SKIPPED)),
            }
        }
        if usage.is_truthy() && !is_early && (is_end || !has_parts) {
            usage::tell(usage, emit);
        }
    }

    /// Says who answers, as soon as that is known, and at the latest before the first content.
    fn start<'f>(&mut self, model: Raw<'f>, id: Raw<'f>, candidates: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let (model, id) = (model.text().unwrap_or_default(), id.text().unwrap_or_default());
        if model.is_empty() && id.is_empty() && !candidates.items().any(|candidate| candidate.is_object()) {
            return;
        }
        self.has_started = true;
        let text_flag = if model.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
        let aux_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        let event = StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_aux(id.raw());
        emit.push(event.with_flags(text_flag | aux_flag));
    }

    #[inline]
    fn candidate(&mut self, index: u32) -> Option<&mut Candidate> {
        let position = self.candidates.iter().position(|candidate| candidate.index == index);
        let position = match position {
            Some(position) => position,
            None if self.candidates.len() >= CANDIDATES_MAX => return None,
            None => {
                self.candidates.push_empty().index = index;
                self.candidates.len() - 1
            }
        };
        self.candidates.get_mut(position)
    }
}

/// The payload within the wrapper of Google's Code Assist, or the payload itself.
fn unwrapped(fields: [Raw<'_>; 7]) -> [Raw<'_>; 7] {
    let [candidates, .., response] = fields;
    if candidates.is_absent() { response.fields(&PAYLOAD).unwrap_or(fields) } else { fields }
}

/// Whether a body is an error, or a list that begins with one.
fn is_error(value: Raw<'_>) -> bool {
    let value = if value.is_array() { value.items().next().unwrap_or_default() } else { value };
    value.fields(&PAYLOAD).is_some_and(|[.., error, _]| error.is_truthy())
}

#[cold]
fn malformed(error: &json::Error, emit: &mut Emit<'_, '_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    emit.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}
