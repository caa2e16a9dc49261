//! In steady state nothing is allocated, whatever the dialect and however the stream is cut.

use std::fmt::Write;

use thalweg_abi::decode::Decode;
use thalweg_abi::guest::{Codec, Direct, Package};
use thalweg_abi::host::{Host, Plugin};
use thalweg_abi::types::{EVENT_ERROR, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, StreamEvent};
use thalweg_anthropic::AnthropicMessages;
use thalweg_bedrock::Bedrock;
use thalweg_cohere::Cohere;
use thalweg_cohere_v1::CohereV1;
use thalweg_gemini::Gemini;
use thalweg_ollama::Ollama;
use thalweg_openai::OpenAiChat;
use thalweg_openai_completions::OpenAiCompletions;
use thalweg_openai_responses::OpenAiResponses;
use thalweg_tests::counting::{Counting, allocations, live_bytes};
use thalweg_tests::naive_event_stream::{event, to_base64};
use thalweg_tests::spoken::Spoken;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};
use thalweg_wire::sse;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Texts of deltas: plain, escaped, outside of ASCII, a character cut in two.
const TEXTS: [&str; 8] = ["Hello", " wor", "ld\\n", "ä\u{20ac}", "\\\"", "\\ud83d", "\\ude00", " and so on and so on"];

const EVENTS: usize = 4000;

fn stream(event: impl Fn(&mut String, usize, &str)) -> Vec<String> {
    (0..EVENTS)
        .map(|index| {
            let mut text = String::new();
            event(&mut text, index, TEXTS[index % TEXTS.len()]);
            text
        })
        .collect()
}

fn openai() -> Vec<String> {
    stream(|out, _, text| {
        write!(
            out,
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":\
             [{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n"
        )
        .expect("a string takes everything");
    })
}

fn anthropic() -> Vec<String> {
    stream(|out, index, text| {
        let start = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":\
                     {\"type\":\"text\",\"text\":\"\"}}\n\n";
        let start = if index == 0 { start } else { "" };
        write!(
            out,
            "{start}event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
             {{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
        )
        .expect("a string takes everything");
    })
}

fn ollama() -> Vec<String> {
    stream(|out, index, text| {
        writeln!(
            out,
            "{{\"model\":\"m\",\"created_at\":\"2026-08-06T06:29:40.{index}Z\",\"message\":{{\"role\":\"assistant\",\
             \"content\":\"{text}\"}},\"done\":false}}"
        )
        .expect("a string takes everything");
    })
}

fn cohere() -> Vec<String> {
    stream(|out, index, text| {
        let start = "data: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\
                     \"text\":\"\"}}}}\n\n";
        let start = if index == 0 { start } else { "" };
        write!(
            out,
            "{start}event: content-delta\ndata: {{\"type\":\"content-delta\",\"index\":0,\"delta\":{{\"message\":\
             {{\"content\":{{\"text\":\"{text}\"}}}}}}}}\n\n"
        )
        .expect("a string takes everything");
    })
}

fn cohere_v1() -> Vec<String> {
    stream(|out, _, text| {
        writeln!(out, "{{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"{text}\"}}")
            .expect("a string takes everything");
    })
}

fn converse() -> Vec<Vec<u8>> {
    let payloads = stream(|out, _, text| {
        write!(out, "{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}},\"p\":\"abcdef\"}}")
            .expect("a string takes everything");
    });
    payloads.iter().map(|payload| event("contentBlockDelta", payload)).collect()
}

/// Messages of Claude inside of events of `InvokeModel`.
fn invoke() -> Vec<Vec<u8>> {
    let payloads = stream(|out, _, text| {
        write!(
            out,
            "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}"
        )
        .expect("a string takes everything");
    });
    let wrapped = |payload: &String| format!("{{\"bytes\":\"{}\"}}", to_base64(payload.as_bytes()));
    payloads.iter().map(|payload| event("chunk", &wrapped(payload))).collect()
}

fn responses() -> Vec<String> {
    stream(|out, index, text| {
        // The same event with and without the template: one key stands elsewhere in every other event.
        let (before, behind) =
            if index % 2 == 0 { ("", ",\"sequence_number\":7") } else { ("\"sequence_number\":7,", "") };
        write!(
            out,
            "event: response.output_text.delta\ndata: {{{before}\"type\":\"response.output_text.delta\",\"output_index\":0,\
             \"content_index\":0,\"delta\":\"{text}\"{behind}}}\n\n"
        )
        .expect("a string takes everything");
    })
}

fn completions() -> Vec<String> {
    stream(|out, index, text| {
        let (before, behind) = if index % 2 == 0 { ("", ",\"index\":0") } else { ("\"index\":0,", "") };
        write!(
            out,
            "data: {{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"choices\":[{{{before}\"text\":\"{text}\"\
             {behind},\"logprobs\":null,\"finish_reason\":null}}],\"model\":\"m\",\"usage\":null}}\n\n"
        )
        .expect("a string takes everything");
    })
}

fn gemini() -> Vec<String> {
    stream(|out, index, text| {
        let thought = if index % 2 == 0 { "" } else { ",\"thought\":false" };
        write!(
            out,
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"{thought}}}]}},\"index\":0}}],\
             \"usageMetadata\":{{\"totalTokenCount\":{index}}}}}\r\n\r\n"
        )
        .expect("a string takes everything");
    })
}

/// Shapes that leave the fast path: CR LF, ids, several lines, comments.
fn odd() -> Vec<String> {
    stream(|out, index, text| {
        let written = match index % 4 {
            0 => write!(out, "data: {{\"{text}\"}}\r\n\r\n"),
            1 => write!(out, ": ping\nid: {index}\ndata: {{\"{text}\"}}\n\n"),
            2 => write!(out, "event: 2 0 0\ndata: {{\"\ndata: {text}\"}}\n\n"),
            _ => write!(out, "retry: 3\rdata: {{\"{text}\"}}\r\r"),
        };
        written.expect("a string takes everything");
    })
}

/// The stream in pieces of each size, and each event by itself.
fn cuts(events: &[impl AsRef<[u8]>]) -> Vec<(String, Vec<Vec<u8>>)> {
    let whole: Vec<u8> = events.iter().flat_map(|event| event.as_ref().iter().copied()).collect();
    let mut cuts: Vec<_> = [16 << 10, 1 << 10, 97]
        .map(|size: usize| (format!("pieces of {size}"), whole.chunks(size).map(<[u8]>::to_vec).collect()))
        .into();
    cuts.push(("one event a piece".into(), events.iter().map(|event| event.as_ref().to_vec()).collect()));
    cuts
}

fn assert_steady<D: Decode>(name: &str, decoder: impl Fn() -> D, events: &[String]) {
    for (how, pieces) in cuts(events) {
        let mut pipeline = Pipeline::new(decoder(), Framing::Sse, Limits::default());
        let (mut seen, mut made) = (0, [0; 2]);
        // The buffers grow in the first half of the stream; what happens once a reply happens there as well.
        for (half, pieces) in pieces.chunks(pieces.len().div_ceil(2)).enumerate() {
            let before = allocations();
            for piece in pieces {
                pipeline.feed(piece, &mut |batch| seen += batch.len()).expect("a good stream");
            }
            made[half] = allocations() - before;
        }
        println!("{name}, {how}: {made:?} allocations in both halves of {seen} events");
        assert!(made[0] < 100, "{name}, {how}: buffers grow by doubling, yet {made:?} allocations");
        assert_eq!(made[1], 0, "{name}, {how}");
        assert!(seen >= EVENTS, "{name}, {how}: {seen} events");
    }
}

#[test]
fn decoding_allocates_nothing_once_the_buffers_have_grown() {
    let open = "no options are options";
    assert_steady("openai-chat", || Direct::new(OpenAiChat.open("{}").expect(open)), &openai());
    assert_steady("anthropic", || Direct::new(AnthropicMessages.open("{}").expect(open)), &anthropic());
    assert_steady("unusual shapes", Spoken::default, &odd());
}

/// A second reply, in whose second half nothing is left that happens once.
fn assert_steady_again<C: Codec>(framing: Framing, name: &str, codec: &C, events: &[impl AsRef<[u8]>]) {
    let open = || Direct::new(codec.open("{}").expect("no options are options"));
    for (how, pieces) in cuts(events) {
        let mut pipeline = Pipeline::new(open(), framing, Limits::default());
        let (mut seen, mut made) = (0, 0);
        for _ in 0..2 {
            pipeline.reset();
            seen = 0;
            for pieces in pieces.chunks(pieces.len().div_ceil(2)) {
                let before = allocations();
                for piece in pieces {
                    pipeline.feed(piece, &mut |batch| seen += batch.len()).expect("a good stream");
                }
                made = allocations() - before;
            }
        }
        assert_eq!(made, 0, "{name}, {how}");
        assert!(seen >= EVENTS, "{name}, {how}: {seen} events");
    }
}

#[test]
fn other_dialects_and_framings_allocate_nothing_once_the_buffers_have_grown() {
    assert_steady_again(Framing::NdJson, "ollama", &Ollama, &ollama());
    assert_steady_again(Framing::NdJson, "cohere-v1", &CohereV1, &cohere_v1());
    assert_steady_again(Framing::Sse, "openai-responses", &OpenAiResponses, &responses());
    assert_steady_again(Framing::Sse, "openai-completions", &OpenAiCompletions, &completions());
    assert_steady_again(Framing::Sse, "gemini", &Gemini, &gemini());
    assert_steady_again(Framing::Sse, "cohere-v2", &Cohere, &cohere());
    assert_steady_again(Framing::EventStream, "bedrock, Converse", &Bedrock, &converse());
    assert_steady_again(Framing::EventStream, "bedrock, InvokeModel", &Bedrock, &invoke());
}

/// A whole reply with thinking where there is some, text, two calls, usage and the end: what happens once a reply. Each
/// line is an event; `@` parts its name from its data.
fn whole_reply(dialect: &str) -> Vec<Vec<u8>> {
    let (events, delta) =
        REPLIES.iter().find(|reply| reply.0 == dialect).map(|reply| (reply.1, reply.2)).expect("a reply");
    let mut lines: Vec<String> = Vec::new();
    for line in events.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "DELTAS" {
            lines.extend((0..60).map(|index| delta.replace("TEXT", TEXTS[index % TEXTS.len()])));
        } else {
            lines.push(line.to_owned());
        }
    }
    let framed = |line: &String| match (dialect, line.split_once('@')) {
        ("ollama" | "cohere-v1", _) => format!("{line}\n").into_bytes(),
        ("bedrock", Some((name, data))) => event(name, data),
        (_, Some((name, data))) => format!("event: {name}\ndata: {data}\n\n").into_bytes(),
        (_, None) => format!("data: {line}\n\n").into_bytes(),
    };
    lines.iter().map(framed).collect()
}

/// The name of a dialect, the events of a reply, and one of its deltas.
const REPLIES: [(&str, &str, &str); 9] = [
    (
        "openai-chat",
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}
        DELTAS
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"find","arguments":""}}]},"finish_reason":null}]}
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]},"finish_reason":null}]}
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":null}]}
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
        {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}
        [DONE]"#,
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}]}"#,
    ),
    (
        "anthropic",
        r#"message_start@{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}
        content_block_start@{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
        content_block_delta@{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}
        content_block_delta@{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"abc"}}
        content_block_stop@{"type":"content_block_stop","index":0}
        content_block_start@{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
        ping@{"type":"ping"}
        DELTAS
        content_block_stop@{"type":"content_block_stop","index":1}
        content_block_start@{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"find","input":{}}}
        content_block_delta@{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}
        content_block_stop@{"type":"content_block_stop","index":2}
        message_delta@{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}
        message_stop@{"type":"message_stop"}"#,
        r#"content_block_delta@{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"TEXT"}}"#,
    ),
    (
        "openai-responses",
        r#"response.created@{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"m","output":[]}}
        response.output_item.added@{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}
        response.content_part.added@{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}
        DELTAS
        response.output_item.done@{"type":"response.output_item.done","sequence_number":9,"output_index":0,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"x"}]}}
        response.output_item.added@{"type":"response.output_item.added","sequence_number":10,"output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"find","arguments":""}}
        response.function_call_arguments.delta@{"type":"response.function_call_arguments.delta","sequence_number":11,"item_id":"fc_1","output_index":1,"delta":"{}"}
        response.output_item.done@{"type":"response.output_item.done","sequence_number":12,"output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"find","arguments":"{}"}}
        response.completed@{"type":"response.completed","sequence_number":13,"response":{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":3,"output_tokens":5,"total_tokens":8}}}"#,
        r#"response.output_text.delta@{"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"TEXT"}"#,
    ),
    (
        "openai-completions",
        r#"DELTAS
        {"id":"c","object":"text_completion","created":1,"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"model":"m","usage":null}
        {"id":"c","object":"text_completion","created":1,"choices":[],"model":"m","usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}
        [DONE]"#,
        r#"{"id":"c","object":"text_completion","created":1,"choices":[{"text":"TEXT","index":0,"logprobs":null,"finish_reason":null}],"model":"m","usage":null}"#,
    ),
    (
        "gemini",
        r#"DELTAS
        {"candidates":[{"content":{"parts":[{"functionCall":{"name":"find","args":{"a":1}}}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}
        {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":8},"modelVersion":"m","responseId":"r"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3},"modelVersion":"m","responseId":"r"}"#,
    ),
    (
        "ollama",
        r#"DELTAS
        {"model":"m","created_at":"2026-08-06T06:29:40.1Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"find","arguments":{"a":1}}}]},"done":false}
        {"model":"m","created_at":"2026-08-06T06:29:40.1Z","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":1,"load_duration":2,"prompt_eval_count":3,"prompt_eval_duration":4,"eval_count":5,"eval_duration":6}"#,
        r#"{"model":"m","created_at":"2026-08-06T06:29:40.1Z","message":{"role":"assistant","content":"TEXT"},"done":false}"#,
    ),
    (
        "cohere-v2",
        r#"message-start@{"id":"r","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}
        content-start@{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}
        DELTAS
        content-end@{"type":"content-end","index":0}
        tool-plan-delta@{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will look"}}}
        tool-call-start@{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"call_1","type":"function","function":{"name":"find","arguments":""}}}}}
        tool-call-delta@{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}
        tool-call-end@{"type":"tool-call-end","index":0}
        message-end@{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":3,"output_tokens":5}}}}"#,
        r#"content-delta@{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"TEXT"}}}}"#,
    ),
    (
        "cohere-v1",
        r#"{"is_finished":false,"event_type":"stream-start","generation_id":"r"}
        DELTAS
        {"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"text":"x","generation_id":"r","meta":{"tokens":{"input_tokens":3,"output_tokens":5}}}}"#,
        r#"{"is_finished":false,"event_type":"text-generation","text":"TEXT"}"#,
    ),
    (
        "bedrock",
        r#"messageStart@{"role":"assistant"}
        DELTAS
        contentBlockStop@{"contentBlockIndex":0}
        contentBlockStart@{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t1","name":"find"}}}
        contentBlockDelta@{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}
        contentBlockStop@{"contentBlockIndex":1}
        messageStop@{"stopReason":"tool_use"}
        metadata@{"usage":{"inputTokens":3,"outputTokens":5,"totalTokens":8},"metrics":{"latencyMs":1}}"#,
        r#"contentBlockDelta@{"contentBlockIndex":0,"delta":{"text":"TEXT"}}"#,
    ),
];

/// One reply after the other through one pipeline, at every cut: with the codec linked in, and through its table of C functions,
/// as a loaded plugin is called.
fn assert_steady_replies<P: Package>(framing: Framing, name: &str) {
    let plugin = Plugin::from_guest::<P>(Host::silent()).expect("a plugin of our own");
    let (own, loaded) = (P::codec().expect("it has a dialect"), plugin.codec().expect("it has a dialect"));
    let description = loaded.describe().expect("a codec of our own");
    let none = "no options are options";
    assert_steady_codec(framing, name, &description, || Direct::new(own.open("{}").expect(none)));
    assert_steady_codec(framing, name, &description, || loaded.open("{}").expect(none));
}

fn assert_steady_codec<D: Decode>(framing: Framing, name: &str, description: &str, open: impl Fn() -> D) {
    let events = whole_reply(name);
    let whole: Vec<u8> = events.concat();
    let mut cuts = cuts(&events);
    cuts.push(("whole".into(), vec![whole]));
    for (how, pieces) in cuts {
        for with_template in [true, false] {
            let pipeline = Pipeline::new(open(), framing, Limits::default()).with_description(description);
            let mut pipeline = if with_template { pipeline } else { pipeline.without_template() };
            let (mut made, mut kinds) = (0, [0_usize; 64]);
            for _ in 0..4 {
                let before = allocations();
                let mut sink = |batch: &[StreamEvent<'_>]| {
                    batch.iter().for_each(|event| kinds[event.kind() as usize % kinds.len()] += 1);
                };
                pipeline.reset();
                for piece in &pieces {
                    pipeline.feed(piece, &mut sink).expect("a good stream");
                }
                pipeline.finish(&mut sink).expect("a good stream");
                made = allocations() - before;
            }
            assert_eq!(made, 0, "{name}, {how}, template {with_template}");
            assert_eq!(kinds[EVENT_ERROR as usize] + kinds[EVENT_SKIPPED as usize], 0, "{name}, {how}");
            assert!(
                kinds[EVENT_TEXT as usize] >= 4 * 50 && kinds[EVENT_STOP as usize] == 4,
                "{name}, {how}: {kinds:?}"
            );
        }
    }
}

#[test]
fn replies_through_one_pipeline_allocate_nothing_once_one_like_them_has_come() {
    assert_steady_replies::<thalweg_openai::Package>(Framing::Sse, "openai-chat");
    assert_steady_replies::<thalweg_anthropic::Package>(Framing::Sse, "anthropic");
    assert_steady_replies::<thalweg_openai_responses::Package>(Framing::Sse, "openai-responses");
    assert_steady_replies::<thalweg_openai_completions::Package>(Framing::Sse, "openai-completions");
    assert_steady_replies::<thalweg_gemini::Package>(Framing::Sse, "gemini");
    assert_steady_replies::<thalweg_ollama::Package>(Framing::NdJson, "ollama");
    assert_steady_replies::<thalweg_cohere::Package>(Framing::Sse, "cohere-v2");
    assert_steady_replies::<thalweg_cohere_v1::Package>(Framing::NdJson, "cohere-v1");
    assert_steady_replies::<thalweg_bedrock::Package>(Framing::EventStream, "bedrock");
}

#[test]
fn framing_alone_allocates_nothing_once_the_buffers_have_grown() {
    for (name, events) in [("openai-chat", openai()), ("anthropic", anthropic()), ("unusual shapes", odd())] {
        for (how, pieces) in cuts(&events) {
            for mut decoder in [sse::Decoder::new(Limits::default()), sse::Decoder::general_only(Limits::default())] {
                let mut feed = || {
                    decoder.reset();
                    let before = allocations();
                    let mut seen = 0;
                    for piece in &pieces {
                        decoder.feed(piece, |_| seen += 1).expect("within limits");
                    }
                    assert!(seen >= EVENTS, "{name}, {how}: {seen} events");
                    allocations() - before
                };
                feed();
                assert_eq!(feed(), 0, "{name}, {how}");
            }
        }
    }
}

#[test]
fn stream_that_brings_one_event_at_a_time_keeps_less_than_two_kib() {
    fn assert_small<D: Decode>(name: &str, decoder: D, events: &[String]) {
        let before = live_bytes();
        let mut pipeline = Pipeline::new(decoder, Framing::Sse, Limits::default());
        for event in &events[..100] {
            pipeline.feed(event.as_bytes(), &mut |_| ()).expect("a good stream");
        }
        let (heap, own) = (live_bytes() - before, size_of_val(&pipeline));
        println!("{name}: {heap} bytes on the heap, {own} in the pipeline itself");
        assert!(heap + own as i64 <= 2048, "{name}: {heap} + {own} bytes");
    }
    let open = "no options are options";
    assert_small("openai-chat", Direct::new(OpenAiChat.open("{}").expect(open)), &openai());
    assert_small("anthropic", Direct::new(AnthropicMessages.open("{}").expect(open)), &anthropic());
}

/// It gives more events than an idle stream has room for, and a codec behind a table keeps those that are left.
#[test]
fn huge_event_through_a_table_allocates_nothing_once_one_like_it_has_come() {
    let text = "x".repeat(256 << 10);
    let body = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"completion_tokens\":1}}}}\n\n"
    );
    let plugin = Plugin::from_guest::<thalweg_openai::Package>(Host::silent()).expect("a plugin of our own");
    let loaded = plugin.codec().expect("it has a dialect").open("{}").expect("no options are options");
    let mut pipeline = Pipeline::new(loaded, Framing::Sse, Limits::default());
    let mut read = || {
        let (before, mut seen) = (allocations(), 0);
        pipeline.reset();
        let mut sink = |batch: &[StreamEvent<'_>]| seen += batch.iter().map(|event| event.text().len()).sum::<usize>();
        for piece in body.as_bytes().chunks(1 << 10) {
            pipeline.feed(piece, &mut sink).expect("a good stream");
        }
        pipeline.finish(&mut sink).expect("a good stream");
        assert!(seen >= text.len(), "{seen} bytes of text");
        allocations() - before
    };
    read();
    assert_eq!(read(), 0);
}

#[test]
fn memory_of_a_huge_event_is_kept_for_the_next_one_and_given_back_when_none_follows() {
    let huge = [b"data: \"", &vec![b'x'; 8 << 20][..], b"\"\n\n"].concat();
    let before = live_bytes();
    let mut decoder = sse::Decoder::new(Limits::default());
    let feed = |decoder: &mut sse::Decoder| {
        let before = allocations();
        let mut seen = 0;
        for piece in huge.chunks(1 << 10) {
            decoder.feed(piece, |event| seen = event.data.len()).expect("within limits");
        }
        assert_eq!(seen, huge.len() - 8);
        allocations() - before
    };
    feed(&mut decoder);
    assert_eq!(feed(&mut decoder), 0, "the second one finds the room of the first");
    for _ in 0..100 {
        decoder.feed(b"data: small\n\n", |_| ()).expect("within limits");
    }
    assert!(live_bytes() - before < 64 << 10, "{} bytes", live_bytes() - before);
}
