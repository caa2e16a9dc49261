//! One candidate of a reply: its parts become blocks, numbered as they appear.
//!
//! A signature may stand with any part. With thinking it belongs to that block; with anything else it becomes a block of
//! thinking of its own, without text: before a call, whose signature it is, and behind a text. Written back, such a block signs the call
//! behind it, or stands for itself.

use thalweg_abi::guest::Recycle;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_OTHER_CONTENT, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_AUX_ESCAPED, FLAG_SCRATCH,
    FLAG_TEXT_ESCAPED, STOP_CONTENT_FILTER, STOP_END, STOP_ERROR, STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent,
};
use thalweg_wire::json::{Error, Names, Raw, Text};

use crate::arguments::{Arguments, Piece};
use crate::emit::Emit;

/// What has to be remembered of a candidate.
#[derive(Debug, Default)]
pub(crate) struct Candidate {
    /// Its number on the wire.
    pub(crate) index: u32,
    next_block: u32,
    /// The block of text or thinking that the next part of its kind adds to.
    open: Option<(u32, u32)>,
    /// The call whose arguments come in pieces.
    call: Option<(u32, Arguments)>,
    has_calls: bool,
    /// The reason to stop that was told last, and what it was told as: some models give one with every payload.
    reason: Vec<u8>,
    stop: i64,
}

impl Recycle for Candidate {
    fn reuse(&mut self) {
        self.reason.reuse();
        *self = Self { reason: std::mem::take(&mut self.reason), ..Self::default() };
    }
}

/// Blocks of one candidate; further ones are skipped.
const BLOCKS_MAX: u32 = 1 << 16;

/// The fields of a candidate: the last one counts where a key stands twice.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    index: Raw<'a>,
    content: Raw<'a>,
    pub(crate) finish_reason: Raw<'a>,
    /// What is kept and not read, by [`KEPT`].
    kept: [Field<'a>; KEPT.len()],
}

/// A value and the name that it has on the wire.
#[derive(Clone, Copy, Default)]
struct Field<'a> {
    value: Raw<'a>,
    name: Text<'a>,
}

/// Fields of a candidate that are kept and not read.
const KEPT: [&str; 4] = ["finishMessage", "citationMetadata", "groundingMetadata", "urlContextMetadata"];

static CONTENT: Names<1> = Names::new(["parts"]);
static CALL: Names<5> = Names::new(["id", "name", "args", "partialArgs", "willContinue"]);

impl<'a> Fields<'a> {
    pub(crate) fn read(candidate: Raw<'a>) -> Result<Self, Error> {
        let mut fields = Self::default();
        let mut buffer = [0; 64];
        candidate.cursor().members(|cursor, name| {
            let value = cursor.skip()?;
            match name.short(&mut buffer) {
                b"content" => fields.content = value,
                b"finishReason" => fields.finish_reason = value,
                b"index" => fields.index = value,
                other => {
                    if let Some(at) = KEPT.iter().position(|kept| kept.as_bytes() == other) {
                        fields.kept[at] = Field { value, name };
                    }
                }
            }
            Ok(())
        })?;
        Ok(fields)
    }

    pub(crate) fn index(&self) -> u32 {
        self.index.int().and_then(|index| u32::try_from(index).ok()).unwrap_or(0)
    }

    fn parts(&self) -> Raw<'a> {
        self.content.fields(&CONTENT).unwrap_or_default()[0]
    }

    pub(crate) fn has_parts(&self) -> bool {
        self.parts().items().any(|part| part.is_object())
    }
}

/// The fields of a part.
#[derive(Default)]
struct Part<'a> {
    text: Raw<'a>,
    thought: Raw<'a>,
    signature: Raw<'a>,
    call: Raw<'a>,
    other: Field<'a>,
}

impl<'a> Part<'a> {
    fn read(part: Raw<'a>) -> Result<Self, Error> {
        let mut fields = Self::default();
        let mut buffer = [0; 64];
        part.cursor().members(|cursor, name| {
            let value = cursor.skip()?;
            match name.short(&mut buffer) {
                b"text" => fields.text = value,
                b"thought" => fields.thought = value,
                b"thoughtSignature" | b"thought_signature" => fields.signature = value,
                b"functionCall" => fields.call = value,
                b"inlineData"
                | b"inline_data"
                | b"fileData"
                | b"executableCode"
                | b"codeExecutionResult"
                | b"toolCall"
                | b"toolResponse"
                | b"functionResponse" => fields.other = Field { value, name },
                _ => {}
            }
            Ok(())
        })?;
        Ok(fields)
    }
}

impl Candidate {
    /// Tells all that a payload says of it.
    #[inline]
    pub(crate) fn tell<'f>(&mut self, fields: &Fields<'f>, emit: &mut Emit<'_, '_, 'f>) {
        for part in fields.parts().items().filter(Raw::is_object) {
            if let Ok(part) = Part::read(part) {
                self.tell_part(&part, emit);
            }
        }
        for Field { value, name } in fields.kept {
            if value.is_truthy() {
                self.tell_other(value, name, emit);
            }
        }
        if let Some(reason) = fields.finish_reason.non_empty_text() {
            self.tell_stop(reason, emit);
        }
    }

    fn tell_stop<'f>(&mut self, reason: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        self.end_call(emit);
        let stop = self.stop_of(reason);
        if reason.is(&self.reason) && stop == self.stop {
            return;
        }
        self.stop = stop;
        self.reason.clear();
        reason.push_to(&mut self.reason);
        let event = StreamEvent::new(EVENT_STOP).with_sub(self.index).with_num(stop);
        emit.push(event.with_text(reason.raw()).with_flags(escaped(reason)));
    }

    #[inline]
    fn tell_part<'f>(&mut self, part: &Part<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let is_thought = part.thought.is_truthy();
        let signature = part.signature.non_empty_text();
        if let Some(text) = part.text.text() {
            self.prose(if is_thought { EVENT_THINKING } else { EVENT_TEXT }, text, emit);
        }
        if let Some(signature) = signature {
            self.sign(signature, is_thought, emit);
        }
        if part.call.is_object() {
            self.tell_call(part.call, emit);
        }
        if part.other.value.is_truthy() {
            self.tell_other(part.other.value, part.other.name, emit);
        }
    }

    #[inline]
    fn prose<'f>(&mut self, kind: u32, text: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let event = StreamEvent::new(kind).with_sub(self.index).with_text(text.raw()).with_flags(escaped(text));
        match self.open {
            Some((open, block)) if open == kind => emit.push_addition(event.with_block(block)),
            _ if text.is_empty() => {}
            _ => {
                if let Some(block) = self.take_block(emit) {
                    self.open = Some((kind, block));
                    emit.push_opening(event.with_block(block));
                }
            }
        }
    }

    fn sign<'f>(&mut self, signature: Text<'f>, is_thought: bool, emit: &mut Emit<'_, '_, 'f>) {
        let block = match self.open.take() {
            Some((EVENT_THINKING, block)) if is_thought => Some(block),
            _ => self.take_block(emit),
        };
        let Some(block) = block else { return };
        let event = StreamEvent::new(EVENT_THINKING_SIGNATURE).with_sub(self.index).with_block(block);
        emit.push(event.with_text(signature.raw()).with_flags(escaped(signature)));
    }

    fn tell_other<'f>(&mut self, value: Raw<'f>, name: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let event = StreamEvent::new(EVENT_OTHER_CONTENT).with_sub(self.index).with_text(value.bytes());
        emit.push(event.with_aux(name.raw()).with_flags(if name.is_escaped() { FLAG_AUX_ESCAPED } else { 0 }));
    }

    /// A call, whole or in pieces: one without a name goes on with the one before.
    fn tell_call<'f>(&mut self, value: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let [id, name, args, pieces, will_continue] = value.fields(&CALL).unwrap_or_default();
        let (id, name) = (id.text().unwrap_or_default(), name.text().unwrap_or_default());
        let is_streamed = !pieces.is_absent() || !will_continue.is_absent();
        if name.is_empty() && self.call.is_some() {
            self.tell_pieces(pieces, emit);
        } else {
            self.end_call(emit);
            let Some(block) = self.begin_call(name, id, emit) else { return };
            if !is_streamed {
                let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_sub(self.index).with_block(block);
                let event = match args.bytes() {
                    b"" | b"null" => event.with_text(b"{}").with_flags(FLAG_SCRATCH),
                    args => event.with_text(args),
                };
                emit.push(event);
                return self.end_block(block, emit);
            }
            self.call = Some((block, Arguments::default()));
            self.tell_pieces(pieces, emit);
        }
        if !will_continue.is_truthy() {
            self.end_call(emit);
        }
    }

    fn begin_call<'f>(&mut self, name: Text<'f>, id: Text<'f>, emit: &mut Emit<'_, '_, 'f>) -> Option<u32> {
        let block = self.take_block(emit)?;
        self.open = None;
        self.has_calls = true;
        let event = StreamEvent::new(EVENT_TOOL_BEGIN).with_sub(self.index).with_block(block);
        let id_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        emit.push(event.with_text(name.raw()).with_aux(id.raw()).with_flags(escaped(name) | id_flag));
        Some(block)
    }

    fn tell_pieces<'f>(&mut self, pieces: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let Some((block, arguments)) = &mut self.call else { return };
        let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_sub(self.index).with_block(*block);
        for piece in pieces.items().filter_map(Piece::read) {
            // Most pieces go on with a string: what they add stands in the payload as it is.
            if let Some(text) = arguments.continues(&piece) {
                if !text.is_empty() {
                    emit.push(event.with_text(text));
                }
            } else if arguments.add(&piece).is_ok() {
                emit.push_copied(event, arguments.added(), b"");
            } else {
                emit.push(StreamEvent::new(EVENT_SKIPPED).with_sub(self.index).with_block(*block));
            }
        }
    }

    /// The call whose arguments came in pieces is complete.
    fn end_call(&mut self, emit: &mut Emit<'_, '_, '_>) {
        let Some((block, mut arguments)) = self.call.take() else { return };
        arguments.close();
        let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_sub(self.index).with_block(block);
        emit.push_copied(event, arguments.added(), b"");
        self.end_block(block, emit);
    }

    fn end_block(&self, block: u32, emit: &mut Emit<'_, '_, '_>) {
        emit.push(StreamEvent::new(EVENT_BLOCK_END).with_sub(self.index).with_block(block));
    }

    fn take_block(&mut self, emit: &mut Emit<'_, '_, '_>) -> Option<u32> {
        let block = self.next_block;
        if block >= BLOCKS_MAX {
            emit.push(StreamEvent::new(EVENT_SKIPPED).with_sub(self.index));
            return None;
        }
        self.next_block = block + 1;
        Some(block)
    }

    /// The engine's word for a `finishReason`.
    fn stop_of(&self, reason: Text<'_>) -> i64 {
        match reason.short(&mut [0; 64]) {
            b"STOP" if self.has_calls => STOP_TOOL_USE,
            b"STOP" => STOP_END,
            b"MAX_TOKENS" => STOP_LENGTH,
            b"SAFETY"
            | b"RECITATION"
            | b"BLOCKLIST"
            | b"PROHIBITED_CONTENT"
            | b"SPII"
            | b"LANGUAGE"
            | b"IMAGE_SAFETY"
            | b"IMAGE_PROHIBITED_CONTENT"
            | b"IMAGE_RECITATION"
            | b"MODEL_ARMOR" => STOP_CONTENT_FILTER,
            b"MALFORMED_FUNCTION_CALL"
            | b"MALFORMED_RESPONSE"
            | b"UNEXPECTED_TOOL_CALL"
            | b"MISSING_THOUGHT_SIGNATURE" => STOP_ERROR,
            _ => STOP_OTHER,
        }
    }
}

const fn escaped(text: Text<'_>) -> u32 {
    if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 }
}
