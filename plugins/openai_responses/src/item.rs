//! One item of a reply: a message, thinking, a call of a tool, or something that is kept unread.

use thalweg_abi::guest::{Out, Recycle};
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_SKIPPED, EVENT_TEXT,
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_AUX_ESCAPED, FLAG_FROM_NOW,
    FLAG_REPEATABLE, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, StreamEvent,
};
use thalweg_wire::json::{Names, Raw, Text};

/// What has to be remembered of an item.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// Its number, where the wire has one.
    pub(crate) index: Option<u32>,
    pub(crate) id: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) is_ended: bool,
    /// Whether it was told in which phase of the reply it belongs.
    has_phase: bool,
    call: Option<Call>,
    parts: Vec<Part>,
}

impl Recycle for Item {
    fn reuse(&mut self) {
        self.id.reuse();
        self.parts.clear();
        self.parts.shrink_to(PARTS_KEPT);
        let (id, parts) = (std::mem::take(&mut self.id), std::mem::take(&mut self.parts));
        *self = Self { id, parts, ..Self::default() };
    }
}

/// Parts for which an item keeps room.
const PARTS_KEPT: usize = 16;

/// A call of one of our tools.
#[derive(Debug)]
struct Call {
    block: u32,
    has_name: bool,
    has_id: bool,
    has_arguments: bool,
}

/// A part of an item that has said something.
#[derive(Debug)]
struct Part {
    channel: Channel,
    index: u32,
    block: u32,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Text,
    Refusal,
    /// A summary of thinking.
    Summary,
    /// Thinking itself, as open models show it.
    Thinking,
    /// Arguments of a call.
    Arguments,
}

/// The number of the next block.
#[derive(Debug, Default)]
pub(crate) struct Blocks(u32);

/// Parts of one item; further ones are skipped.
const PARTS_MAX: usize = 1024;

static ITEM: Names<9> =
    Names::new(["type", "id", "call_id", "name", "arguments", "input", "summary", "content", "phase"]);
static PART: Names<3> = Names::new(["type", "text", "refusal"]);

const MESSAGE_PARTS: [(Channel, &str); 2] = [(Channel::Text, "output_text"), (Channel::Refusal, "refusal")];
const SUMMARY_PARTS: [(Channel, &str); 1] = [(Channel::Summary, "summary_text")];
const THINKING_PARTS: [(Channel, &str); 1] = [(Channel::Thinking, "reasoning_text")];

/// The fields of an item on the wire.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) whole: Raw<'a>,
    type_name: Text<'a>,
    pub(crate) id: Raw<'a>,
    call_id: Raw<'a>,
    name: Raw<'a>,
    arguments: Raw<'a>,
    input: Raw<'a>,
    summary: Raw<'a>,
    content: Raw<'a>,
    phase: Raw<'a>,
}

impl<'a> Fields<'a> {
    /// None if it is no object.
    pub(crate) fn read(whole: Raw<'a>) -> Option<Self> {
        let [kind, id, call_id, name, arguments, input, summary, content, phase] = whole.fields(&ITEM)?;
        let type_name = kind.text().unwrap_or_default();
        Some(Self { whole, type_name, id, call_id, name, arguments, input, summary, content, phase })
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.type_name.short(&mut [0; 64]) {
            b"message" => Kind::Message,
            b"reasoning" => Kind::Reasoning,
            b"function_call" | b"custom_tool_call" => Kind::Call,
            b"compaction" => Kind::Compaction,
            _ => Kind::Other,
        }
    }

    /// Arguments, or the free text that a custom tool gets.
    fn arguments(&self) -> Raw<'a> {
        if self.arguments.is_none() { self.input } else { self.arguments }
    }
}

impl Blocks {
    const fn take(&mut self) -> u32 {
        let block = self.0;
        self.0 = block.saturating_add(1);
        block
    }
}

impl Item {
    /// Whether `fields` are those of this item, which is still open.
    pub(crate) fn is_same(&self, fields: &Fields<'_>) -> bool {
        let id = fields.id.text().unwrap_or_default();
        !self.is_ended && (self.id.is_empty() || id.is_empty() || id.is(&self.id))
    }

    /// The item begins, or is said to begin once more.
    pub(crate) fn begin<'f>(&mut self, fields: &Fields<'f>, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        if let Some(id) = fields.id.text()
            && self.id.is_empty()
        {
            id.push_to(&mut self.id);
        }
        match self.kind {
            Kind::Call => self.tell_call(fields, blocks, out),
            Kind::Message => self.tell_phase(fields, blocks, out),
            Kind::Reasoning | Kind::Compaction | Kind::Other => {}
        }
    }

    /// A delta of one of its parts. `may_repeat` says that the item was found by what a repetition has as well.
    #[inline]
    pub(crate) fn delta<'f>(
        &mut self,
        channel: Channel,
        index: u32,
        text: Text<'f>,
        may_repeat: bool,
        blocks: &mut Blocks,
        out: &mut Out<'_, 'f>,
    ) {
        if channel == Channel::Arguments {
            return self.arguments(text, may_repeat, blocks, out);
        }
        let kind = channel.event();
        if let Some(part) = self.parts.iter().rev().find(|part| part.index == index && part.channel == channel) {
            // An empty text has no place in the frame where another one could stand.
            let flags = if may_repeat && !text.is_empty() { FLAG_REPEATABLE } else { 0 };
            return out.push(text_event(kind, part.block, text).with_flags(flags));
        }
        if text.is_empty() {
            return;
        }
        let flags = if may_repeat { FLAG_REPEATABLE | FLAG_FROM_NOW } else { 0 };
        if self.parts.len() >= PARTS_MAX {
            return out.push(StreamEvent::new(EVENT_SKIPPED));
        }
        let block = blocks.take();
        self.parts.push(Part { channel, index, block });
        out.push(text_event(kind, block, text).with_flags(flags));
    }

    /// The block of a part, if it has one.
    pub(crate) fn block_of(&self, index: u32) -> Option<u32> {
        let part = self.parts.iter().find(|part| part.index == index && part.channel == Channel::Text);
        part.map(|part| part.block)
    }

    /// The item is complete: tells what no delta has told, and ends its blocks.
    pub(crate) fn end<'f>(&mut self, fields: &Fields<'f>, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        self.is_ended = true;
        match fields.kind() {
            Kind::Call => {
                self.tell_call(fields, blocks, out);
                self.tell_missing_arguments(fields.arguments(), out);
            }
            Kind::Message => {
                if self.parts.is_empty() {
                    self.tell_phase(fields, blocks, out);
                }
                self.tell_missing(fields.content, &MESSAGE_PARTS, blocks, out);
            }
            Kind::Reasoning => {
                self.tell_missing(fields.summary, &SUMMARY_PARTS, blocks, out);
                self.tell_missing(fields.content, &THINKING_PARTS, blocks, out);
                self.tell_signature(fields, blocks, out);
            }
            Kind::Compaction => {
                // What came before, in a form that only the provider can read: it goes back unchanged.
                let event = StreamEvent::new(EVENT_REDACTED_THINKING).with_block(blocks.take());
                out.push(event.with_text(fields.whole.bytes()));
            }
            Kind::Other => {
                let name = fields.type_name;
                let flags = if name.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
                let event = StreamEvent::new(EVENT_OTHER_CONTENT).with_block(blocks.take()).with_flags(flags);
                out.push(event.with_text(fields.whole.bytes()).with_aux(name.raw()));
            }
        }
        if let Some(call) = &self.call {
            out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(call.block));
        }
        for part in self.parts.drain(..) {
            out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(part.block));
        }
    }

    /// Tells a call, and once more when its end has a name or an id that its beginning had not.
    fn tell_call<'f>(&mut self, fields: &Fields<'f>, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        let (name, id) = (fields.name.non_empty_text(), fields.call_id.non_empty_text());
        let (block, says_more) = match &mut self.call {
            Some(call) => {
                let says_more = (!call.has_name && name.is_some()) || (!call.has_id && id.is_some());
                call.has_name |= name.is_some();
                call.has_id |= id.is_some();
                (call.block, says_more)
            }
            None => {
                let block = blocks.take();
                let (has_name, has_id) = (name.is_some(), id.is_some());
                self.call = Some(Call { block, has_name, has_id, has_arguments: false });
                (block, true)
            }
        };
        if says_more {
            let (name, id) = (name.unwrap_or_default(), id.unwrap_or_default());
            let event = text_event(EVENT_TOOL_BEGIN, block, name).with_aux(id.raw());
            out.push(event.with_flags(if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }));
        }
    }

    fn arguments<'f>(&mut self, text: Text<'f>, may_repeat: bool, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        if self.call.is_none() {
            let block = blocks.take();
            out.push(StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block));
            self.call = Some(Call { block, has_name: false, has_id: false, has_arguments: false });
        }
        let Some(call) = &mut self.call else { return };
        if call.has_arguments || !text.is_empty() {
            let flags = match (may_repeat && !text.is_empty(), call.has_arguments) {
                (false, _) => 0,
                (true, true) => FLAG_REPEATABLE,
                (true, false) => FLAG_REPEATABLE | FLAG_FROM_NOW,
            };
            call.has_arguments = true;
            out.push(text_event(EVENT_TOOL_ARGUMENTS, call.block, text).with_flags(flags));
        }
    }

    /// A call that ends in order has arguments, be it none.
    fn tell_missing_arguments<'f>(&mut self, arguments: Raw<'f>, out: &mut Out<'_, 'f>) {
        let Some(call) = self.call.as_mut().filter(|call| !call.has_arguments) else { return };
        call.has_arguments = true;
        match arguments.text() {
            Some(text) if !text.is_empty() => out.push(text_event(EVENT_TOOL_ARGUMENTS, call.block, text)),
            None if !arguments.is_none() => {
                // An object instead of its JSON text: its JSON is the text.
                out.push(StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(call.block).with_text(arguments.bytes()));
            }
            _ => {
                let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(call.block);
                out.push(event.with_text(b"{}").with_flags(FLAG_SCRATCH));
            }
        }
    }

    /// Tells the parts of a list, if no delta has told anything of it: not all servers give parts the same numbers there.
    fn tell_missing<'f>(
        &mut self,
        list: Raw<'f>,
        channels: &[(Channel, &str)],
        blocks: &mut Blocks,
        out: &mut Out<'_, 'f>,
    ) {
        if self.parts.iter().any(|part| channels.iter().any(|(channel, _)| part.channel == *channel)) {
            return;
        }
        for (index, part) in (0..).zip(list.items()) {
            let Some([kind, text, refusal]) = part.fields(&PART) else { continue };
            let Some(kind) = kind.text() else { continue };
            let Some((channel, _)) = channels.iter().find(|(_, name)| kind.is(name.as_bytes())) else { continue };
            let text = if *channel == Channel::Refusal { refusal } else { text };
            if let Some(text) = text.non_empty_text() {
                self.delta(*channel, index, text, false, blocks, out);
            }
        }
    }

    /// A message that only comments on the work has to go back as such: a signature before its text says so.
    fn tell_phase<'f>(&mut self, fields: &Fields<'f>, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        if self.has_phase || fields.phase.non_empty_text().is_none() {
            return;
        }
        self.has_phase = true;
        let block = blocks.take();
        out.push(StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(block).with_text(fields.whole.bytes()));
        out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(block));
    }

    /// The whole item is what has to go back.
    fn tell_signature<'f>(&mut self, fields: &Fields<'f>, blocks: &mut Blocks, out: &mut Out<'_, 'f>) {
        let last = self.parts.last().map(|part| part.block);
        let is_new = last.is_none();
        let block = last.unwrap_or_else(|| blocks.take());
        let event = StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(block);
        out.push(event.with_text(fields.whole.bytes()));
        if is_new {
            out.push(StreamEvent::new(EVENT_BLOCK_END).with_block(block));
        }
    }
}

/// What an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Message,
    Reasoning,
    Call,
    /// What was said before, made shorter by the provider.
    Compaction,
    /// Kept and not read: what the provider's own tools did, and whatever comes to be.
    Other,
}

impl Channel {
    const fn event(self) -> u32 {
        match self {
            Self::Text => EVENT_TEXT,
            Self::Refusal => EVENT_REFUSAL,
            Self::Summary | Self::Thinking => EVENT_THINKING,
            Self::Arguments => EVENT_TOOL_ARGUMENTS,
        }
    }

    /// The items that have parts of it.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Text | Self::Refusal => Kind::Message,
            Self::Summary | Self::Thinking => Kind::Reasoning,
            Self::Arguments => Kind::Call,
        }
    }
}

#[inline]
fn text_event(kind: u32, block: u32, text: Text<'_>) -> StreamEvent<'_> {
    let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
    StreamEvent::new(kind).with_block(block).with_text(text.raw()).with_flags(flags)
}
