//! Replies of the chat completions dialect: about 300 bytes an event.

use crate::random::Random;
use crate::reply::{ARGUMENTS, DELTAS, Input, Reply, TOOL_EVERY, escaped};

/// Replies of `bytes` together.
#[must_use]
pub fn input(bytes: usize) -> Input {
    Input::new("openai-chat", bytes, reply)
}

/// Replies of `bytes` together, each chunk padded with random letters, as OpenAI does unless told not to.
#[must_use]
pub fn padded_input(bytes: usize) -> Input {
    Input::new("openai-chat-padded", bytes, |number| build(number, DELTAS, true, word))
}

/// Reply number `number`: role, text, in every fourth a tool call, finish reason, usage, end mark.
#[must_use]
pub fn reply(number: u64) -> Reply {
    build(number, DELTAS, false, word)
}

/// The same with so many text deltas.
#[must_use]
pub fn reply_of(number: u64, deltas: usize) -> Reply {
    build(number, deltas, false, word)
}

/// The same with text deltas that `piece` makes.
#[must_use]
pub fn reply_with(number: u64, deltas: usize, piece: impl FnMut(&mut Random) -> String) -> Reply {
    build(number, deltas, false, piece)
}

fn word(random: &mut Random) -> String {
    random.word().to_owned()
}

fn build(number: u64, deltas: usize, padded: bool, mut piece: impl FnMut(&mut Random) -> String) -> Reply {
    let mut random = Random::new(number ^ 0x6368_6174);
    let mut reply = Reply::default();
    let head = format!(
        r#"{{"id":"chatcmpl-{}","object":"chat.completion.chunk","created":{},"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_{}","#,
        random.id(29),
        1_763_000_000 + number,
        random.id(10).to_lowercase(),
    );
    let mut padding = Random::new(number ^ 0x7061_6464);
    let mut choice = |reply: &mut Reply, delta: &str, finish: &str| {
        let obfuscation = if padded { format!(r#","obfuscation":"{}""#, padding.padding()) } else { String::new() };
        reply.push(
            "",
            &format!(
                r#"{head}"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null{obfuscation}}}"#
            ),
        );
    };
    choice(&mut reply, r#"{"role":"assistant","content":"","refusal":null}"#, "null");
    for _ in 0..deltas {
        let piece = piece(&mut random);
        choice(&mut reply, &format!(r#"{{"content":"{}"}}"#, escaped(&piece)), "null");
        reply.text.push_str(&piece);
    }
    if number.is_multiple_of(TOOL_EVERY) {
        let begin = format!(
            r#"{{"tool_calls":[{{"index":0,"id":"call_{}","type":"function","function":{{"name":"get_weather","arguments":""}}}}]}}"#,
            random.id(24),
        );
        choice(&mut reply, &begin, "null");
        for part in ARGUMENTS {
            let part_escaped = escaped(part);
            let delta = format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{part_escaped}"}}}}]}}"#);
            choice(&mut reply, &delta, "null");
            reply.arguments.push_str(part);
        }
        choice(&mut reply, "{}", r#""tool_calls""#);
    } else {
        choice(&mut reply, "{}", r#""stop""#);
    }
    reply.output_tokens = deltas as i64 + number as i64 % 10;
    let usage = format!(
        r#"{head}"choices":[],"usage":{{"prompt_tokens":57,"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}}}"#,
        reply.output_tokens,
        reply.output_tokens + 57,
    );
    reply.push("", &usage);
    reply.push("", "[DONE]");
    reply
}
