//! Steps as one line each, so that tables of cases stay readable.

use thalweg_abi::types::*;

use crate::step::Step;

/// The step as a line: `text 0.1 "Hi"`, `count input 5`, `stop 0 end "stop"`. Numbers behind the word are choice and block.
#[must_use]
pub fn show(step: &Step) -> String {
    let Step { kind, sub, block, text, aux, num, is_merge } = step;
    let aux = if aux.is_empty() { String::new() } else { format!(" ({aux})") };
    match *kind {
        EVENT_MESSAGE_START => format!("start {text:?}{aux}"),
        EVENT_USAGE_RAW => format!("{} {text}", if *is_merge { "merge" } else { "usage" }),
        EVENT_USAGE => format!("count {} {num}", word(COUNTERS, i64::from(*block))),
        EVENT_STOP => format!("stop {sub} {} {text:?}{aux}", word(STOPS, *num)),
        EVENT_ERROR => format!("error {} {text:?}{aux}", word(FAILURES, *num)),
        EVENT_DONE => "done".to_owned(),
        EVENT_SKIPPED => format!("skipped{aux}"),
        EVENT_BLOCK_END => format!("end {sub}.{block}"),
        EVENT_OTHER_CONTENT => format!("other {sub}.{block} {text}{aux}"),
        kind => format!("{} {sub}.{block} {text:?}{aux}", word(CONTENT, i64::from(kind))),
    }
}

fn word(words: &[(i64, &'static str)], num: i64) -> &'static str {
    words.iter().find(|(known, _)| *known == num).map_or("?", |(_, word)| word)
}

const CONTENT: &[(i64, &str)] = &[
    (EVENT_TEXT as i64, "text"),
    (EVENT_THINKING as i64, "thinking"),
    (EVENT_THINKING_SIGNATURE as i64, "signature"),
    (EVENT_REDACTED_THINKING as i64, "redacted"),
    (EVENT_REFUSAL as i64, "refusal"),
    (EVENT_TOOL_BEGIN as i64, "call"),
    (EVENT_TOOL_ARGUMENTS as i64, "arguments"),
];
const COUNTERS: &[(i64, &str)] = &[
    (USAGE_INPUT as i64, "input"),
    (USAGE_OUTPUT as i64, "output"),
    (USAGE_TOTAL as i64, "total"),
    (USAGE_REASONING as i64, "reasoning"),
    (USAGE_CACHE_READ as i64, "cache_read"),
    (USAGE_CACHE_WRITE as i64, "cache_write"),
];
const STOPS: &[(i64, &str)] = &[
    (STOP_OTHER, "other"),
    (STOP_END, "end"),
    (STOP_LENGTH, "length"),
    (STOP_TOOL_USE, "tools"),
    (STOP_SEQUENCE, "sequence"),
    (STOP_CONTENT_FILTER, "filter"),
    (STOP_PAUSE, "pause"),
    (STOP_ERROR, "error"),
];
const FAILURES: &[(i64, &str)] = &[
    (FAILURE_OTHER, "other"),
    (FAILURE_RATE_LIMIT, "rate_limit"),
    (FAILURE_OVERLOADED, "overloaded"),
    (FAILURE_CONTEXT_OVERFLOW, "context_overflow"),
    (FAILURE_AUTH, "auth"),
    (FAILURE_INVALID_REQUEST, "invalid_request"),
    (FAILURE_CONTENT_FILTER, "content_filter"),
    (FAILURE_SERVER, "server"),
    (FAILURE_MALFORMED, "malformed"),
];
