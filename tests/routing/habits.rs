//! The flags of the table of providers, and the habits that the chat codec knows by name: one and the same.

use serde_json::{Value, json};
use thalweg::Codec;
use thalweg::provider::{Provider, Table};
use thalweg_abi::host::{Host, Plugin};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

/// Requests in which every habit shows.
fn requests() -> Vec<Value> {
    let plain = json!({"model": "m", "system": "s", "stream": true, "max_tokens": 9, "top_k": 3, "seed": 7,
        "session": "conversation", "cache": "long", "output": {"type": "json_schema", "schema": {"type": "object"}, "name": "n"}});
    let levels = ["none", "minimal", "low", "medium", "high", "xhigh"];
    let thinking = levels.map(|level| json!({"level": level})).into_iter().chain([json!({"budget_tokens": 100})]);
    let of_level = thinking.map(|thinking| {
        let mut request = plain.clone();
        request["thinking"] = thinking;
        request
    });
    of_level.collect()
}

fn messages() -> Vec<Value> {
    let call = json!({"type": "tool_call", "id": "call_0123456789abcdef", "name": "t", "arguments": "{}"});
    let result = json!({"type": "tool_result", "tool_call_id": "call_0123456789abcdef", "tool_name": "t",
        "content": [{"type": "text", "text": "r"}], "is_error": false});
    vec![
        json!({"role": "user", "content": [{"type": "text", "text": "a", "cache": true}, {"type": "text", "text": "b"}]}),
        json!({"role": "user", "content": [{"type": "document", "url": "https://h.example/a.pdf"}]}),
        json!({"role": "assistant", "content": [{"type": "thinking", "text": "t"}, {"type": "text", "text": "x"}, call]}),
        json!({"role": "assistant", "content": [{"type": "thinking", "text": "t",
            "signature": r#"[{"type":"reasoning.text","signature":"s"}]"#}, {"type": "text", "text": "x"}]}),
        json!({"role": "tool", "content": [result]}),
    ]
}

/// All that a codec writes, and what it makes of thinking in tags.
fn behaviour(codec: &Codec, options: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for request in requests() {
        let mut stream = codec.open(&options.to_string()).expect("known flags");
        let written = stream.encode_request(&request.to_string());
        all.push(written.map_or_else(
            |error| error.to_string(),
            |it| format!("{} {:?} {} {}", it.path, it.headers, it.body_head, it.body_tail),
        ));
        for message in messages() {
            let written = stream.encode_message(&message.to_string());
            all.push(written.map_or_else(|error| error.to_string(), str::to_owned));
        }
    }
    let stream = codec.open(&options.to_string()).expect("known flags");
    let mut pipeline = Pipeline::new(stream, Framing::Sse, Limits::default());
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "<think>a</think>b"}, "finish_reason": "stop"}]});
    let mut sink = |events: &[thalweg_abi::types::StreamEvent<'_>]| {
        all.extend(events.iter().map(|event| format!("{} {}", event.kind(), String::from_utf8_lossy(event.text()))));
    };
    pipeline.feed(format!("data: {chunk}\n\n").as_bytes(), &mut sink).expect("one event");
    pipeline.finish(&mut sink).expect("a whole reply");
    all
}

#[test]
fn the_flags_of_a_row_are_what_the_codec_knows_by_its_name() {
    let plugin = Plugin::start(&thalweg_openai::module(), Host::silent()).expect("started");
    let codec = plugin.codec().expect("a codec");
    let is_chat = |row: &&Provider| row.dialect == "openai-chat";
    let rows = Table::built_in().iter().map(|row| &**row).filter(is_chat);
    let any = |name: &str| name.starts_with("CLOUDFLARE").then(|| "a".to_owned());
    let mut habits = std::collections::BTreeSet::new();
    for row in rows {
        let by_name = json!({"provider": row.id, "base_url": row.base_url(&any).unwrap_or_default()});
        let by_flags = json!({"provider": "somebody", "base_url": "http://127.0.0.1:9/v1", "flags": row.flags});
        let (by_name, by_flags) = (behaviour(&codec, &by_name), behaviour(&codec, &by_flags));
        for (named, flagged) in by_name.iter().zip(&by_flags) {
            assert_eq!(named, flagged, "{}", row.id);
        }
        assert_eq!(by_name.len(), by_flags.len(), "{}", row.id);
        habits.insert(by_flags.join("\n"));
    }
    assert!(habits.len() > 10, "only {} kinds of servers can be told apart", habits.len());
}
