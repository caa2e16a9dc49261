//! Replies of the responses dialect: about 280 bytes an event.

use crate::random::Random;
use crate::reply::{ARGUMENTS, DELTAS, Input, Reply, TOOL_EVERY, escaped};

/// Replies of `bytes` together.
#[must_use]
pub fn input(bytes: usize) -> Input {
    Input::new("openai-responses", bytes, reply)
}

/// Reply number `number`: text, in every fourth a tool call, each with the snapshots that go before and after it, and
/// the whole response at its end.
#[must_use]
pub fn reply(number: u64) -> Reply {
    let mut random = Random::new(number ^ 0x7265_7370);
    let mut reply = Reply::default();
    let (response, message, call) = (random.id(48), random.id(48), random.id(48));
    let mut sequence = 0;
    let mut push = |reply: &mut Reply, kind: &str, rest: &str| {
        reply.push(kind, &format!(r#"{{"type":"{kind}","sequence_number":{sequence},{rest}}}"#));
        sequence += 1;
    };
    let snapshot = |status: &str, output: &str, usage: &str| {
        format!(
            r#""response":{{"id":"resp_{response}","object":"response","created_at":{},"status":"{status}","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"gpt-4o-mini-2024-07-18","output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"reasoning":{{"effort":null,"summary":null}},"safety_identifier":null,"service_tier":"default","store":true,"temperature":1.0,"text":{{"format":{{"type":"text"}},"verbosity":"medium"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{usage},"user":null,"metadata":{{}}}}"#,
            1_763_000_000 + number,
        )
    };
    push(&mut reply, "response.created", &snapshot("in_progress", "", "null"));
    push(&mut reply, "response.in_progress", &snapshot("in_progress", "", "null"));

    let item = |status: &str, content: &str| {
        format!(
            r#"{{"id":"msg_{message}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#
        )
    };
    let part = |text: &str| format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":"{text}"}}"#);
    push(&mut reply, "response.output_item.added", &format!(r#""output_index":0,"item":{}"#, item("in_progress", "")));
    let place = format!(r#""item_id":"msg_{message}","output_index":0,"content_index":0"#);
    push(&mut reply, "response.content_part.added", &format!(r#"{place},"part":{}"#, part("")));
    for _ in 0..DELTAS {
        let word = random.word();
        push(
            &mut reply,
            "response.output_text.delta",
            &format!(r#"{place},"delta":"{}","logprobs":[],"obfuscation":"{}""#, escaped(word), random.padding()),
        );
        reply.text.push_str(word);
    }
    let text = escaped(&reply.text);
    push(&mut reply, "response.output_text.done", &format!(r#"{place},"text":"{text}","logprobs":[]"#));
    push(&mut reply, "response.content_part.done", &format!(r#"{place},"part":{}"#, part(&text)));
    let mut output = item("completed", &part(&text));
    push(&mut reply, "response.output_item.done", &format!(r#""output_index":0,"item":{output}"#));

    if number.is_multiple_of(TOOL_EVERY) {
        let call_id = random.id(24);
        let item = |status: &str, arguments: &str| {
            format!(
                r#"{{"id":"fc_{call}","type":"function_call","status":"{status}","arguments":"{arguments}","call_id":"call_{call_id}","name":"get_weather"}}"#
            )
        };
        let added = format!(r#""output_index":1,"item":{}"#, item("in_progress", ""));
        push(&mut reply, "response.output_item.added", &added);
        let place = format!(r#""item_id":"fc_{call}","output_index":1"#);
        for part in ARGUMENTS {
            push(
                &mut reply,
                "response.function_call_arguments.delta",
                &format!(r#"{place},"delta":"{}","obfuscation":"{}""#, escaped(part), random.padding()),
            );
            reply.arguments.push_str(part);
        }
        let arguments = escaped(&reply.arguments);
        let done = format!(r#"{place},"arguments":"{arguments}""#);
        push(&mut reply, "response.function_call_arguments.done", &done);
        let item = item("completed", &arguments);
        push(&mut reply, "response.output_item.done", &format!(r#""output_index":1,"item":{item}"#));
        output = format!("{output},{item}");
    }
    reply.output_tokens = DELTAS as i64 + number as i64 % 10;
    let usage = format!(
        r#"{{"input_tokens":57,"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}}"#,
        reply.output_tokens,
        reply.output_tokens + 57,
    );
    push(&mut reply, "response.completed", &snapshot("completed", &output, &usage));
    reply
}
