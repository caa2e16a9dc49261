//! The counters of tokens.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_USAGE, EVENT_USAGE_RAW, StreamEvent, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_wire::json::{Names, Raw};

static USAGE: Names<4> =
    Names::new(["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"]);

/// Tells the usage as the provider wrote it, with `flags`, and the counters in it. Nothing if `usage` is no object.
pub(crate) fn read<'f>(usage: Raw<'f>, flags: u32, out: &mut Out<'_, 'f>) {
    let Some([input, cache_write, cache_read, output]) = usage.fields(&USAGE) else { return };
    out.push(StreamEvent::new(EVENT_USAGE_RAW).with_text(usage.bytes()).with_flags(flags));
    for (counter, value) in
        [(USAGE_INPUT, input), (USAGE_OUTPUT, output), (USAGE_CACHE_READ, cache_read), (USAGE_CACHE_WRITE, cache_write)]
    {
        if let Some(count) = value.int() {
            out.push(StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(count));
        }
    }
}
