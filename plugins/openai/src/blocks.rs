//! The content blocks of one choice: the wire has none, so they are numbered here as they appear.

use thalweg_abi::guest::{Recycle, Recycled};
use thalweg_abi::types::{
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_AUX_ESCAPED,
    FLAG_TEXT_ESCAPED, StreamEvent,
};
use thalweg_wire::json::{Raw, Text};

use crate::emit::Emit;
use crate::think_tags::ThinkTags;

/// One choice of a reply.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Its number on the wire.
    pub(crate) index: u32,
    next_block: u32,
    /// The block of text, thinking or refusal that the next delta of its kind adds to.
    open: Option<(u32, u32)>,
    calls: Recycled<Call>,
    /// The last block is one of thinking that has got what goes back with it.
    is_signed: bool,
    /// Whether thinking may stand in the text.
    pub(crate) tags: ThinkTags,
}

/// A tool call that has begun.
#[derive(Debug, Default)]
struct Call {
    block: u32,
    /// Number on the wire, where there is one.
    index: Option<i64>,
    id: Vec<u8>,
    name: Vec<u8>,
    /// Whether it came as the one `function_call` of old.
    is_legacy: bool,
}

impl Recycle for Choice {
    fn reuse(&mut self) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.clear();
        *self = Self { calls, ..Self::default() };
    }
}

impl Recycle for Call {
    fn reuse(&mut self) {
        self.id.reuse();
        self.name.reuse();
        *self = Self { id: std::mem::take(&mut self.id), name: std::mem::take(&mut self.name), ..Self::default() };
    }
}

/// What a delta says of a tool call.
#[derive(Clone, Copy, Default)]
pub(crate) struct CallDelta<'a> {
    pub(crate) index: Option<i64>,
    pub(crate) id: Option<Text<'a>>,
    pub(crate) name: Option<Text<'a>>,
    pub(crate) arguments: Raw<'a>,
    pub(crate) is_legacy: bool,
}

/// Tool calls of one choice; further ones are skipped.
const CALLS_MAX: usize = 1024;

impl Choice {
    /// The open block of that kind, or a new one.
    pub(crate) fn block_of(&mut self, kind: u32) -> u32 {
        match self.open {
            Some((open, block)) if open == kind => block,
            _ => {
                let block = self.take_block();
                self.open = Some((kind, block));
                block
            }
        }
    }

    /// Text, thinking or refusal: continues the open block of that kind or opens one. `field` is the name of the wire's field where
    /// there are several.
    #[inline]
    pub(crate) fn prose<'f>(&mut self, kind: u32, text: Text<'f>, field: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        let event = StreamEvent::new(kind)
            .with_sub(self.index)
            .with_text(text.raw())
            .with_aux(field.raw())
            .with_flags(if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 })
            .with_flags(if field.is_escaped() { FLAG_AUX_ESCAPED } else { 0 });
        match self.open {
            Some((open, block)) if open == kind => emit.push_addition(event.with_block(block)),
            _ if text.is_empty() => {}
            _ => {
                let block = self.take_block();
                self.open = Some((kind, block));
                emit.push_opening(event.with_block(block));
            }
        }
    }

    /// What goes back with thinking: stands with the block of thinking that came last, or in one of its own, which has no text.
    pub(crate) fn sign<'f>(&mut self, details: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
        // Whatever is said next is a block of its own.
        let block = match self.open.take() {
            Some((EVENT_THINKING, block)) => block,
            None if self.is_signed => self.next_block.saturating_sub(1),
            _ => self.take_block(),
        };
        self.is_signed = true;
        emit.push(
            StreamEvent::new(EVENT_THINKING_SIGNATURE)
                .with_sub(self.index)
                .with_block(block)
                .with_text(details.bytes()),
        );
    }

    /// A piece of a tool call.
    pub(crate) fn call<'f>(&mut self, delta: CallDelta<'f>, emit: &mut Emit<'_, '_, 'f>) -> Result<(), TooMany> {
        if !self.tags.is_plain() {
            self.flush_tags(emit);
        }
        let (position, mut says_more) = match self.find(&delta) {
            Some(position) => (position, self.complete(position, &delta, emit)),
            None => (self.begin(&delta, emit)?, true),
        };
        let event = StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_sub(self.index).with_block(self.calls[position].block);
        if let Some(text) = delta.arguments.text() {
            let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
            emit.push_addition(event.with_text(text.raw()).with_flags(flags));
            says_more |= !text.is_empty();
        } else if !delta.arguments.is_none() {
            // An object instead of its JSON text: its JSON is the text.
            emit.push(event.with_text(delta.arguments.bytes()));
            says_more = true;
        }
        if self.open.is_some() {
            emit.is_unrepeatable();
            if says_more {
                self.open = None;
            }
        }
        Ok(())
    }

    /// The call that a delta goes on with: by index; with another id at the same index, the one with that id; without an
    /// index by id, else the last one.
    fn find(&self, delta: &CallDelta<'_>) -> Option<usize> {
        let calls = &*self.calls;
        let has_id = |call: &Call, id: Text<'_>| call.id.as_slice() == id.raw() || id.is(&call.id);
        if delta.is_legacy {
            return calls.iter().position(|call| call.is_legacy);
        }
        match (delta.index, delta.id) {
            (None, Some(id)) => calls.iter().position(|call| has_id(call, id)),
            (None, None) => calls.len().checked_sub(1),
            (index @ Some(_), id) => {
                let last = calls.iter().rposition(|call| call.index == index)?;
                match id {
                    Some(id) if !calls[last].id.is_empty() && !has_id(&calls[last], id) => {
                        calls.iter().rposition(|call| call.index == index && has_id(call, id))
                    }
                    _ => Some(last),
                }
            }
        }
    }

    fn begin<'f>(&mut self, delta: &CallDelta<'f>, emit: &mut Emit<'_, '_, 'f>) -> Result<usize, TooMany> {
        if self.calls.len() >= CALLS_MAX {
            return Err(TooMany);
        }
        let block = self.take_block();
        let (id, name) = (delta.id.unwrap_or_default(), delta.name.unwrap_or_default());
        let call = self.calls.push_empty();
        (call.block, call.index, call.is_legacy) = (block, delta.index, delta.is_legacy);
        id.push_to(&mut call.id);
        name.push_to(&mut call.name);
        let name_flag = if name.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
        let id_flag = if id.is_escaped() { FLAG_AUX_ESCAPED } else { 0 };
        emit.push(
            StreamEvent::new(EVENT_TOOL_BEGIN)
                .with_sub(self.index)
                .with_block(block)
                .with_text(name.raw())
                .with_aux(id.raw())
                .with_flags(name_flag | id_flag),
        );
        Ok(self.calls.len() - 1)
    }

    /// Adds what a later delta says of name and id, and tells both again if they changed. Servers repeat the name with
    /// every delta, so only a different one is a further piece of it.
    fn complete(&mut self, position: usize, delta: &CallDelta<'_>, emit: &mut Emit<'_, '_, '_>) -> bool {
        let call = &mut self.calls[position];
        let mut has_changed = false;
        if let Some(id) = delta.id
            && call.id.is_empty()
        {
            id.push_to(&mut call.id);
            has_changed = true;
        }
        if let Some(name) = delta.name
            && !name.is(&call.name)
            && (call.name.is_empty() || !call.is_legacy)
        {
            name.push_to(&mut call.name);
            has_changed = true;
        }
        if has_changed {
            let event = StreamEvent::new(EVENT_TOOL_BEGIN).with_sub(self.index).with_block(call.block);
            emit.push_copied(event, &call.name, &call.id);
        }
        has_changed
    }

    const fn take_block(&mut self) -> u32 {
        self.is_signed = false;
        let block = self.next_block;
        self.next_block = block.saturating_add(1);
        block
    }
}

/// The choice has as many tool calls as it may have.
pub(crate) struct TooMany;
