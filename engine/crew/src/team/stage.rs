//! Where the reply of a team comes together: one sink, one count of blocks, one sum of what was used, one end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg::cost::Cost;
use thalweg::message::StopKind;
use thalweg::responder::ReplySink;
use thalweg::usage::Usage;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_STOP, EVENT_USAGE, EVENT_USAGE_RAW, FLAG_SPEAKER, STOP_CONTENT_FILTER, STOP_END, STOP_LENGTH,
    StreamEvent, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT, USAGE_REASONING, USAGE_TOTAL,
};

use super::tally::Tally;

/// The reply of a team while it is coming. Clones are the same reply.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sink: ReplySink,
    /// The number of the next block.
    blocks: AtomicU32,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    tally: Tally,
    is_cut: bool,
    is_filtered: bool,
}

impl Stage {
    pub(super) fn new(sink: ReplySink) -> Self {
        Self { shared: Arc::new(Shared { sink, blocks: AtomicU32::new(0), sums: Mutex::default() }) }
    }

    /// The number of a new block.
    pub(super) fn next_block(&self) -> u32 {
        self.shared.blocks.fetch_add(1, Ordering::Relaxed)
    }

    /// More of a block, said by `member`. An empty text only gives the block its place.
    pub(super) fn say(&self, kind: u32, block: u32, member: &str, text: &str) {
        let event = StreamEvent::new(kind).with_flags(FLAG_SPEAKER).with_block(block);
        self.shared.sink.push(&event.with_text(text.as_bytes()).with_aux(member.as_bytes()));
    }

    /// A member runs a tool; `kind` is one of the engine's `TOOL_EXECUTION_…`, `id` that of the call.
    pub(super) fn show_tool(&self, kind: u32, id: &str, payload: &str) {
        let event = StreamEvent::new(kind).with_flags(FLAG_SPEAKER);
        self.shared.sink.push(&event.with_text(payload.as_bytes()).with_aux(id.as_bytes()));
    }

    /// Counts a reply of a member: what it used, and whether it was whole. The sums so far go out at once, so that they stand in
    /// the reply of the team however that ends.
    pub(super) fn count(&self, member: &str, usage: &Usage, stop: Option<StopKind>) {
        let mut sums = self.sums();
        sums.is_cut |= stop == Some(StopKind::Length);
        sums.is_filtered |= stop == Some(StopKind::ContentFilter);
        if sums.tally.add(member, usage) {
            self.tell(&sums.tally);
        }
    }

    /// Counts what a run of a member cost.
    pub(super) fn count_cost(&self, cost: Option<&Cost>) {
        let mut sums = self.sums();
        sums.tally.add_cost(cost);
        self.tell(&sums.tally);
    }

    /// Under the lock of the sums, so that the last one told is the last one counted.
    fn tell(&self, tally: &Tally) {
        let sink = &self.shared.sink;
        // First: it takes back the counters before it.
        sink.push(&StreamEvent::new(EVENT_USAGE_RAW).with_text(tally.to_json().to_string().as_bytes()));
        let tokens = tally.tokens();
        let counters = [
            (USAGE_INPUT, tokens.prompt()),
            (USAGE_OUTPUT, tokens.output),
            (USAGE_TOTAL, tokens.total()),
            (USAGE_REASONING, tokens.reasoning),
            (USAGE_CACHE_READ, tokens.cache_read),
            (USAGE_CACHE_WRITE, tokens.cache_write),
        ];
        for (counter, tokens) in counters {
            let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
            sink.push(&StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(tokens));
        }
    }

    /// The answer is complete. It counts as cut if any part of it, or of what it was made of, was cut.
    pub(super) fn end(&self) {
        let sums = self.sums();
        let (num, word) = match *sums {
            Sums { is_filtered: true, .. } => (STOP_CONTENT_FILTER, "content_filter"),
            Sums { is_cut: true, .. } => (STOP_LENGTH, "length"),
            Sums { .. } => (STOP_END, "stop"),
        };
        self.shared.sink.push(&StreamEvent::new(EVENT_STOP).with_num(num).with_text(word.as_bytes()));
        self.shared.sink.push(&StreamEvent::new(EVENT_DONE));
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.shared.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
