//! The facts of a reply as the recorded corpus states them, built from its events.

use serde_json::{Map, Value, json};
use thalweg_abi::types::*;

use crate::step::Step;

/// The facts under the keys of the corpus. `events` are those of one reply, escapes resolved.
#[must_use]
pub fn facts(events: &[Step]) -> Value {
    let mut subs: Vec<u32> = events.iter().filter(|event| is_of_choice(event.kind)).map(|event| event.sub).collect();
    subs.sort_unstable();
    subs.dedup();
    let mut facts = choice(events, subs.first().copied().unwrap_or(0));
    facts["usage"] = usage(events);
    facts["usage_norm"] = usage_norm(events);
    facts["errors"] = errors(events);
    facts["done_marker"] = events.iter().any(|event| event.kind == EVENT_DONE).into();
    if subs.len() > 1 {
        facts["choices"] = subs.iter().map(|sub| choice(events, *sub)).collect();
    }
    facts
}

/// The facts of one choice.
#[must_use]
pub fn choice(events: &[Step], sub: u32) -> Value {
    let of_choice = || events.iter().filter(move |event| event.sub == sub);
    let text =
        |kind: u32| of_choice().filter(|event| event.kind == kind).map(|event| event.text.as_str()).collect::<String>();
    let mut calls: Vec<(u32, Value)> = Vec::new();
    let mut finish_reason = Value::Null;
    for event in of_choice() {
        let call = calls.iter_mut().find(|(block, _)| *block == event.block).map(|(_, call)| call);
        match (event.kind, call) {
            (EVENT_TOOL_BEGIN, None) => {
                let call = json!({"id": non_empty(&event.aux), "name": event.text, "arguments_json": ""});
                calls.push((event.block, call));
            }
            (EVENT_TOOL_BEGIN, Some(call)) => {
                call["id"] = non_empty(&event.aux);
                call["name"] = event.text.as_str().into();
            }
            (EVENT_TOOL_ARGUMENTS, Some(call)) => {
                let so_far = call["arguments_json"].as_str().unwrap_or_default();
                call["arguments_json"] = format!("{so_far}{}", event.text).into();
            }
            (EVENT_STOP, _) => finish_reason = non_empty(&event.text),
            _ => {}
        }
    }
    json!({
        "index": sub,
        "text": text(EVENT_TEXT),
        "thinking": text(EVENT_THINKING),
        "refusal": text(EVENT_REFUSAL),
        "tool_calls": calls.into_iter().map(|(_, call)| call).collect::<Value>(),
        "finish_reason": finish_reason,
    })
}

const fn is_of_choice(kind: u32) -> bool {
    matches!(kind, EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL | EVENT_TOOL_BEGIN | EVENT_TOOL_ARGUMENTS | EVENT_STOP)
}

fn non_empty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn usage(events: &[Step]) -> Value {
    let mut usage: Option<Map<String, Value>> = None;
    for event in events.iter().filter(|event| event.kind == EVENT_USAGE_RAW) {
        let newer: Map<String, Value> = serde_json::from_str(&event.text).expect("raw usage is an object");
        match &mut usage {
            Some(usage) if event.is_merge => usage.extend(newer.into_iter().filter(|(_, value)| !value.is_null())),
            _ => usage = Some(newer),
        }
    }
    usage.map_or(Value::Null, Value::Object)
}

fn usage_norm(events: &[Step]) -> Value {
    if !events.iter().any(|event| event.kind == EVENT_USAGE_RAW) {
        return Value::Null;
    }
    // Counters that stand before the last whole usage are of an earlier one.
    let whole = events.iter().rposition(|event| event.kind == EVENT_USAGE_RAW && !event.is_merge).unwrap_or(0);
    let last = |counter: u32| {
        let mut latest = events[whole..].iter().rev();
        latest.find(|event| event.kind == EVENT_USAGE && event.block == counter).map(|event| event.num)
    };
    json!({
        "input_tokens": last(USAGE_INPUT),
        "output_tokens": last(USAGE_OUTPUT),
        "total_tokens": last(USAGE_TOTAL),
        "reasoning_tokens": last(USAGE_REASONING),
        "cached_tokens": last(USAGE_CACHE_READ),
    })
}

/// What the provider reported, as its JSON; events that are no JSON are not its report.
fn errors(events: &[Step]) -> Value {
    let reported = events.iter().filter(|event| event.kind == EVENT_ERROR && event.num != FAILURE_MALFORMED);
    reported.map(|event| serde_json::from_str(&event.aux).unwrap_or(Value::Null)).collect()
}
