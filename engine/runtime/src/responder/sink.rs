//! Where a function puts the events of its reply.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_DONE, EVENT_MESSAGE_START, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE,
    EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, STOP_END, STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent,
    USAGE_INPUT, USAGE_OUTPUT,
};

use super::batch::Batch;

/// Where a function puts the events of its reply. Clones put them into the same reply, from any thread.
#[derive(Clone, Debug, Default)]
pub struct ReplySink {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    batch: Batch,
    waker: Option<Waker>,
    /// The block that text or thinking goes on in: its kind and number.
    open: Option<(u32, u32)>,
    /// The number of the next block.
    blocks: u32,
}

impl ReplySink {
    /// Puts in any event; its block is the caller's to number, and must not be mixed with those below.
    pub fn push(&self, event: &StreamEvent<'_>) {
        self.change(|shared| shared.batch.push(event));
    }

    /// The reply begins; may be left out.
    pub fn start(&self, model: &str, id: &str) {
        self.push(&StreamEvent::new(EVENT_MESSAGE_START).with_text(model.as_bytes()).with_aux(id.as_bytes()));
    }

    /// More text: of the block before, if that is text, or else of a new one.
    pub fn text(&self, delta: &str) {
        self.prose(EVENT_TEXT, delta);
    }

    /// More thinking, as [`ReplySink::text`].
    pub fn thinking(&self, delta: &str) {
        self.prose(EVENT_THINKING, delta);
    }

    /// The signature of the thinking before it, to be sent back with it.
    pub fn thinking_signature(&self, signature: &str) {
        self.change(|shared| {
            let Some((EVENT_THINKING, block)) = shared.open else { return };
            let event = StreamEvent::new(EVENT_THINKING_SIGNATURE).with_block(block);
            shared.batch.push(&event.with_text(signature.as_bytes()));
        });
    }

    /// A tool call begins; gives the number by which its arguments follow. Several may be open at once.
    #[must_use]
    pub fn tool_call(&self, id: &str, name: &str) -> u32 {
        self.change(|shared| {
            let block = shared.next_block();
            shared.open = None;
            let event = StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block);
            shared.batch.push(&event.with_text(name.as_bytes()).with_aux(id.as_bytes()));
            block
        })
    }

    /// More of the arguments of a tool call: JSON text.
    pub fn tool_arguments(&self, call: u32, delta: &str) {
        self.push(&StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(call).with_text(delta.as_bytes()));
    }

    /// A tool call is complete; may be left out.
    pub fn tool_end(&self, call: u32) {
        self.push(&StreamEvent::new(EVENT_BLOCK_END).with_block(call));
    }

    /// Tokens of the prompt and of the reply.
    pub fn usage(&self, input_tokens: u64, output_tokens: u64) {
        for (counter, tokens) in [(USAGE_INPUT, input_tokens), (USAGE_OUTPUT, output_tokens)] {
            let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
            self.push(&StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(tokens));
        }
    }

    /// The reply ends: `stop`, `length` or `tool_use`, or another word of its own. Without it, the reply counts as cut.
    pub fn stop(&self, why: &str) {
        let num = match why {
            "stop" | "end_turn" => STOP_END,
            "length" | "max_tokens" => STOP_LENGTH,
            "tool_use" | "tool_calls" => STOP_TOOL_USE,
            _ => STOP_OTHER,
        };
        self.push(&StreamEvent::new(EVENT_STOP).with_num(num).with_text(why.as_bytes()));
        self.push(&StreamEvent::new(EVENT_DONE));
    }

    fn prose(&self, kind: u32, delta: &str) {
        self.change(|shared| {
            let block = match shared.open {
                Some((open, block)) if open == kind => block,
                _ => shared.next_block(),
            };
            shared.open = Some((kind, block));
            shared.batch.push(&StreamEvent::new(kind).with_block(block).with_text(delta.as_bytes()));
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut shared);
        let waker = shared.waker.take();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// What has come since the last call; with nothing, the caller is woken by what comes next.
    pub(super) fn take(&self, cx: &Context<'_>) -> Option<Batch> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.batch.is_empty() {
            shared.waker = Some(cx.waker().clone());
            return None;
        }
        Some(std::mem::take(&mut shared.batch))
    }
}

impl Shared {
    const fn next_block(&mut self) -> u32 {
        let block = self.blocks;
        self.blocks += 1;
        block
    }
}
