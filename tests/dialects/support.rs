//! Reads the payloads of a case with the product and its twin.

use serde_json::Value;
use thalweg_abi::guest::{Codec, Direct};
use thalweg_abi::types::EVENT_ERROR;
use thalweg_anthropic::AnthropicMessages;
use thalweg_bedrock::Bedrock;
use thalweg_cohere::Cohere;
use thalweg_cohere_v1::CohereV1;
use thalweg_gemini::Gemini;
use thalweg_ollama::Ollama;
use thalweg_openai::OpenAiChat;
use thalweg_openai_completions::OpenAiCompletions;
use thalweg_openai_responses::OpenAiResponses;
use thalweg_tests::naive::{Dialect, body, steps_of_body};
use thalweg_tests::show::show;
use thalweg_tests::step::{Step, is_delta, joined};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

use crate::serve;

/// What a case says of itself, its payloads, and the events they give. `event:NAME ` in front of a payload is the name of
/// its SSE event.
pub(crate) type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);

/// Checks all cases; `"start"` and so on as [`show`] writes it. The texts of adjacent deltas are joined.
pub(crate) fn check(dialect: Dialect, cases: &[Case<'_>]) {
    for (name, payloads, expected) in cases {
        let (got, twin) = (product(dialect, payloads), twin(dialect, payloads));
        let lines: Vec<String> = got.iter().map(show).collect();
        assert_eq!(lines, *expected, "{name}");
        assert_eq!(joined(got.clone()), twin, "{name}: the twin");
        serve::goes_round(dialect, name, &got);
    }
}

fn body_of(dialect: Dialect, payloads: &[&str]) -> Vec<u8> {
    let records: Vec<_> = payloads.iter().map(|payload| named(payload)).collect();
    body(dialect.framing(), &records)
}

fn named(payload: &str) -> (&str, &str) {
    payload.strip_prefix("event:").and_then(|named| named.split_once(' ')).unwrap_or(("", payload))
}

/// The events of the product, whole and byte by byte, adjacent deltas joined and empty ones left out.
pub(crate) fn product(dialect: Dialect, payloads: &[&str]) -> Vec<Step> {
    let body = body_of(dialect, payloads);
    let whole = read_with(dialect, [body.as_slice()]);
    assert_eq!(read_with(dialect, body.chunks(1)), whole, "byte by byte");
    whole
}

pub(crate) fn read_with<'c>(dialect: Dialect, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Step> {
    match dialect {
        Dialect::OpenAiChat => read(&OpenAiChat, chunks),
        Dialect::Anthropic => read(&AnthropicMessages, chunks),
        Dialect::Gemini => read(&Gemini, chunks),
        Dialect::OpenAiCompletions => read(&OpenAiCompletions, chunks),
        Dialect::OpenAiResponses => read(&OpenAiResponses, chunks),
        Dialect::Bedrock => read(&Bedrock, chunks),
        Dialect::CohereV2 => read(&Cohere, chunks),
        Dialect::CohereV1 => read(&CohereV1, chunks),
        Dialect::Ollama => read(&Ollama, chunks),
    }
}

fn read<'c>(codec: &impl Codec, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Step> {
    let description: Value = serde_json::from_str(codec.describe()).unwrap();
    let framing = Framing::from_name(description["framing"].as_str().unwrap()).unwrap();
    let pipeline = Pipeline::new(Direct::new(codec.open("").unwrap()), framing, Limits::default());
    let mut pipeline = pipeline.with_description(codec.describe());
    let mut events = Vec::new();
    let mut sink = |batch: &[thalweg_abi::types::StreamEvent<'_>]| events.extend(batch.iter().map(Step::of));
    for chunk in chunks {
        pipeline.feed(chunk, &mut sink).unwrap();
    }
    pipeline.finish(&mut sink).unwrap();
    merged(events)
}

/// Joins like [`joined`], and keeps the words of errors.
pub(crate) fn merged(events: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    for event in events {
        match merged.last_mut() {
            _ if is_delta(event.kind) && event.text.is_empty() => {}
            Some(last) if is_delta(event.kind) && Step { text: event.text.clone(), ..last.clone() } == event => {
                last.text.push_str(&event.text);
            }
            _ => merged.push(event),
        }
    }
    merged
}

fn twin(dialect: Dialect, payloads: &[&str]) -> Vec<Step> {
    steps_of_body(dialect, &body_of(dialect, payloads))
}

/// Whether all that came is one error of the kind "malformed".
pub(crate) fn is_malformed(dialect: Dialect, payload: &str) -> bool {
    let got = product(dialect, &[payload]);
    assert_eq!(joined(got.clone()), twin(dialect, &[payload]), "{payload}: the twin");
    matches!(got.as_slice(), [only] if only.kind == EVENT_ERROR && show(only).starts_with("error malformed"))
}
