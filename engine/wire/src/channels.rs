//! Resolves the escaped texts of a batch of events, and joins characters cut between two deltas of one channel.
//!
//! Unescaped text goes to a scratch that grows, so in a first pass only its offsets are noted; the events get their
//! slices in a second one. A batch without escapes takes neither.

use std::ops::Range;

use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_OTHER_CONTENT, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_STOP,
    EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_AUX_ESCAPED,
    FLAG_TEXT_ESCAPED, StreamEvent,
};

use crate::escape::{self, Unescaper};
use crate::utf8::REPLACEMENT;

/// The text channels of one stream: one for each kind of delta, choice and block.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// Channels that hold half a character back, nearly always none.
    holding: Vec<(Channel, Unescaper)>,
    scratch: Vec<u8>,
    patches: Vec<Patch>,
    /// Escapes that JSON does not know, kept as they stood.
    pub(crate) unknown_escapes: u64,
    /// Bytes written to the scratch.
    pub(crate) copied_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Channel {
    kind: u32,
    sub: u32,
    block: u32,
}

/// A change to the event at `index`.
#[derive(Debug)]
struct Patch {
    index: usize,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Text(Range<usize>),
    Aux(Range<usize>),
    /// What the channel held back comes before the event.
    Release(Channel),
}

impl Channels {
    /// Forgets what is held back.
    pub(crate) fn reset(&mut self) {
        self.holding.clear();
        self.unknown_escapes = 0;
        self.copied_bytes = 0;
    }

    /// Whether the beginning of a character is held back.
    pub(crate) const fn is_holding(&self) -> bool {
        !self.holding.is_empty()
    }

    /// The events with their texts as they are meant, and with what was held back where it can wait no longer.
    #[inline]
    pub(crate) fn resolve<'s>(&'s mut self, events: Vec<StreamEvent<'s>>) -> Vec<StreamEvent<'s>> {
        let escaped = |event: &StreamEvent<'_>| event.flags() & (FLAG_TEXT_ESCAPED | FLAG_AUX_ESCAPED) != 0;
        if self.holding.is_empty() && !events.iter().any(escaped) {
            return events;
        }
        self.note(&events);
        self.apply(events)
    }

    /// What is still held back when the stream has ended.
    pub(crate) fn finish(&mut self) -> impl Iterator<Item = StreamEvent<'static>> {
        self.holding.drain(..).map(|(channel, _)| released(channel))
    }

    fn note(&mut self, events: &[StreamEvent<'_>]) {
        self.scratch.clear();
        if self.scratch.capacity() > crate::span::KEPT_BYTES {
            self.scratch = Vec::new();
        }
        self.patches.clear();
        for (index, event) in events.iter().enumerate() {
            if !self.holding.is_empty() {
                self.release(index, event);
            } else if event.flags() & (FLAG_TEXT_ESCAPED | FLAG_AUX_ESCAPED) == 0 {
                continue;
            }
            self.note_text(index, event);
            if event.has(FLAG_AUX_ESCAPED) {
                let start = self.scratch.len();
                self.unknown_escapes += escape::unescape(event.aux(), &mut self.scratch) as u64;
                self.patches.push(Patch { index, change: Change::Aux(start..self.scratch.len()) });
            }
        }
        self.copied_bytes += self.scratch.len() as u64;
    }

    fn note_text(&mut self, index: usize, event: &StreamEvent<'_>) {
        let channel = Channel { kind: event.kind(), sub: event.sub(), block: event.block() };
        let held = self.holding.iter().position(|(held, _)| *held == channel);
        let is_escaped = event.has(FLAG_TEXT_ESCAPED);
        if !is_escaped && (held.is_none() || event.text().is_empty()) {
            return;
        }
        let start = self.scratch.len();
        let mut unescaper = held.map_or_else(Unescaper::default, |at| self.holding.remove(at).1);
        if is_escaped {
            self.unknown_escapes += unescaper.push(event.text(), &mut self.scratch) as u64;
        } else {
            unescaper.push_plain(event.text(), &mut self.scratch);
        }
        if unescaper.is_holding() {
            if is_delta(channel.kind) && self.holding.len() < HOLDING_MAX {
                self.holding.push((channel, unescaper));
            } else {
                unescaper.finish(&mut self.scratch);
            }
        }
        self.patches.push(Patch { index, change: Change::Text(start..self.scratch.len()) });
    }

    /// Notes each channel that `event` ends.
    #[cold]
    fn release(&mut self, index: usize, event: &StreamEvent<'_>) {
        let patches = &mut self.patches;
        self.holding.retain(|(channel, _)| {
            let ends = ends(event, *channel);
            if ends {
                patches.push(Patch { index, change: Change::Release(*channel) });
            }
            !ends
        });
    }

    fn apply<'s>(&'s self, mut events: Vec<StreamEvent<'s>>) -> Vec<StreamEvent<'s>> {
        // Backwards, so that an event put in does not move those still to be changed.
        for patch in self.patches.iter().rev() {
            let event = &mut events[patch.index];
            match &patch.change {
                Change::Text(range) => {
                    *event = event.with_text(&self.scratch[range.clone()]).without_flags(FLAG_TEXT_ESCAPED);
                }
                Change::Aux(range) => {
                    *event = event.with_aux(&self.scratch[range.clone()]).without_flags(FLAG_AUX_ESCAPED);
                }
                Change::Release(channel) => events.insert(patch.index, released(*channel)),
            }
        }
        events
    }
}

/// Channels that can hold something back at the same time; beyond that half a character is replaced at once.
const HOLDING_MAX: usize = 64;

const fn released(channel: Channel) -> StreamEvent<'static> {
    StreamEvent::new(channel.kind).with_sub(channel.sub).with_block(channel.block).with_text(REPLACEMENT)
}

/// Whether the texts of this kind are parts of a longer one.
const fn is_delta(kind: u32) -> bool {
    matches!(kind, EVENT_TEXT | EVENT_THINKING | EVENT_THINKING_SIGNATURE | EVENT_REFUSAL | EVENT_TOOL_ARGUMENTS)
}

/// Whether nothing can follow on the channel once `event` has come.
fn ends(event: &StreamEvent<'_>, held: Channel) -> bool {
    let same_block = event.block() == held.block;
    match event.kind() {
        EVENT_DONE | EVENT_ERROR => true,
        _ if event.sub() != held.sub => false,
        EVENT_STOP => true,
        EVENT_BLOCK_END => same_block,
        // The arguments of parallel calls come interleaved; of other blocks only one is open.
        EVENT_TOOL_BEGIN | EVENT_TOOL_ARGUMENTS => {
            held.kind != EVENT_TOOL_ARGUMENTS || (same_block && event.kind() != held.kind)
        }
        EVENT_REDACTED_THINKING | EVENT_OTHER_CONTENT => true,
        kind if is_delta(kind) => !same_block || kind != held.kind,
        _ => false,
    }
}
