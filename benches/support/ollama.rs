//! Replies of Ollama: NDJSON, about 130 bytes a line.

use crate::random::Random;
use crate::reply::{DELTAS, Input, Reply, TOOL_EVERY, escaped};

/// Replies of `bytes` together.
#[must_use]
pub fn input(bytes: usize) -> Input {
    Input::new("ollama", bytes, reply)
}

/// Reply number `number`: text, in every fourth a tool call, end with counters.
#[must_use]
pub fn reply(number: u64) -> Reply {
    let mut random = Random::new(number ^ 0x6f6c_6c61);
    let mut reply = Reply::default();
    let mut micros = 1_000_000 * number;
    let mut line = |reply: &mut Reply, random: &mut Random, message: &str, end: &str| {
        micros += 9_000 + random.below(15_000) as u64;
        // As Go prints a time: without the zeros at its end.
        let fraction = format!("{:06}", micros % 1_000_000);
        let (seconds, fraction) = (micros / 1_000_000, fraction.trim_end_matches('0'));
        let point = if fraction.is_empty() { "" } else { "." };
        reply.push_line(&format!(
            r#"{{"model":"qwen3:4b","created_at":"2026-11-21T{:02}:{:02}:{:02}{point}{fraction}Z","message":{{"role":"assistant",{message}}},{end}}}"#,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
        ));
    };
    for _ in 0..DELTAS {
        let word = random.word();
        let message = format!(r#""content":"{}""#, escaped(word));
        line(&mut reply, &mut random, &message, r#""done":false"#);
        reply.text.push_str(word);
    }
    if number.is_multiple_of(TOOL_EVERY) {
        let arguments = r#"{"location":"Paris, France"}"#;
        let message = format!(
            r#""content":"","tool_calls":[{{"id":"call_{}","function":{{"index":0,"name":"get_weather","arguments":{arguments}}}}}]"#,
            random.id(8).to_lowercase(),
        );
        line(&mut reply, &mut random, &message, r#""done":false"#);
        reply.arguments.push_str(arguments);
    }
    reply.output_tokens = DELTAS as i64 + number as i64 % 10;
    let end = format!(
        r#""done":true,"done_reason":"stop","total_duration":25630105625,"load_duration":73434292,"prompt_eval_count":192,"prompt_eval_duration":2843630458,"eval_count":{},"eval_duration":20026841611"#,
        reply.output_tokens
    );
    line(&mut reply, &mut random, r#""content":"""#, &end);
    reply
}
