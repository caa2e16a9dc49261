//! A payload of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_SKIPPED, EVENT_STOP, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_MERGE, FLAG_TEXT_ESCAPED, FrameRef, STOP_CONTENT_FILTER, STOP_END, STOP_LENGTH, STOP_OTHER,
    STOP_PAUSE, STOP_SEQUENCE, STOP_TOOL_USE, StreamEvent,
};
use thalweg_wire::json::{self, Cursor, Fields, Head, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

use crate::block::{Block, Delta};
use crate::usage;

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The blocks that have not ended.
    blocks: Vec<Block>,
    has_started: bool,
    /// How the last payload began.
    head: Head<EVENT_KEYS>,
}

/// Blocks that may be open at once; further ones are skipped.
const BLOCKS_MAX: usize = 1024;

static MESSAGE: Names<6> = Names::new(["model", "id", "content", "stop_reason", "stop_sequence", "usage"]);
static WHOLE: Names<2> = Names::new(["type", "error"]);

/// The keys of a payload as they mostly follow each other.
const EVENT_KEYS: usize = 7;
static EVENT: Names<EVENT_KEYS> = Names::new(["type", "index", "delta", "content_block", "message", "usage", "error"]);
const TYPE: usize = EVENT.place("type");
const INDEX: usize = EVENT.place("index");
const DELTA: usize = EVENT.place("delta");
const CONTENT_BLOCK: usize = EVENT.place("content_block");
const MESSAGE_FIELD: usize = EVENT.place("message");
const USAGE: usize = EVENT.place("usage");
const ERROR: usize = EVENT.place("error");

/// The fields of a payload: the last one counts where a key stands twice.
#[derive(Default)]
struct Event<'a> {
    /// As [`EVENT`] has them, but for the delta.
    fields: Fields<'a, EVENT_KEYS>,
    delta: Delta<'a>,
}

impl<'a> Event<'a> {
    /// Reads a payload into an empty event. Whether it is an object, not just JSON.
    #[inline]
    fn read(&mut self, data: &'a [u8], head: &mut Head<EVENT_KEYS>) -> Result<bool, json::Error> {
        let mut cursor = Cursor::new(data, NESTING_MAX);
        if cursor.peek() != Some(b'{') {
            return json::check(data, NESTING_MAX).map(|()| false);
        }
        let delta = &mut self.delta;
        let mut is_first = true;
        cursor.read_fields_behind(&EVENT, DELTA, head, &mut self.fields, |cursor| {
            if !std::mem::take(&mut is_first) {
                // The key stands here a second time.
                *delta = Delta::default();
            }
            delta.read(cursor)
        })?;
        cursor.end()?;
        Ok(true)
    }
}

impl Reply {
    /// Back to the start of a reply; the list of blocks keeps its memory.
    pub(crate) fn reset(&mut self) {
        self.blocks.clear();
        self.has_started = false;
    }

    /// Reads one frame of the stream.
    #[inline]
    pub(crate) fn read<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let data = frame.data();
        if data.first() != Some(&b'{') && data.trim_ascii() == b"[DONE]" {
            return out.push(StreamEvent::new(EVENT_DONE));
        }
        let mut event = Event::default();
        match event.read(data, &mut self.head) {
            Ok(true) => self.tell(&event, frame, out),
            Ok(false) => out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event())),
            Err(error) => malformed(&error, out),
        }
    }

    #[inline]
    fn tell<'f>(&mut self, event: &Event<'f>, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let text = event.fields.get(TYPE).non_empty_text();
        let number = event.fields.get(INDEX).int().and_then(|index| u32::try_from(index).ok());
        let index = number.unwrap_or(0);
        let mut buffer = [0; 64];
        // Some gateways leave the type to the name of the SSE event.
        let kind = match &text {
            Some(text) => text.short(&mut buffer),
            None => frame.event(),
        };
        match kind {
            b"content_block_delta" => self.delta(index, number.is_some(), &event.delta, out),
            b"content_block_start" => self.begin(index, event.fields.get(CONTENT_BLOCK), out),
            b"content_block_stop" => {
                if !self.end(index, out) {
                    // Its beginning was never told.
                    out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(index));
                }
            }
            b"ping" => {}
            b"message_start" => self.start(event.fields.get(MESSAGE_FIELD), out),
            b"message_delta" => {
                self.stop(event.delta.stop_reason(), event.delta.stop_sequence(), out);
                if event.fields.get(USAGE).is_truthy() {
                    usage::read(event.fields.get(USAGE), FLAG_MERGE, out);
                }
            }
            b"message_stop" => {
                self.complete_all(out);
                out.push(StreamEvent::new(EVENT_DONE));
            }
            b"error" => report(frame, out),
            _ if text.is_none() && event.fields.get(ERROR).is_truthy() => report(frame, out),
            _ => {
                let flags = if text.is_some_and(|text| text.is_escaped()) { FLAG_AUX_ESCAPED } else { 0 };
                let aux = text.map_or(frame.event(), |text| text.raw());
                out.push(StreamEvent::new(EVENT_SKIPPED).with_aux(aux).with_flags(flags));
            }
        }
    }

    /// Reads a reply that was not streamed.
    pub(crate) fn read_whole<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        let value = match json::value(frame.data(), NESTING_MAX) {
            Ok(value) => value,
            Err(error) => return malformed(&error, out),
        };
        let [event_type, error] = value.fields(&WHOLE).unwrap_or_default();
        if error.is_truthy() || event_type.text().is_some_and(|text| text.is(b"error")) {
            return report(frame, out);
        }
        if !value.is_object() {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        }
        self.start(value, out);
        for block in self.blocks.drain(..) {
            block.end(out);
        }
        out.push(StreamEvent::new(EVENT_DONE));
    }

    /// The body has ended: what was kept for the end of a block is told without it.
    pub(crate) fn finish(&mut self, out: &mut Out<'_, '_>) {
        for mut block in self.blocks.drain(..) {
            block.release(out);
        }
    }

    /// The message with which a stream begins, perhaps with content in it; or the whole message.
    fn start<'f>(&mut self, message: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some([model, id, content, stop_reason, stop_sequence, usage]) = message.fields(&MESSAGE) else { return };
        if !self.has_started {
            self.has_started = true;
            let (model, id) = (model.text().unwrap_or_default(), id.text().unwrap_or_default());
            let event = StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_aux(id.raw());
            out.push(event.with_flags(flags(model, id)));
        }
        if usage.is_truthy() {
            usage::read(usage, 0, out);
        }
        for (index, block) in (0..).zip(content.items()) {
            self.begin(index, block, out);
        }
        self.stop(stop_reason, stop_sequence, out);
    }

    fn begin<'f>(&mut self, index: u32, value: Raw<'f>, out: &mut Out<'_, 'f>) {
        // A number that is used again stands for a new block.
        self.end(index, out);
        if self.blocks.len() >= BLOCKS_MAX {
            return out.push(StreamEvent::new(EVENT_SKIPPED).with_block(index));
        }
        if self.blocks.is_empty() {
            // Mostly one is open at a time, and a stream that waits should be small.
            self.blocks.reserve_exact(1);
        }
        self.blocks.push(Block::begin(index, value, out));
    }

    #[inline]
    fn delta<'f>(&mut self, index: u32, is_numbered: bool, delta: &Delta<'f>, out: &mut Out<'_, 'f>) {
        match self.blocks.iter_mut().rev().find(|block| block.index == index) {
            Some(block) => block.delta(delta, is_numbered, out),
            None => Block::untold(index).delta(delta, is_numbered, out),
        }
    }

    /// Tells the end of a block. Whether there was one.
    fn end(&mut self, index: u32, out: &mut Out<'_, '_>) -> bool {
        let position = self.blocks.iter().position(|block| block.index == index);
        if let Some(position) = position {
            self.blocks.remove(position).end(out);
        }
        position.is_some()
    }

    fn stop<'f>(&mut self, reason: Raw<'f>, sequence: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some(reason) = reason.non_empty_text() else { return };
        let sequence = sequence.text().unwrap_or_default();
        self.complete_all(out);
        let event = StreamEvent::new(EVENT_STOP).with_num(stop_of(reason)).with_text(reason.raw());
        out.push(event.with_aux(sequence.raw()).with_flags(flags(reason, sequence)));
    }

    /// Nothing more comes for the blocks that are still open: what they kept has to be told before the stop.
    fn complete_all(&mut self, out: &mut Out<'_, '_>) {
        for block in &mut self.blocks {
            block.complete(out);
        }
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

/// The engine's word for a `stop_reason`.
fn stop_of(reason: Text<'_>) -> i64 {
    match reason.short(&mut [0; 64]) {
        b"end_turn" => STOP_END,
        b"max_tokens" | b"model_context_window_exceeded" => STOP_LENGTH,
        b"tool_use" => STOP_TOOL_USE,
        b"stop_sequence" => STOP_SEQUENCE,
        b"refusal" => STOP_CONTENT_FILTER,
        b"pause_turn" => STOP_PAUSE,
        _ => STOP_OTHER,
    }
}
