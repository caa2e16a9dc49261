//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::{Out, Recycled};
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_REPEATABLE, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, FrameRef, STOP_CONTENT_FILTER, STOP_END,
    STOP_ERROR, STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent,
};
use thalweg_wire::json::{self, Cursor, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::item::{Blocks, Channel, Fields, Item, Kind};
use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    items: Recycled<Item>,
    blocks: Blocks,
    has_started: bool,
    has_calls: bool,
    is_done: bool,
}

/// Items of one reply; further ones are skipped.
const ITEMS_MAX: usize = 4096;

static RESPONSE: Names<7> = Names::new(["id", "status", "error", "incomplete_details", "model", "output", "usage"]);
static REASON: Names<1> = Names::new(["reason"]);
static WHOLE: Names<3> = Names::new(["object", "error", "output"]);
static ANNOTATION: Names<1> = Names::new(["type"]);
static TEXT: Names<1> = Names::new(["text"]);

/// The fields of a payload: the last one counts where a key stands twice.
#[derive(Default)]
struct Event<'a> {
    kind: Raw<'a>,
    delta: Raw<'a>,
    output_index: Raw<'a>,
    content_index: Raw<'a>,
    summary_index: Raw<'a>,
    item_id: Raw<'a>,
    item: Raw<'a>,
    response: Raw<'a>,
    annotation: Raw<'a>,
    error: Raw<'a>,
}

impl<'a> Event<'a> {
    /// Reads a payload into an empty event. Whether it is an object, not just JSON.
    #[inline]
    fn read(&mut self, data: &'a [u8]) -> Result<bool, json::Error> {
        let mut cursor = Cursor::new(data, NESTING_MAX);
        if cursor.peek() != Some(b'{') {
            return json::check(data, NESTING_MAX).map(|()| false);
        }
        let mut buffer = [0; 64];
        cursor.members(|cursor, key| {
            let value = cursor.skip()?;
            match key.short(&mut buffer) {
                b"type" => self.kind = value,
                b"delta" => self.delta = value,
                b"output_index" => self.output_index = value,
                b"content_index" => self.content_index = value,
                b"summary_index" => self.summary_index = value,
                b"item_id" => self.item_id = value,
                b"item" => self.item = value,
                b"response" => self.response = value,
                b"annotation" => self.annotation = value,
                b"error" => self.error = value,
                _ => {}
            }
            Ok(())
        })?;
        cursor.end()?;
        Ok(true)
    }

    fn number(&self) -> Option<u32> {
        self.output_index.int().and_then(|index| u32::try_from(index).ok())
    }

    /// The text of a delta; older servers wrap it.
    #[inline]
    fn text(&self) -> Option<Text<'a>> {
        self.delta.text().or_else(|| self.delta.fields(&TEXT)?[0].text())
    }
}

impl Reply {
    /// Back to the start of a reply; the items keep their memory.
    pub(crate) fn reset(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        items.clear();
        *self = Self { items, ..Self::default() };
    }

    /// Reads one frame of the stream.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            return self.done(out);
        }
        let mut event = Event::default();
        match event.read(data) {
            Ok(true) => self.tell(&event, frame, out),
            Ok(false) => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => malformed(&error, out),
        }
    }

    #[inline]
    fn tell<'f>(&mut self, event: &Event<'f>, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let text = event.kind.non_empty_text();
        let mut buffer = [0; 64];
        // Some servers leave the type to the name of the SSE event.
        let kind = match &text {
            Some(text) => text.short(&mut buffer),
            None => frame.event(),
        };
        match kind {
            b"response.output_text.delta"
            // What is said aloud is also there as text.
            | b"response.audio.transcript.delta"
            | b"response.output_audio_transcript.delta" => self.delta(Channel::Text, event, out),
            b"response.audio.delta" | b"response.output_audio.delta" => keep(event.delta, text, frame, out),
            b"response.reasoning_summary_text.delta" | b"response.reasoning_summary.delta" => {
                self.delta(Channel::Summary, event, out);
            }
            b"response.reasoning_text.delta" | b"response.reasoning.delta" => {
                self.delta(Channel::Thinking, event, out);
            }
            b"response.function_call_arguments.delta" | b"response.custom_tool_call_input.delta" => {
                self.delta(Channel::Arguments, event, out);
            }
            b"response.refusal.delta" => self.delta(Channel::Refusal, event, out),
            b"response.output_item.added" => self.begin(event, out),
            b"response.output_item.done" => self.end(event.item, event.number(), out),
            b"response.output_text.annotation.added" => self.annotate(event, out),
            b"response.created" | b"response.in_progress" | b"response.queued" => self.start(event.response, out),
            b"response.completed"
            | b"response.incomplete"
            | b"response.failed"
            | b"response.cancelled"
            | b"response.done" => {
                self.close(event.response, status_of(kind), out);
                self.done(out);
            }
            b"error" => report(frame, out),
            _ if text.is_none() && event.error.is_truthy() => report(frame, out),
            // They say again what deltas and items say.
            b"response.content_part.added"
            | b"response.content_part.done"
            | b"response.output_text.done"
            | b"response.refusal.done"
            | b"response.reasoning_summary_part.added"
            | b"response.reasoning_summary_part.done"
            | b"response.reasoning_summary_text.done"
            | b"response.reasoning_summary.done"
            | b"response.reasoning_part.added"
            | b"response.reasoning_part.done"
            | b"response.reasoning_text.done"
            | b"response.reasoning.done"
            | b"response.function_call_arguments.done"
            | b"response.custom_tool_call_input.done"
            | b"response.audio.done"
            | b"response.audio.transcript.done"
            | b"response.output_audio.done"
            | b"response.output_audio_transcript.done"
            | b"keepalive"
            | b"ping" => {}
            _ => out.push(of_type(EVENT_SKIPPED, text, frame)),
        }
    }

    /// Reads a reply that was not streamed.
    pub(crate) fn read_whole<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let value = match json::value(frame.data(), NESTING_MAX) {
            Ok(value) => value,
            Err(error) => return malformed(&error, out),
        };
        let [object, error, output] = value.fields(&WHOLE).unwrap_or_default();
        let is_response = output.is_array() || object.text().is_some_and(|object| object.is(b"response"));
        if is_response {
            self.start(value, out);
            self.close(value, b"", out);
            return self.done(out);
        }
        if error.is_truthy() || object.text().is_some_and(|object| object.is(b"error")) {
            return report(frame, out);
        }
        out.push(StreamEvent::new(EVENT_SKIPPED));
    }

    #[inline]
    fn delta<'f>(&mut self, channel: Channel, event: &Event<'f>, out: &mut Out<'_, 'f>) {
        let Some(text) = event.text() else { return };
        let part = if channel == Channel::Summary { event.summary_index } else { event.content_index };
        let part = part.int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let Some((at, may_repeat)) = self.find_open(channel, event) else {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        };
        self.has_calls |= channel == Channel::Arguments;
        let Some(item) = self.items.get_mut(at) else { return };
        item.delta(channel, part, text, may_repeat && event.delta.text().is_some(), &mut self.blocks, out);
    }

    /// The item that a delta is for, which may begin with it, and whether its number alone tells.
    #[inline]
    fn find_open(&mut self, channel: Channel, event: &Event<'_>) -> Option<(usize, bool)> {
        if let Some(index) = event.number() {
            let is_it = |item: &Item| item.index == Some(index) && item.kind == channel.kind();
            let found = self.items.iter().rposition(is_it);
            return found.or_else(|| self.add(Some(index), channel.kind())).map(|at| (at, true));
        }
        let is_open = |item: &&Item| !item.is_ended && item.kind == channel.kind();
        let mut open = self.items.iter().enumerate().filter(|(_, item)| is_open(item));
        match (open.next(), open.next()) {
            (Some((at, _)), None) => Some((at, true)),
            (None, _) => self.add(None, channel.kind()).map(|at| (at, true)),
            (Some((first, _)), Some(_)) => {
                let id = event.item_id.text().unwrap_or_default();
                let by_id = self.items.iter().rposition(|item| is_open(&item) && id.is(&item.id));
                Some((by_id.unwrap_or(first), false))
            }
        }
    }

    fn add(&mut self, index: Option<u32>, kind: Kind) -> Option<usize> {
        if self.items.len() >= ITEMS_MAX {
            return None;
        }
        let item = self.items.push_empty();
        (item.index, item.kind) = (index, kind);
        Some(self.items.len() - 1)
    }

    fn begin<'f>(&mut self, event: &Event<'f>, out: &mut Out<'_, 'f>) {
        let Some(fields) = Fields::read(event.item) else { return out.push(StreamEvent::new(EVENT_SKIPPED)) };
        let index = event.number();
        // A number that is used again, as some servers do, stands for a new item.
        let again = self.find(index, &fields).filter(|at| self.items[*at].is_same(&fields));
        let Some(at) = again.or_else(|| self.add(index, fields.kind())) else {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        };
        self.has_calls |= fields.kind() == Kind::Call;
        self.items[at].begin(&fields, &mut self.blocks, out);
    }

    fn end<'f>(&mut self, item: Raw<'f>, index: Option<u32>, out: &mut Out<'_, 'f>) {
        let Some(fields) = Fields::read(item) else { return out.push(StreamEvent::new(EVENT_SKIPPED)) };
        let found = self.find(index, &fields);
        let Some(at) = found.or_else(|| self.add(index, fields.kind())) else {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        };
        self.has_calls |= fields.kind() == Kind::Call;
        if !self.items[at].is_ended {
            self.items[at].end(&fields, &mut self.blocks, out);
        }
    }

    /// The last item of its kind with that number; where the wire has no numbers, with its id, else one that is open and
    /// has none.
    fn find(&self, index: Option<u32>, fields: &Fields<'_>) -> Option<usize> {
        let of_kind = |item: &Item| item.kind == fields.kind() && item.index == index;
        if index.is_some() {
            return self.items.iter().rposition(of_kind);
        }
        let id = fields.id.text().unwrap_or_default();
        let by_id = self.items.iter().rposition(|item| of_kind(item) && id.is(&item.id));
        by_id.or_else(|| self.items.iter().rposition(|item| of_kind(item) && !item.is_ended && item.id.is_empty()))
    }

    fn annotate<'f>(&mut self, event: &Event<'f>, out: &mut Out<'_, 'f>) {
        let part = event.content_index.int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        let item = self.items.iter().rev().find(|item| item.index == event.number());
        let block = item.and_then(|item| item.block_of(part)).unwrap_or(0);
        let kind = event.annotation.fields(&ANNOTATION).unwrap_or_default()[0].text().unwrap_or_default();
        let flags = if kind.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        let annotation = StreamEvent::new(EVENT_OTHER_CONTENT).with_block(block).with_flags(flags);
        // It changes nothing.
        out.push(annotation.with_text(event.annotation.bytes()).with_aux(kind.raw()).with_flags(FLAG_REPEATABLE));
    }

    /// Says who answers, once: servers tell it several times.
    fn start<'f>(&mut self, response: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some([id, _, _, _, model, _, _]) = response.fields(&RESPONSE) else { return };
        let (model, id) = (model.text().unwrap_or_default(), id.text().unwrap_or_default());
        if self.has_started || (model.is_empty() && id.is_empty()) {
            return;
        }
        self.has_started = true;
        let event = StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_aux(id.raw());
        out.push(event.with_flags(flags(model, id)));
    }

    /// The reply as it is in the end; `word` is its status where it does not say.
    fn close<'f>(&mut self, response: Raw<'f>, word: &'static [u8], out: &mut Out<'_, 'f>) {
        let fields = response.fields(&RESPONSE).unwrap_or_default();
        let [_, status, error, details, _, output, usage] = fields;
        self.start(response, out);
        let is_new = self.items.is_empty();
        for (index, item) in (0..).zip(output.items()) {
            // Items that were streamed to their end are not told again.
            let is_open = || self.items.iter().any(|open| open.index == Some(index) && !open.is_ended);
            if is_new || is_open() {
                self.end(item, Some(index), out);
            }
        }
        if error.is_truthy() {
            out.push(ProviderError::from_value(error, 0).event());
        }
        let [reason] = details.fields(&REASON).unwrap_or_default();
        if details.is_object() && details.is_truthy() {
            out.push_copied(StreamEvent::new(EVENT_OTHER_CONTENT), details.bytes(), b"incomplete_details");
        }
        let reason = reason.text().unwrap_or_default();
        if let Some(status) = status.non_empty_text() {
            let num = self.stop_of(status.short(&mut [0; 64]), reason);
            let stop = StreamEvent::new(EVENT_STOP).with_num(num).with_text(status.raw());
            out.push(stop.with_flags(flags(status, Text::default())));
        } else if !word.is_empty() {
            let num = self.stop_of(word, reason);
            out.push(StreamEvent::new(EVENT_STOP).with_num(num).with_text(word).with_flags(FLAG_SCRATCH));
        }
        if usage.is_truthy() {
            usage::tell(usage, out);
        }
    }

    fn done(&mut self, out: &mut Out<'_, '_>) {
        if !self.is_done {
            self.is_done = true;
            out.push(StreamEvent::new(EVENT_DONE));
        }
    }

    /// The engine's word for a `status` and the reason why it is incomplete.
    fn stop_of(&self, status: &[u8], reason: Text<'_>) -> i64 {
        match status {
            b"completed" if self.has_calls => STOP_TOOL_USE,
            b"completed" => STOP_END,
            b"failed" => STOP_ERROR,
            b"incomplete" => match reason.short(&mut [0; 64]) {
                b"max_output_tokens" | b"max_tokens" => STOP_LENGTH,
                b"content_filter" => STOP_CONTENT_FILTER,
                _ => STOP_OTHER,
            },
            _ => STOP_OTHER,
        }
    }
}

/// The status that the name of the last event stands for.
const fn status_of(kind: &[u8]) -> &'static [u8] {
    match kind {
        b"response.incomplete" => b"incomplete",
        b"response.failed" => b"failed",
        b"response.cancelled" => b"cancelled",
        _ => b"completed",
    }
}

fn report<'f>(frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
    // Read again, which only errors pay for.
    let payload = json::value(frame.data(), NESTING_MAX).unwrap_or_default();
    out.push(ProviderError::from_value(payload, 0).event());
}

#[cold]
fn malformed(error: &json::Error, out: &mut Out<'_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    out.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}

const fn flags(text: Text<'_>, aux: Text<'_>) -> u32 {
    let text = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    text | if aux.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }
}

/// An event whose second text is the type of a payload: what it says itself, or else the name of the SSE event.
fn of_type<'f>(kind: u32, type_name: Option<Text<'f>>, frame: &FrameRef<'f>) -> StreamEvent<'f> {
    let flags = if type_name.is_some_and(|name| name.is_escaped()) { FLAG_AUX_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_aux(type_name.map_or(frame.event(), |name| name.raw())).with_flags(flags)
}

/// Content that is not read: the JSON as it stands.
fn keep<'f>(value: Raw<'f>, type_name: Option<Text<'f>>, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
    if value.is_truthy() {
        out.push(of_type(EVENT_OTHER_CONTENT, type_name, frame).with_text(value.bytes()));
    }
}
