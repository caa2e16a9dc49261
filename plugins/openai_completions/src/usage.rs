//! The counters of tokens.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_USAGE, EVENT_USAGE_RAW, StreamEvent, USAGE_CACHE_READ, USAGE_INPUT, USAGE_OUTPUT, USAGE_REASONING,
    USAGE_TOTAL,
};
use thalweg_wire::json::{Names, Raw};

static USAGE: Names<5> = Names::new([
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
]);
static PROMPT: Names<1> = Names::new(["cached_tokens"]);
static COMPLETION: Names<1> = Names::new(["reasoning_tokens"]);

/// Tells the usage as the provider wrote it, and the counters in it. Does nothing if `usage` is no object.
pub(crate) fn tell<'f>(usage: Raw<'f>, out: &mut Out<'_, 'f>) {
    let Some([input, output, total, prompt, completion]) = usage.fields(&USAGE) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()));
    let [cached] = prompt.fields(&PROMPT).unwrap_or_default();
    let [reasoning] = completion.fields(&COMPLETION).unwrap_or_default();
    for (counter, value) in [
        (USAGE_INPUT, input),
        (USAGE_OUTPUT, output),
        (USAGE_TOTAL, total),
        (USAGE_REASONING, reasoning),
        (USAGE_CACHE_READ, cached),
    ] {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}
