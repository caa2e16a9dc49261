//! Bodies that are no stream: errors, and replies that came at once.

use thalweg_abi::guest::{Codec, CodecStream, Direct};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY};
use thalweg_anthropic::AnthropicMessages;
use thalweg_bedrock::Bedrock;
use thalweg_cohere::Cohere;
use thalweg_cohere_v1::CohereV1;
use thalweg_gemini::Gemini;
use thalweg_ollama::Ollama;
use thalweg_openai::OpenAiChat;
use thalweg_openai_completions::OpenAiCompletions;
use thalweg_openai_responses::OpenAiResponses;
use thalweg_tests::show::show;
use thalweg_tests::step::Step;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

use crate::support::merged;

fn read(stream: impl CodecStream, body: &[u8], kind: u32, status: u32) -> Vec<String> {
    let mut pipeline = Pipeline::new(Direct::new(stream), Framing::Sse, Limits::default());
    let mut events = Vec::new();
    let mut sink = |batch: &[thalweg_abi::types::StreamEvent<'_>]| events.extend(batch.iter().map(Step::of));
    pipeline.whole_body(body, kind, status, &mut sink).unwrap();
    pipeline.finish(&mut sink).unwrap();
    merged(events).iter().map(show).collect()
}

fn openai(body: &[u8], kind: u32, status: u32) -> Vec<String> {
    read(OpenAiChat.open("").unwrap(), body, kind, status)
}

fn anthropic(body: &[u8], kind: u32, status: u32) -> Vec<String> {
    read(AnthropicMessages.open("").unwrap(), body, kind, status)
}

#[test]
fn error_body_of_any_form_is_one_error() {
    let cases: &[(&[u8], u32, &str)] = &[
        (
            br#"{"error":{"message":"No key","type":"x","code":null}}"#,
            401,
            r#"error auth "No key" ({"message":"No key","type":"x","code":null})"#,
        ),
        (br#"{"error":"slow down"}"#, 429, r#"error rate_limit "slow down" ("slow down")"#),
        (br#"{"message":"gone"}"#, 404, r#"error invalid_request "gone" ({"message":"gone"})"#),
        (
            br#"{"type":"error","error":{"type":"api_error","message":"oops"}}"#,
            500,
            r#"error server "oops" ({"type":"api_error","message":"oops"})"#,
        ),
        (b"upstream connect error\nmore", 503, r#"error overloaded "upstream connect error""#),
        (b"<html><head><title>502 Bad Gateway</title></head></html>", 502, r#"error server "502 Bad Gateway""#),
        (b"", 500, r#"error server """#),
        (b"caf\xff", 400, "error invalid_request \"caf\u{fffd}\""),
    ];
    for (body, status, expected) in cases {
        assert_eq!(openai(body, FRAME_ERROR_BODY, *status), [*expected]);
        assert_eq!(anthropic(body, FRAME_ERROR_BODY, *status), [*expected]);
    }
}

#[test]
fn whole_chat_completion_gives_the_events_of_a_stream() {
    let body = br#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",
        "content":"Hi","reasoning_content":"hm","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},
        "finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":"Ho"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1}}"#;
    assert_eq!(
        openai(body, FRAME_WHOLE_BODY, 0),
        [
            r#"start "m" (c)"#,
            r#"thinking 0.0 "hm" (reasoning_content)"#,
            r#"text 0.1 "Hi""#,
            r#"call 0.2 "f" (t)"#,
            r#"arguments 0.2 "{}""#,
            r#"stop 0 tools "tool_calls""#,
            r#"text 1.0 "Ho""#,
            r#"stop 1 end "stop""#,
            r#"usage {"prompt_tokens":1}"#,
            "count input 1",
            "done",
        ]
    );
    assert_eq!(openai(br#"{"error":"no"}"#, FRAME_WHOLE_BODY, 0), [r#"error other "no" ("no")"#]);
    assert!(openai(b"<html>", FRAME_WHOLE_BODY, 0)[0].starts_with("error malformed"));
}

#[test]
fn whole_message_gives_the_events_of_a_stream() {
    let body =
        br#"{"id":"i","type":"message","role":"assistant","model":"c","content":[{"type":"thinking","thinking":"hm",
        "signature":"s"},{"type":"text","text":"Hi"},{"type":"tool_use","id":"t","name":"f","input":{"x":1}},
        {"type":"tool_use","id":"u","name":"g","input":{}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    assert_eq!(
        anthropic(body, FRAME_WHOLE_BODY, 0),
        [
            r#"start "c" (i)"#,
            r#"usage {"input_tokens":1,"output_tokens":2}"#,
            "count input 1",
            "count output 2",
            r#"thinking 0.0 "hm""#,
            r#"signature 0.0 "s""#,
            r#"text 0.1 "Hi""#,
            r#"call 0.2 "f" (t)"#,
            r#"call 0.3 "g" (u)"#,
            r#"arguments 0.2 "{\"x\":1}""#,
            r#"arguments 0.3 "{}""#,
            r#"stop 0 tools "tool_use""#,
            "end 0.0",
            "end 0.1",
            "end 0.2",
            "end 0.3",
            "done",
        ]
    );
    let error = br#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    assert_eq!(
        anthropic(error, FRAME_WHOLE_BODY, 0),
        [r#"error overloaded "m" ({"type":"overloaded_error","message":"m"})"#]
    );
    assert_eq!(anthropic(b"[]", FRAME_WHOLE_BODY, 0), ["skipped"]);
    assert!(anthropic(b"{", FRAME_WHOLE_BODY, 0)[0].starts_with("error malformed"));
}

#[test]
fn whole_response_gives_the_events_of_a_stream() {
    let responses = |body: &[u8]| read(OpenAiResponses.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"id":"r","object":"response","status":"completed","model":"m","error":null,"incomplete_details":null,"output":[
        {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
        {"type":"message","content":[{"type":"output_text","text":"Hi"}]},{"type":"web_search_call","id":"w"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":1}}"#;
    assert_eq!(
        responses(body),
        [
            r#"start "m" (r)"#,
            r#"thinking 0.0 "hm""#,
            r#"signature 0.0 "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]}""#,
            "end 0.0",
            r#"text 0.1 "Hi""#,
            "end 0.1",
            r#"other 0.2 {"type":"web_search_call","id":"w"} (web_search_call)"#,
            r#"call 0.3 "f" (c)"#,
            r#"arguments 0.3 "{}""#,
            "end 0.3",
            r#"stop 0 tools "completed""#,
            r#"usage {"input_tokens":1}"#,
            "count input 1",
            "done",
        ]
    );
    assert_eq!(
        responses(br#"{"error":{"code":"rate_limit_exceeded","message":"m"}}"#)[0].split(' ').nth(1),
        Some("rate_limit")
    );
    assert_eq!(responses(b"{}"), ["skipped"]);
    assert!(responses(b"{")[0].starts_with("error malformed"));
}

#[test]
fn whole_gemini_reply_gives_the_events_of_a_stream() {
    let gemini = |body: &[u8]| read(Gemini.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Hi"},
        {"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"s"}],"role":"model"},"finishReason":"STOP"}],
        "usageMetadata":{"promptTokenCount":1},"modelVersion":"m","responseId":"r"}"#;
    let events = [
        r#"start "m" (r)"#,
        r#"thinking 0.0 "hm""#,
        r#"text 0.1 "Hi""#,
        r#"signature 0.2 "s""#,
        r#"call 0.3 "f""#,
        r#"arguments 0.3 "{\"x\":1}""#,
        "end 0.3",
        r#"stop 0 tools "STOP""#,
        r#"usage {"promptTokenCount":1}"#,
        "count input 1",
        "done",
    ];
    assert_eq!(gemini(body), events);
    // What the provider sends when it is not asked for server-sent events: a list of payloads.
    assert_eq!(gemini(&[b"[", body.as_slice(), b"]"].concat()), events);
    let error = r#"error overloaded "busy" ({"code":503,"message":"busy","status":"UNAVAILABLE"})"#;
    assert_eq!(gemini(br#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#), [error]);
    assert_eq!(gemini(br#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#), [error]);
    assert_eq!(gemini(b"7"), ["skipped"]);
    assert!(gemini(b"{")[0].starts_with("error malformed"));
}

#[test]
fn whole_completion_gives_the_events_of_a_stream() {
    let completions = |body: &[u8]| read(OpenAiCompletions.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"id":"c","object":"text_completion","model":"m","choices":[{"text":"Hi","index":0,"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1}}"#;
    assert_eq!(
        completions(body),
        [
            r#"start "m" (c)"#,
            r#"text 0.0 "Hi""#,
            r#"stop 0 end "stop""#,
            r#"usage {"prompt_tokens":1}"#,
            "count input 1",
            "done",
        ]
    );
    assert_eq!(completions(br#"{"error":"no"}"#), [r#"error other "no" ("no")"#]);
}

#[test]
fn a_stream_that_was_reset_forgets_the_reply() {
    let mut pipeline = Pipeline::new(Direct::new(OpenAiChat.open("").unwrap()), Framing::Sse, Limits::default());
    for _ in 0..2 {
        pipeline.reset();
        let mut events = Vec::new();
        let body = b"data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
        pipeline.feed(body, &mut |batch| events.extend(batch.iter().map(Step::of))).unwrap();
        assert_eq!(merged(events).iter().map(show).collect::<Vec<_>>(), [r#"start "" (a)"#, r#"text 0.0 "x""#]);
    }
}

#[test]
fn whole_replies_of_ollama_and_cohere_give_the_events_of_a_stream() {
    let ollama = |body: &[u8]| read(Ollama.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"model":"m","message":{"role":"assistant","content":"Hi","thinking":"hm"},"done":true,
        "done_reason":"stop","eval_count":2}"#;
    assert_eq!(
        ollama(body),
        [
            r#"start "m""#,
            r#"thinking 0.0 "hm""#,
            r#"text 0.1 "Hi""#,
            r#"usage {"eval_count":2}"#,
            "count output 2",
            r#"stop 0 end "stop""#,
            "done",
        ]
    );
    assert_eq!(ollama(br#"{"error":"no"}"#), [r#"error other "no" ("no")"#]);
    let cohere = |body: &[u8]| read(Cohere.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"id":"r","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},
        {"type":"text","text":"Hi"}],"tool_plan":"I will","tool_calls":[{"id":"t","type":"function",
        "function":{"name":"f","arguments":"{}"}}],"citations":[{"start":0},{"start":1}]},"finish_reason":"TOOL_CALL",
        "usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}"#;
    assert_eq!(
        cohere(body),
        [
            r#"start "" (r)"#,
            r#"thinking 0.0 "hm""#,
            "end 0.0",
            r#"text 0.1 "Hi""#,
            "end 0.1",
            r#"other 0.0 "I will" (tool_plan)"#,
            r#"call 0.2 "f" (t)"#,
            r#"arguments 0.2 "{}""#,
            "end 0.2",
            r#"other 0.0 {"start":0} (citations)"#,
            r#"other 0.0 {"start":1} (citations)"#,
            r#"stop 0 tools "TOOL_CALL""#,
            r#"usage {"tokens":{"input_tokens":1,"output_tokens":2}}"#,
            "count input 1",
            "count output 2",
            "done",
        ]
    );
    assert_eq!(cohere(br#"{"message":"no api key"}"#), [r#"error auth "no api key" ({"message":"no api key"})"#]);
    assert_eq!(cohere(b"[]"), ["skipped"]);
    let first = |body: &[u8]| read(CohereV1.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"response_id":"x","generation_id":"g","text":"Hi","finish_reason":"COMPLETE","tool_calls":null,
        "meta":{"tokens":{"input_tokens":1,"output_tokens":2}}}"#;
    assert_eq!(
        first(body),
        [
            r#"start "" (g)"#,
            r#"text 0.0 "Hi""#,
            r#"stop 0 end "COMPLETE""#,
            r#"usage {"tokens":{"input_tokens":1,"output_tokens":2}}"#,
            "count input 1",
            "count output 2",
            "done",
        ]
    );
    assert!(first(b"<html>")[0].starts_with("error malformed"));
}

#[test]
fn whole_replies_of_bedrock_give_the_events_of_a_stream() {
    let bedrock = |body: &[u8]| read(Bedrock.open("").unwrap(), body, FRAME_WHOLE_BODY, 0);
    let body = br#"{"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"zz"}},
        {"text":"Hi"},{"toolUse":{"toolUseId":"t","name":"f","input":{"x":1}}},{"toolUse":{"toolUseId":"u","name":"g","input":{}}},
        {"citationsContent":{"a":1}}]}},"stopReason":"tool_use","metrics":{"latencyMs":1},
        "usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;
    assert_eq!(
        bedrock(body),
        [
            r#"start """#,
            r#"thinking 0.0 "hm""#,
            r#"signature 0.0 "s""#,
            "end 0.0",
            r#"redacted 0.1 "zz""#,
            "end 0.1",
            r#"text 0.2 "Hi""#,
            "end 0.2",
            r#"call 0.3 "f" (t)"#,
            r#"arguments 0.3 "{\"x\":1}""#,
            "end 0.3",
            r#"call 0.4 "g" (u)"#,
            r#"arguments 0.4 "{}""#,
            "end 0.4",
            r#"other 0.5 {"a":1} (citationsContent)"#,
            "end 0.5",
            r#"stop 0 tools "tool_use""#,
            r#"usage {"inputTokens":1,"outputTokens":2,"totalTokens":3}"#,
            "count input 1",
            "count output 2",
            "count total 3",
            "done",
        ]
    );
    let claude =
        br#"{"id":"i","type":"message","model":"c","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#;
    assert_eq!(
        bedrock(claude),
        [r#"start "c" (i)"#, r#"text 0.0 "Hi""#, r#"stop 0 end "end_turn""#, "end 0.0", "done"]
    );
    let llama = br#"{"generation":"Hi","prompt_token_count":1,"stop_reason":"length"}"#;
    assert_eq!(bedrock(llama), [r#"start """#, r#"text 0.0 "Hi""#, r#"stop 0 length """#]);
    assert_eq!(bedrock(br#"{"message":"m"}"#), [r#"error other "m" ({"message":"m"})"#]);
    let error = read(Bedrock.open("").unwrap(), br#"{"message":"Too many tokens"}"#, FRAME_ERROR_BODY, 429);
    assert_eq!(error, [r#"error rate_limit "Too many tokens" ({"message":"Too many tokens"})"#]);
}
