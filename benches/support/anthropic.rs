//! Replies of the messages dialect: about 119 bytes an event.

use crate::random::Random;
use crate::reply::{ARGUMENTS, DELTAS, Input, Reply, TOOL_EVERY, escaped};

/// Replies of `bytes` together.
#[must_use]
pub fn input(bytes: usize) -> Input {
    Input::new("anthropic", bytes, reply)
}

/// Reply number `number`: a text block, in every fourth a tool block, stop reason with usage, end mark.
#[must_use]
pub fn reply(number: u64) -> Reply {
    let mut random = Random::new(number ^ 0x6d65_7373);
    let mut reply = Reply::default();
    reply.push(
        "message_start",
        &format!(
            r#"{{"type":"message_start","message":{{"id":"msg_{}","type":"message","role":"assistant","model":"claude-3-5-haiku-20241022","content":[],"stop_reason":null,"stop_sequence":null,"usage":{{"input_tokens":57,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}}}}"#,
            random.id(24),
        ),
    );
    reply.push(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    );
    reply.push("ping", r#"{"type": "ping"}"#);
    for _ in 0..DELTAS {
        let word = random.word();
        reply.push(
            "content_block_delta",
            &format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#,
                escaped(word)
            ),
        );
        reply.text.push_str(word);
    }
    reply.push("content_block_stop", r#"{"type":"content_block_stop","index":0}"#);
    let mut stop_reason = "end_turn";
    if number.is_multiple_of(TOOL_EVERY) {
        stop_reason = "tool_use";
        reply.push(
            "content_block_start",
            &format!(
                r#"{{"type":"content_block_start","index":1,"content_block":{{"type":"tool_use","id":"toolu_{}","name":"get_weather","input":{{}}}}}}"#,
                random.id(24),
            ),
        );
        for part in ARGUMENTS {
            reply.push(
                "content_block_delta",
                &format!(
                    r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":"{}"}}}}"#,
                    escaped(part)
                ),
            );
            reply.arguments.push_str(part);
        }
        reply.push("content_block_stop", r#"{"type":"content_block_stop","index":1}"#);
    }
    reply.output_tokens = DELTAS as i64 + number as i64 % 10;
    reply.push(
        "message_delta",
        &format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{stop_reason}","stop_sequence":null}},"usage":{{"output_tokens":{}}}}}"#,
            reply.output_tokens
        ),
    );
    reply.push("message_stop", r#"{"type":"message_stop"}"#);
    reply
}
