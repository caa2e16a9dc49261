//! The counters of tokens.

use thalweg_abi::types::{
    EVENT_USAGE, EVENT_USAGE_RAW, StreamEvent, USAGE_CACHE_READ, USAGE_INPUT, USAGE_OUTPUT, USAGE_REASONING,
    USAGE_TOTAL,
};
use thalweg_wire::json::{Names, Raw};

use crate::emit::Emit;

static USAGE: Names<5> = Names::new([
    "promptTokenCount",
    "candidatesTokenCount",
    "totalTokenCount",
    "cachedContentTokenCount",
    "thoughtsTokenCount",
]);

/// Tells the usage as the provider wrote it, and the counters in it. Does nothing if `usage` is no object.
pub(crate) fn tell<'f>(usage: Raw<'f>, emit: &mut Emit<'_, '_, 'f>) {
    let Some([input, output, total, cached, thoughts]) = usage.fields(&USAGE) else { return };
    emit.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()));
    for (counter, value) in [
        (USAGE_INPUT, input),
        (USAGE_OUTPUT, output),
        (USAGE_TOTAL, total),
        (USAGE_REASONING, thoughts),
        (USAGE_CACHE_READ, cached),
    ] {
        if let Some(count) = value.int() {
            emit.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}
