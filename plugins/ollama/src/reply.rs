//! A line of the stream, or the whole reply: from JSON to events.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT,
    EVENT_THINKING, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FAILURE_MALFORMED,
    FLAG_AUX_ESCAPED, FLAG_FROM_NOW, FLAG_REPEATABLE, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, STOP_END, STOP_LENGTH,
    STOP_OTHER, STOP_TOOL_USE, StreamEvent, USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_wire::json::{self, Cursor, NESTING_MAX, Names, Raw, Text};
use thalweg_wire::provider_error::{self, ProviderError};

/// What has to be remembered of a reply.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    has_started: bool,
    has_calls: bool,
    next_block: u32,
    /// The block of text or thinking that the next text of its kind adds to.
    open: Option<(u32, u32)>,
    /// Kept for its memory: the usage as one object.
    usage: Vec<u8>,
}

static CALL: Names<2> = Names::new(["id", "function"]);
static FUNCTION: Names<2> = Names::new(["name", "arguments"]);

/// The counters of the last line, in the provider's own names.
const COUNTERS: [&str; 6] =
    ["prompt_eval_count", "eval_count", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"];

/// The fields of a line: the last one counts where a key stands twice.
#[derive(Default)]
struct Line<'a> {
    model: Raw<'a>,
    message: Message<'a>,
    has_message: bool,
    response: Raw<'a>,
    thinking: Raw<'a>,
    done: Raw<'a>,
    done_reason: Raw<'a>,
    error: Raw<'a>,
    counters: [Raw<'a>; COUNTERS.len()],
}

/// The fields of the message in a line.
#[derive(Default)]
struct Message<'a> {
    content: Raw<'a>,
    thinking: Raw<'a>,
    tool_calls: Raw<'a>,
    images: Raw<'a>,
}

impl<'a> Line<'a> {
    /// Reads a line into an empty one. Whether it is an object, not just JSON.
    #[inline]
    fn read(&mut self, data: &'a [u8]) -> Result<bool, json::Error> {
        let mut cursor = Cursor::new(data, NESTING_MAX);
        if cursor.peek() != Some(b'{') {
            return json::check(data, NESTING_MAX).map(|()| false);
        }
        let mut buffer = [0; 64];
        cursor.members(|cursor, key| {
            let key = key.short(&mut buffer);
            let field = match key {
                b"message" => {
                    self.has_message = true;
                    self.message = Message::default();
                    return self.message.read(cursor);
                }
                b"model" => &mut self.model,
                b"done" => &mut self.done,
                b"response" => &mut self.response,
                b"thinking" => &mut self.thinking,
                b"done_reason" => &mut self.done_reason,
                b"error" => &mut self.error,
                _ => match COUNTERS.iter().position(|name| name.as_bytes() == key) {
                    Some(at) => &mut self.counters[at],
                    None => return cursor.skip().map(|_| ()),
                },
            };
            *field = cursor.skip()?;
            Ok(())
        })?;
        cursor.end()?;
        Ok(true)
    }

    /// Whether it says anything that is known.
    fn is_known(&self) -> bool {
        self.has_message || [self.response, self.thinking, self.done].iter().any(|field| !field.is_absent())
    }

    /// Whether it may hold no more than text.
    fn is_plain(&self) -> bool {
        !self.done.is_truthy() && !self.message.tool_calls.is_truthy() && !self.message.images.is_truthy()
    }

    /// Thinking and text, the thinking first since a whole reply has both.
    const fn prose(&self) -> [(u32, Raw<'a>); 4] {
        [
            (EVENT_THINKING, self.message.thinking),
            (EVENT_THINKING, self.thinking),
            (EVENT_TEXT, self.message.content),
            (EVENT_TEXT, self.response),
        ]
    }
}

impl<'a> Message<'a> {
    /// Reads the value at the cursor into an empty message, which stays empty unless it is an object.
    #[inline]
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), json::Error> {
        if cursor.peek() != Some(b'{') {
            return cursor.skip().map(|_| ());
        }
        let mut buffer = [0; 64];
        cursor.members(|cursor, key| {
            let value = cursor.skip()?;
            match key.short(&mut buffer) {
                b"content" => self.content = value,
                b"thinking" => self.thinking = value,
                b"tool_calls" => self.tool_calls = value,
                b"images" => self.images = value,
                _ => {}
            }
            Ok(())
        })
    }
}

impl Reply {
    /// Back to the start of a reply.
    pub(crate) fn reset(&mut self) {
        *self = Self { usage: std::mem::take(&mut self.usage), ..Self::default() };
    }

    /// Reads one line, or the whole reply.
    #[inline]
    pub(crate) fn read<'f>(&mut self, data: &'f [u8], out: &mut Out<'_, 'f>) {
        let mut line = Line::default();
        match line.read(data) {
            Ok(true) if !line.error.is_none() => report(data, out),
            Ok(true) if line.is_known() => self.tell(&line, out),
            Ok(_) => out.push(StreamEvent::new(EVENT_SKIPPED)),
            Err(error) => malformed(&error, out),
        }
    }

    #[inline]
    fn tell<'f>(&mut self, line: &Line<'f>, out: &mut Out<'_, 'f>) {
        let is_first = !self.has_started;
        if is_first {
            self.has_started = true;
            let model = line.model.text().unwrap_or_default();
            let flags = if model.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
            out.push(StreamEvent::new(EVENT_MESSAGE_START).with_text(model.raw()).with_flags(flags));
        }
        let is_plain = line.is_plain();
        self.tell_prose(line, is_plain, out);
        if !is_plain {
            self.tell_rest(line, out);
        }
    }

    /// Text and thinking. A line that adds to the open block, and does nothing else whatever its text, is repeatable; so
    /// that this holds for an empty text too, one that stands alone in its line is an event.
    #[inline]
    fn tell_prose<'f>(&mut self, line: &Line<'f>, is_plain: bool, out: &mut Out<'_, 'f>) {
        let texts = line.prose().map(|(kind, value)| (kind, value.text()));
        let count = texts.iter().filter(|(_, text)| text.is_some_and(|text| !text.is_empty())).count();
        for (kind, text) in texts {
            let Some(text) = text else { continue };
            match self.open {
                Some((open, block)) if open == kind && !text.is_empty() => {
                    let flags = if is_plain && count == 1 { FLAG_REPEATABLE } else { 0 };
                    out.push(prose(kind, block, text).with_flags(flags));
                }
                Some((open, block)) if open == kind && is_plain && count == 0 => {
                    return out.push(prose(kind, block, text));
                }
                _ if text.is_empty() => {}
                _ => {
                    let block = self.take_block();
                    self.open = Some((kind, block));
                    let flags = if is_plain && count == 1 { FLAG_REPEATABLE | FLAG_FROM_NOW } else { 0 };
                    out.push(prose(kind, block, text).with_flags(flags));
                }
            }
        }
    }

    /// Tool calls, pictures, and the end.
    fn tell_rest<'f>(&mut self, line: &Line<'f>, out: &mut Out<'_, 'f>) {
        for [id, function] in line.message.tool_calls.objects(&CALL) {
            self.tell_call(id, function, out);
        }
        if line.message.images.is_truthy() {
            let event = StreamEvent::new(EVENT_OTHER_CONTENT);
            out.push_copied(event, line.message.images.bytes(), b"images");
        }
        if line.done.is_truthy() {
            tell_usage(&line.counters, &mut self.usage, out);
            let reason = line.done_reason.text().unwrap_or_default();
            let flags = if reason.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
            let event = StreamEvent::new(EVENT_STOP).with_num(self.stop_of(reason));
            out.push(event.with_text(reason.raw()).with_flags(flags));
            out.push(StreamEvent::new(EVENT_DONE));
        }
    }

    /// One call, which is whole.
    fn tell_call<'f>(&mut self, id: Raw<'f>, function: Raw<'f>, out: &mut Out<'_, 'f>) {
        let [name, arguments] = function.fields(&FUNCTION).unwrap_or_default();
        let (name, id) = (name.text().unwrap_or_default(), id.text().unwrap_or_default());
        let block = self.take_block();
        self.open = None;
        self.has_calls = true;
        let name_flag = if name.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
        let id_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        let event = StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block).with_text(name.raw()).with_aux(id.raw());
        out.push(event.with_flags(name_flag | id_flag));
        let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block);
        out.push(match arguments.text() {
            Some(text) => event.with_text(text.raw()).with_flags(if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 }),
            None if arguments.is_none() => event.with_text(b"{}").with_flags(FLAG_SCRATCH),
            None => event.with_text(arguments.bytes()),
        });
    }

    const fn take_block(&mut self) -> u32 {
        let block = self.next_block;
        self.next_block = block.saturating_add(1);
        block
    }

    /// The engine's word for a `done_reason`. There is none for tool calls: such a reply ends with `stop` too.
    fn stop_of(&self, reason: Text<'_>) -> i64 {
        match reason.short(&mut [0; 64]) {
            b"stop" | b"" if self.has_calls => STOP_TOOL_USE,
            b"stop" | b"" => STOP_END,
            b"length" => STOP_LENGTH,
            _ => STOP_OTHER,
        }
    }
}

#[inline]
fn prose(kind: u32, block: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_block(block).with_text(text.raw()).with_flags(flags)
}

/// The wire has the counters beside all else; the raw usage is an object of them.
fn tell_usage(counters: &[Raw<'_>; COUNTERS.len()], usage: &mut Vec<u8>, out: &mut Out<'_, '_>) {
    usage.clear();
    usage.push(b'{');
    for (name, value) in COUNTERS.iter().zip(counters).filter(|(_, value)| !value.is_absent()) {
        if usage.len() > 1 {
            usage.push(b',');
        }
        usage.push(b'"');
        usage.extend_from_slice(name.as_bytes());
        usage.extend_from_slice(b"\":");
        usage.extend_from_slice(value.bytes());
    }
    usage.push(b'}');
    out.push_copied(StreamEvent::new(EVENT_USAGE_RAW), usage, b"");
    for (counter, value) in [(USAGE_INPUT, counters[0]), (USAGE_OUTPUT, counters[1])] {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}

#[cold]
fn report<'f>(data: &'f [u8], out: &mut Out<'_, 'f>) {
    // Read again, which only errors pay for.
    let payload = json::value(data, NESTING_MAX).unwrap_or_default();
    out.push(ProviderError::from_value(payload, 0).event());
}

#[cold]
fn malformed(error: &json::Error, out: &mut Out<'_, '_>) {
    let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
    out.push_copied(event, provider_error::not_json(error).as_bytes(), b"");
}
