//! What a stack must say about a stream: the same from each.

use std::hint::black_box;

/// Where a stack puts what it read.
pub(crate) trait Answer {
    /// More text of the reply, escapes resolved.
    fn text(&mut self, text: &[u8]);
    /// More of the arguments of a tool call, escapes resolved.
    fn arguments(&mut self, text: &[u8]);
    /// A block of the messages dialect begins, for readers that see it on the wire.
    fn block(&mut self, block: Block);
    /// A choice ended with a reason.
    fn stop(&mut self);
    /// Tokens of the reply; the last one counts.
    fn output_tokens(&mut self, tokens: i64);
    /// One event as it was framed, where nothing more is read.
    fn payload(&mut self, payload: &[u8]);
    /// The stack could not read something.
    fn failure(&mut self);
}

/// What a block of the messages dialect is, as far as its arguments go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Block {
    /// What says nothing of arguments. All other dialects have only this.
    #[default]
    Plain,
    /// A call of one of our tools, of which nothing has come yet: without arguments it has those of an empty object.
    Call,
    /// What the provider's own tools are asked. It is no call of ours.
    Foreign,
}

/// Sizes and counts: cheap enough to be measured with the decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    text_bytes: usize,
    argument_bytes: usize,
    payload_bytes: usize,
    payloads: u32,
    stops: u32,
    output_tokens: i64,
    failures: u32,
    block: Block,
}

/// The content itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// All of the text.
    pub(crate) text: Vec<u8>,
    /// All arguments, joined.
    pub(crate) arguments: Vec<u8>,
    /// All payloads, joined.
    pub(crate) payload: Vec<u8>,
    /// How many payloads.
    pub(crate) payloads: u32,
    /// How many reasons to stop.
    pub(crate) stops: u32,
    /// Tokens of the reply.
    pub(crate) output_tokens: i64,
    /// What could not be read.
    pub(crate) failures: u32,
    /// The block of the messages dialect that is open.
    pub(crate) block: Block,
}

const NO_ARGUMENTS: &[u8] = b"{}";

impl Tally {
    /// With what everyone means by the same words: the text, and the arguments of calls. Servers of one protocol differ in
    /// when they count tokens and how often they say why they stop, and readers in what they make of it.
    pub(crate) const fn of_text(self) -> Self {
        Self { payload_bytes: 0, payloads: 0, stops: 0, output_tokens: 0, failures: 0, block: Block::Plain, ..self }
    }
}

impl Content {
    /// See [`Tally::of_text`].
    pub(crate) fn of_text(self) -> Self {
        Self { text: self.text, arguments: self.arguments, ..Self::default() }
    }

    /// The sizes of it.
    pub(crate) const fn tally(&self) -> Tally {
        Tally {
            text_bytes: self.text.len(),
            argument_bytes: self.arguments.len(),
            payload_bytes: self.payload.len(),
            payloads: self.payloads,
            stops: self.stops,
            output_tokens: self.output_tokens,
            failures: self.failures,
            block: self.block,
        }
    }
}

impl Answer for Tally {
    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.text_bytes += black_box(text).len();
    }

    #[inline]
    fn arguments(&mut self, text: &[u8]) {
        match self.block {
            Block::Foreign => return,
            Block::Call if !text.is_empty() => self.block = Block::Plain,
            Block::Call | Block::Plain => {}
        }
        self.argument_bytes += black_box(text).len();
    }

    fn block(&mut self, block: Block) {
        if self.block == Block::Call {
            self.argument_bytes += NO_ARGUMENTS.len();
        }
        self.block = block;
    }

    #[inline]
    fn stop(&mut self) {
        self.block(Block::Plain);
        self.stops += 1;
    }

    #[inline]
    fn output_tokens(&mut self, tokens: i64) {
        self.output_tokens = tokens;
    }

    #[inline]
    fn payload(&mut self, payload: &[u8]) {
        self.payloads += 1;
        self.payload_bytes += black_box(payload).len();
    }

    fn failure(&mut self) {
        self.failures += 1;
    }
}

impl Answer for Content {
    fn text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    fn arguments(&mut self, text: &[u8]) {
        match self.block {
            Block::Foreign => return,
            Block::Call if !text.is_empty() => self.block = Block::Plain,
            Block::Call | Block::Plain => {}
        }
        self.arguments.extend_from_slice(text);
    }

    fn block(&mut self, block: Block) {
        if self.block == Block::Call {
            self.arguments.extend_from_slice(NO_ARGUMENTS);
        }
        self.block = block;
    }

    fn stop(&mut self) {
        self.block(Block::Plain);
        self.stops += 1;
    }

    fn output_tokens(&mut self, tokens: i64) {
        self.output_tokens = tokens;
    }

    fn payload(&mut self, payload: &[u8]) {
        assert!(std::str::from_utf8(payload).is_ok(), "a payload is a string");
        self.payloads += 1;
        self.payload.extend_from_slice(payload);
    }

    fn failure(&mut self) {
        self.failures += 1;
    }
}
