//! What a server writes is what the codec of the same dialect reads, and what a codec writes is what a server reads.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thalweg_abi::guest::{ClientRequest, Codec, CodecStream, Direct, Request, Serve, ServeStream};
use thalweg_abi::host::{Host, Plugin};
use thalweg_abi::types::{
    E_INVALID, E_UNSUPPORTED, EVENT_BLOCK_END, EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT,
    EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS,
    EVENT_TOOL_BEGIN, EVENT_USAGE, EVENT_USAGE_RAW, FAILURE_RATE_LIMIT, FRAME_WHOLE_BODY, STOP_TOOL_USE, StreamEvent,
    USAGE_CACHE_READ, USAGE_INPUT, USAGE_OUTPUT,
};
use thalweg_anthropic::{AnthropicMessages, AnthropicServe};
use thalweg_openai::{OpenAiChat, OpenAiServe};
use thalweg_tests::naive::Dialect;
use thalweg_tests::step::Step;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

use crate::support::{merged, read_with};

/// A server of the dialect that was asked for a reply, if there is one.
fn asked(dialect: Dialect, is_streamed: bool) -> Option<Box<dyn ServeStream>> {
    let mut stream = match dialect {
        Dialect::OpenAiChat => OpenAiServe.open("{}").unwrap(),
        Dialect::Anthropic => AnthropicServe.open("{}").unwrap(),
        _ => return None,
    };
    let body = json!({"model": "", "stream": is_streamed, "stream_options": {"include_usage": true}, "max_tokens": 1,
        "messages": [{"role": "user", "content": "x"}]});
    let request = ClientRequest { body: body.to_string().into(), ..ClientRequest::default() };
    stream.parse(&request, &mut String::new()).unwrap();
    Some(stream)
}

fn event(step: &Step) -> StreamEvent<'_> {
    StreamEvent::new(step.kind)
        .with_sub(step.sub)
        .with_block(step.block)
        .with_num(step.num)
        .with_text(step.text.as_bytes())
        .with_aux(step.aux.as_bytes())
}

fn written(mut stream: Box<dyn ServeStream>, steps: &[Step]) -> String {
    let mut reply = String::new();
    for step in steps {
        stream.encode(&event(step), &mut reply);
    }
    stream.finish(&mut reply);
    reply
}

/// What both sides must agree on: content, order and reasons; counters at the end; without marks of the wire.
fn said(steps: &[Step]) -> (Vec<Step>, BTreeMap<u32, i64>) {
    let mut counters = BTreeMap::new();
    let mut said = Vec::new();
    for mut step in merged(steps.to_vec()) {
        match step.kind {
            EVENT_USAGE => drop(counters.insert(step.block, step.num)),
            EVENT_USAGE_RAW | EVENT_DONE | EVENT_SKIPPED | EVENT_BLOCK_END => {}
            EVENT_THINKING => {
                // The usual field is not named by all.
                if step.aux == "reasoning_content" {
                    step.aux.clear();
                }
                said.push(step);
            }
            // Those that came with the beginning of a text come one by one.
            EVENT_OTHER_CONTENT if step.aux == "citations" => {
                for citation in serde_json::from_str::<Vec<Value>>(&step.text).unwrap() {
                    let delta = json!({"type": "citations_delta", "citation": citation});
                    said.push(Step { text: delta.to_string(), aux: "citations_delta".into(), ..step.clone() });
                }
            }
            // What is said aloud is there as text.
            EVENT_OTHER_CONTENT if step.aux == "audio" => {
                let mut audio: Value = serde_json::from_str(&step.text).unwrap();
                audio.as_object_mut().unwrap().remove("transcript");
                step.text = audio.to_string();
                if step.text != "{}" {
                    said.push(step);
                }
            }
            // The provider's own word is not the dialect's, perhaps.
            EVENT_STOP => {
                step.text.clear();
                said.push(step);
            }
            EVENT_ERROR => {
                step.aux.clear();
                step.num = 0;
                said.push(step);
            }
            EVENT_OTHER_CONTENT => {
                step.text = serde_json::from_str::<Value>(&step.text).unwrap().to_string();
                said.push(step);
            }
            _ => said.push(step),
        }
    }
    counters.retain(|_, count| *count != 0);
    (merged(said), counters)
}

/// The events of a case, written by the server and read by the codec, are the events of the case.
pub(crate) fn goes_round(dialect: Dialect, name: &str, steps: &[Step]) {
    let Some(stream) = asked(dialect, true) else { return };
    let reply = written(stream, steps);
    let mut back = read_with(dialect, [reply.as_bytes()]);
    if !steps.iter().any(|step| step.kind == EVENT_MESSAGE_START) {
        // The dialect has to begin.
        back.retain(|step| step.kind != EVENT_MESSAGE_START);
    }
    assert_eq!(said(&back), said(steps), "{name}: written as\n{reply}");
}

fn reply_with_everything(dialect: Dialect) -> Vec<Step> {
    let step = |kind, block, text: &str, aux: &str| Step {
        kind,
        block,
        text: text.into(),
        aux: aux.into(),
        ..Step::default()
    };
    let counter = |block, num| Step { kind: EVENT_USAGE, block, num, ..Step::default() };
    let (field, signature) = match dialect {
        Dialect::OpenAiChat => ("reasoning_content", r#"[{"signature":"s","type":"reasoning.text"}]"#),
        _ => ("", "c2ln"),
    };
    vec![
        step(EVENT_MESSAGE_START, 0, "m-1", "id-1"),
        step(EVENT_THINKING, 0, "hm, \"1\"\n", field),
        step(EVENT_THINKING_SIGNATURE, 0, signature, ""),
        step(EVENT_TEXT, 1, "Grüße \u{1f600}", ""),
        step(EVENT_TOOL_BEGIN, 2, "add", "call_1"),
        step(EVENT_TOOL_ARGUMENTS, 2, r#"{"a":1}"#, ""),
        step(EVENT_TOOL_BEGIN, 3, "sub", "call_2"),
        step(EVENT_TOOL_ARGUMENTS, 3, r#"{"b":"x"}"#, ""),
        counter(USAGE_INPUT, 12),
        counter(USAGE_OUTPUT, 7),
        counter(USAGE_CACHE_READ, 3),
        Step { kind: EVENT_STOP, num: STOP_TOOL_USE, ..Step::default() },
    ]
}

#[test]
fn a_reply_that_is_not_streamed_is_one_body_that_says_the_same() {
    for dialect in [Dialect::OpenAiChat, Dialect::Anthropic] {
        let mut steps = reply_with_everything(dialect);
        goes_round(dialect, "streamed", &steps);
        if dialect == Dialect::OpenAiChat {
            // Which thinking it signs cannot be told from a whole message.
            steps.retain(|step| step.kind != EVENT_THINKING_SIGNATURE);
        }
        let body = written(asked(dialect, false).unwrap(), &steps);
        let mut back = Vec::new();
        let mut sink = |events: &[StreamEvent<'_>]| back.extend(events.iter().map(Step::of));
        match dialect {
            Dialect::OpenAiChat => whole(&OpenAiChat, &body, &mut sink),
            _ => whole(&AnthropicMessages, &body, &mut sink),
        }
        assert_eq!(by_block(&back), by_block(&steps), "{dialect:?}: {body}");
    }
}

/// What is said, block by block: a whole body has no other order.
fn by_block(steps: &[Step]) -> (Vec<Step>, BTreeMap<u32, i64>) {
    let (mut steps, counters) = said(steps);
    steps.sort_by_key(|step| (step.kind != EVENT_MESSAGE_START, step.kind == EVENT_STOP, step.block));
    (steps, counters)
}

fn whole(codec: &impl Codec, body: &str, sink: &mut dyn FnMut(&[StreamEvent<'_>])) {
    let mut pipeline = Pipeline::new(Direct::new(codec.open("").unwrap()), Framing::Sse, Limits::default());
    pipeline.whole_body(body.as_bytes(), FRAME_WHOLE_BODY, 0, sink).unwrap();
}

#[test]
fn a_failure_before_the_reply_is_an_error_body() {
    let failure = Step { kind: EVENT_ERROR, num: FAILURE_RATE_LIMIT, text: "too much".into(), ..Step::default() };
    for (dialect, pointer) in [(Dialect::OpenAiChat, "/error/message"), (Dialect::Anthropic, "/error/message")] {
        let body = written(asked(dialect, false).unwrap(), std::slice::from_ref(&failure));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body.pointer(pointer), Some(&json!("too much")), "{dialect:?}");
        assert_eq!(body["error"]["type"], "rate_limit_error", "{dialect:?}");
    }
}

/// A canonical request with its messages, as the codec writes it.
fn sent(codec: &impl Codec, options: &str, canonical: &Value) -> String {
    let mut stream = codec.open(options).unwrap();
    let mut envelope = canonical.as_object().unwrap().clone();
    let messages = envelope.remove("messages").unwrap();
    let mut list = Vec::new();
    for message in messages.as_array().unwrap() {
        let mut out = String::new();
        stream.encode_message(&message.to_string(), &mut out).unwrap();
        list.push(out);
    }
    let mut request = Request::default();
    stream.encode_request(&Value::from(envelope).to_string(), &mut request).unwrap();
    format!("{}{}{}", request.body_head, list.join(","), request.body_tail)
}

fn parsed(serve: &dyn Serve, body: &str) -> Value {
    let mut canonical = String::new();
    let request = ClientRequest { body: body.into(), ..ClientRequest::default() };
    serve.open("{}").unwrap().parse(&request, &mut canonical).unwrap();
    serde_json::from_str(&canonical).unwrap()
}

/// What both dialects can say, and what only one of them can.
fn conversations() -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let text = |text: &str| json!({"type": "text", "text": text});
    let user = |parts: Value| json!({"role": "user", "content": parts});
    let call =
        |id: &str, name: &str| json!({"type": "tool_call", "id": id, "name": name, "arguments": r#"{"a":"\"é"}"#});
    let result = |id: &str, name: &str, parts: Value| json!({"type": "tool_result", "tool_call_id": id, "tool_name": name, "content": parts, "is_error": false});
    let tools = json!([{"name": "add", "description": "d", "parameters": {"type": "object"}},
        {"name": "sub", "description": "", "parameters": {"type": "object"}, "strict": true}]);
    let image = json!({"type": "image", "media_type": "image/png", "data": "AA=="});
    let link = json!({"type": "image", "url": "https://h.example/a"});
    let document = json!({"type": "document", "media_type": "application/pdf", "data": "AA==", "name": "a.pdf"});
    let plain =
        json!({"model": "m", "stream": true, "max_tokens": 9, "messages": [user(json!([text("hi \"there\"\n")]))]});
    let long = json!({"model": "m", "stream": false, "max_tokens": 4000, "system": "Be brief.\nReally.", "tools": tools,
    "tool_choice": "required", "temperature": 0.5, "top_p": 0.9, "stop": ["x", "y"], "extra": {"metadata": {"a": 1}},
    "messages": [
        user(json!([text("look"), image, link, document])),
        {"role": "assistant", "content": [text("One moment."), call("c1", "add"), call("c2", "sub")]},
        {"role": "tool", "content": [result("c1", "add", json!([text("4")])), result("c2", "sub", json!([text("5\n6")]))]},
        {"role": "assistant", "content": [text("4 and 5.")]},
        user(json!([text("more")])),
    ]});
    let chosen = json!({"model": "m", "stream": true, "max_tokens": 9, "tools": tools, "tool_choice": {"name": "add"},
        "messages": [user(json!([text("x")]))]});
    let openai = vec![
        json!({"model": "m", "stream": true, "parallel_tools": false, "seed": 3, "frequency_penalty": 0.1,
            "presence_penalty": 0.2, "thinking": {"level": "low"}, "session": "s", "cache": "long",
            "output": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true},
            "messages": [user(json!([{"type": "audio", "media_type": "audio/mpeg", "data": "AA=="}]))]}),
        json!({"model": "m", "stream": false, "output": {"type": "json"}, "tool_choice": "none",
            "messages": [user(json!([text("x")])), {"role": "assistant", "content": [{"type": "refusal", "text": "no"}]}]}),
    ];
    let failed =
        json!({"type": "tool_result", "tool_call_id": "c1", "tool_name": "add", "content": [], "is_error": true});
    let anthropic = vec![
        json!({"model": "m", "stream": true, "max_tokens": 9000, "parallel_tools": false, "cache": "long",
        "system": "s", "thinking": {"budget_tokens": 2000},
        "output": {"type": "json_schema", "schema": {"type": "object"}},
        "messages": [
            user(json!([{"type": "text", "text": "x", "cache": true}, {"type": "document", "url": "https://h.example/a"}])),
            {"role": "assistant", "content": [{"type": "thinking", "text": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "d"}, call("c1", "add")]},
            {"role": "tool", "content": [failed]},
        ]}),
        json!({"model": "claude-opus-4-7", "stream": true, "max_tokens": 9, "thinking": {"level": "high"}, "cache": "short", "top_p": 0.5,
            "messages": [user(json!([text("x")]))]}),
    ];
    (vec![plain, long, chosen], openai, anthropic)
}

#[test]
fn what_a_codec_writes_is_what_a_server_reads() {
    let (both, openai, anthropic) = conversations();
    for canonical in both.iter().chain(&openai) {
        let body = sent(&OpenAiChat, r#"{"provider":"openai"}"#, canonical);
        assert_eq!(parsed(&OpenAiServe, &body), *canonical, "{body}");
    }
    for canonical in both.iter().chain(&anthropic) {
        let body = sent(&AnthropicMessages, "", canonical);
        assert_eq!(parsed(&AnthropicServe, &body), *canonical, "{body}");
    }
}

#[test]
fn requests_of_other_writers_are_read_too() {
    let openai = json!({"model": "m", "max_tokens": 5, "max_completion_tokens": 6, "stop": "x", "temperature": null,
        "user": "u", "n": 2, "response_format": {"type": "text"},
        "tools": [{"type": "function", "function": {"name": "t"}}],
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}]}, {"role": "developer", "content": "b"},
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://x/y"}]},
            {"role": "assistant", "content": null, "reasoning": "hm", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "t", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r"}]},
            {"role": "tool", "tool_call_id": "?", "content": ""}]});
    let expected = json!({"model": "m", "stream": false, "system": "a\n\nb", "max_tokens": 6, "stop": ["x"],
        "extra": {"user": "u", "n": 2}, "tools": [{"name": "t", "parameters": {"type": "object", "properties": {}}}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "url": "https://x/y"}]},
            {"role": "assistant", "content": [{"type": "thinking", "text": "hm"},
                {"type": "tool_call", "id": "c", "name": "t", "arguments": ""}]},
            {"role": "tool", "content": [
                {"type": "tool_result", "tool_call_id": "c", "tool_name": "t", "content": [{"type": "text", "text": "r"}], "is_error": false},
                {"type": "tool_result", "tool_call_id": "?", "tool_name": "", "content": [{"type": "text", "text": ""}], "is_error": false}]}]});
    assert_eq!(parsed(&OpenAiServe, &openai.to_string()), expected);
    let anthropic = json!({"model": "m", "max_tokens": 5, "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "auto"}, "thinking": {"type": "disabled"}, "metadata": {"user_id": "u"},
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "t", "input": {}}]},
            {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "tool_result", "tool_use_id": "c", "content": "r"}]}]});
    let expected = json!({"model": "m", "stream": false, "max_tokens": 5, "system": "a", "cache": "short", "tool_choice": "auto",
        "thinking": {"level": "none"}, "extra": {"metadata": {"user_id": "u"}},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "t", "arguments": "{}"}]},
            {"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "c", "tool_name": "t",
                "content": [{"type": "text", "text": "r"}], "is_error": false}]},
            {"role": "user", "content": [{"type": "text", "text": "and"}]}]});
    assert_eq!(parsed(&AnthropicServe, &anthropic.to_string()), expected);
}

#[test]
fn what_is_no_request_is_refused_with_a_word_for_the_client() {
    let serves: [&dyn Serve; 2] = [&OpenAiServe, &AnthropicServe];
    let message = |message: Value| json!({"model": "m", "max_tokens": 1, "messages": [message]}).to_string();
    for (body, code, word) in [
        (String::new(), E_INVALID, "no JSON object"),
        ("[]".into(), E_INVALID, "no JSON object"),
        ("{}".into(), E_INVALID, "`model` is missing"),
        (r#"{"model":"m"}"#.into(), E_INVALID, "`messages` is missing"),
        (message(json!(1)), E_INVALID, "message 0: "),
        (message(json!({"role": "wizard", "content": "x"})), E_INVALID, "message 0: "),
        (message(json!({"role": "user", "content": 5})), E_INVALID, "neither text nor a list"),
        (message(json!({"role": "user", "content": [{"type": "smell"}]})), E_UNSUPPORTED, "a part is smell"),
        (r#"{"model":"m","messages":[],"tools":[{"type":"retrieval"}]}"#.into(), E_UNSUPPORTED, "a tool is retrieval"),
        (r#"{"model":"m","messages":[],"tool_choice":{}}"#.into(), E_INVALID, "`tool_choice` is neither"),
    ] {
        for serve in serves {
            let request = ClientRequest { body: body.as_str().into(), ..ClientRequest::default() };
            let failure = serve.open("").unwrap().parse(&request, &mut String::new()).unwrap_err();
            assert_eq!(failure.code, code, "{body}: {failure}");
            assert!(failure.message.contains(word), "{body}: {failure}");
        }
    }
}

#[test]
fn over_the_table_it_is_the_same() {
    let plugins = [
        Plugin::start(&thalweg_openai::module(), Host::silent()),
        Plugin::start(&thalweg_anthropic::module(), Host::silent()),
    ];
    for (plugin, dialect) in plugins.into_iter().zip([Dialect::OpenAiChat, Dialect::Anthropic]) {
        let serve = plugin.unwrap().serve().unwrap();
        let description: Value = serde_json::from_str(&serve.describe().unwrap()).unwrap();
        assert_eq!((&description["framing"], description["dialect"].is_string()), (&json!("sse"), true));
        let steps = reply_with_everything(dialect);
        let direct = written(asked(dialect, true).unwrap(), &steps);
        let mut stream = serve.open("{}").unwrap();
        let body = r#"{"model":"","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}"#;
        let (body_head, body_tail) = body.split_at(20);
        let request =
            thalweg_abi::host::Request { method: "POST", path: "/", headers: Vec::new(), body_head, body_tail };
        let canonical: Value = serde_json::from_str(stream.parse(&request).unwrap()).unwrap();
        assert_eq!(canonical["stream"], true);
        let events: Vec<StreamEvent<'_>> = steps.iter().map(event).collect();
        let mut reply = stream.encode(&events).unwrap().to_owned();
        reply.push_str(stream.finish().unwrap());
        assert_eq!(reply, direct);
    }
}
