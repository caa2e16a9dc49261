//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_FROM_NOW, FLAG_REPEATABLE, FLAG_TEXT_ESCAPED, FRAME_WHOLE_BODY, FrameRef,
    STOP_CONTENT_FILTER, STOP_END, STOP_LENGTH, STOP_OTHER, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    has_started: bool,
}

static CHUNK: Names<6> = Names::new(["id", "object", "choices", "model", "usage", "error"]);
static CHOICE: Names<3> = Names::new(["text", "index", "finish_reason"]);

impl Reply {
    /// Reads one frame that is no error body.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            return out.push(StreamEvent::new(EVENT_DONE));
        }
        match json::object(data, &CHUNK, NESTING_MAX) {
            Ok(Some(fields)) => self.tell(&fields, frame, out),
            Ok(None) => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => {
                let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
                out.push_copied(event, provider_error::not_json(&error).as_bytes(), b"");
            }
        }
    }

    #[inline]
    fn tell<'f>(&mut self, fields: &[Raw<'f>; 6], frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let [id, object, choices, model, usage, error] = *fields;
        let is_error =
            error.is_truthy() || frame.event() == b"error" || object.text().is_some_and(|object| object.is(b"error"));
        if is_error {
            // Read again, which only errors pay for.
            let payload = json::value(frame.data(), NESTING_MAX).unwrap_or_default();
            out.push(ProviderError::from_value(payload, 0).event());
        } else if choices.is_absent() && usage.is_absent() {
            let kind = object.non_empty_text();
            let aux = kind.map_or(frame.event(), |kind| kind.raw());
            let flags = if kind.is_some_and(|kind| kind.is_escaped()) { FLAG_AUX_ESCAPED } else { 0 };
            return out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(aux).with_flags(flags));
        }
        let is_start = self.start(id, model, out);
        let has_usage = usage.is_object() && usage.is_truthy();
        // A frame that gives one text and nothing else leaves no trace.
        // The first says who answers as well, once.
        let repeatable = if is_start { FLAG_REPEATABLE | FLAG_FROM_NOW } else { FLAG_REPEATABLE };
        let is_single = !is_error && !has_usage && choices.items().count() == 1;
        for [text, index, reason] in choices.objects(&CHOICE) {
            let sub = index.int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
            let reason = reason.non_empty_text();
            if let Some(text) = text.non_empty_text() {
                let flags = if is_single && reason.is_none() { repeatable } else { 0 };
                let event = StreamEvent::new(EVENT_TEXT).with_sub(sub).with_text(text.raw());
                out.push(event.with_flags(flags | self::flags(text, Text::default())));
            } else if text.text().is_some() && is_single && !is_start && reason.is_none() {
                out.push(StreamEvent::new(EVENT_TEXT).with_sub(sub));
            }
            if let Some(reason) = reason {
                let event = StreamEvent::new(EVENT_STOP).with_sub(sub).with_num(stop_of(reason));
                out.push(event.with_text(reason.raw()).with_flags(flags(reason, Text::default())));
            }
        }
        if has_usage {
            usage::tell(usage, out);
        }
        if frame.kind() == FRAME_WHOLE_BODY && !is_error {
            out.push(StreamEvent::new(EVENT_DONE));
        }
    }

    /// Says who answers, as soon as that is known. Whether it did.
    #[inline]
    fn start<'f>(&mut self, id: Raw<'f>, model: Raw<'f>, out: &mut Out<'_, 'f>) -> bool {
        if self.has_started {
            return false;
        }
        let (id, model) = (id.text().unwrap_or_default(), model.text().unwrap_or_default());
        if id.is_empty() && model.is_empty() {
            return false;
        }
        self.has_started = true;
        let event = StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_aux(id.raw());
        out.push(event.with_flags(flags(model, id)));
        true
    }
}

const fn flags(text: Text<'_>, aux: Text<'_>) -> u32 {
    let text = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    text | if aux.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }
}

/// The engine's word for a `finish_reason`.
fn stop_of(reason: Text<'_>) -> i64 {
    match reason.short(&mut [0; 64]) {
        b"stop" | b"eos" => STOP_END,
        b"length" => STOP_LENGTH,
        b"content_filter" => STOP_CONTENT_FILTER,
        _ => STOP_OTHER,
    }
}
