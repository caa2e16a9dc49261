//! The counters of tokens.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_USAGE, EVENT_USAGE_RAW, StreamEvent, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT,
    USAGE_REASONING, USAGE_TOTAL,
};
use thalweg_wire::json::{Names, Raw};

static USAGE: Names<5> =
    Names::new(["input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"]);
static INPUT: Names<2> = Names::new(["cached_tokens", "cache_write_tokens"]);
static OUTPUT: Names<1> = Names::new(["reasoning_tokens"]);

/// Tells the usage as the provider wrote it, and the counters in it. Does nothing if `usage` is no object.
pub(crate) fn tell<'f>(usage: Raw<'f>, out: &mut Out<'_, 'f>) {
    let Some([input, input_details, output, output_details, total]) = usage.fields(&USAGE) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()));
    let [cached, written] = input_details.fields(&INPUT).unwrap_or_default();
    let [reasoning] = output_details.fields(&OUTPUT).unwrap_or_default();
    for (counter, value) in [
        (USAGE_INPUT, input),
        (USAGE_OUTPUT, output),
        (USAGE_TOTAL, total),
        (USAGE_REASONING, reasoning),
        (USAGE_CACHE_READ, cached),
        (USAGE_CACHE_WRITE, written),
    ] {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}
