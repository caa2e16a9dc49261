//! Every recorded stream of every dialect gives the recorded facts, and the same events wherever it is cut.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use thalweg_abi::guest::{Codec, Direct};
use thalweg_anthropic::AnthropicMessages;
use thalweg_bedrock::Bedrock;
use thalweg_cohere::Cohere;
use thalweg_cohere_v1::CohereV1;
use thalweg_gemini::Gemini;
use thalweg_ollama::Ollama;
use thalweg_openai::OpenAiChat;
use thalweg_openai_completions::OpenAiCompletions;
use thalweg_openai_responses::OpenAiResponses;
use thalweg_tests::corpus::{self, Recording};
use thalweg_tests::facts::{choice, facts};
use thalweg_tests::naive::{Dialect, steps_of_body};
use thalweg_tests::step::{Matcher, Step};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline, Sink};

/// Recordings whose facts differ, with the fact and the reason. The events are compared all the same.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "gemini-vertexai-sdk-test-data-streaming-success-no-content-parts.sse",
        "usage",
        "the last event has no end; the facts of what it changes leave the provider's own usage out",
    ),
    (
        "gemini-vertexai-sdk-test-data-streaming-failure-error-mid-stream.sse",
        "errors",
        "the error stands as bare JSON between the events; the facts are those of a parser that drops such lines",
    ),
];

/// Bodies below this length are cut at every byte.
const CUT_EVERYWHERE_BELOW: usize = 20_000;

#[test]
fn every_openai_chat_recording_gives_its_facts_at_every_cut() {
    check_all(&OpenAiChat);
}

#[test]
fn every_anthropic_recording_gives_its_facts_at_every_cut() {
    check_all(&AnthropicMessages);
}

#[test]
fn every_gemini_recording_gives_its_facts_at_every_cut() {
    check_all(&Gemini);
}

#[test]
fn every_openai_completions_recording_gives_its_facts_at_every_cut() {
    check_all(&OpenAiCompletions);
}

#[test]
fn every_openai_responses_recording_gives_its_facts_at_every_cut() {
    check_all(&OpenAiResponses);
}

#[test]
fn every_ollama_recording_gives_its_facts_at_every_cut() {
    check_all(&Ollama);
}

#[test]
fn every_bedrock_recording_gives_its_facts_at_every_cut() {
    check_all(&Bedrock);
}

#[test]
fn every_cohere_v2_recording_gives_its_facts_at_every_cut() {
    check_all(&Cohere);
}

#[test]
fn every_cohere_v1_recording_gives_its_facts_at_every_cut() {
    check_all(&CohereV1);
}

fn check_all<C: Codec>(codec: &C) {
    let Some(folder) = corpus::folder() else { return };
    let description: Value = serde_json::from_str(codec.describe()).expect("a description is JSON");
    let protocol = description["dialect"].as_str().expect("a description names the dialect");
    let framing = description["framing"].as_str().and_then(Framing::from_name).expect("the engine has the framing");
    let dialect = Dialect::from_name(protocol).expect("every dialect has a twin");
    let recordings = corpus::recordings(&folder, protocol);
    assert!(!recordings.is_empty(), "the corpus has recordings of {protocol}");
    let open = || codec.open("{}").expect("no options are options");
    let next = AtomicUsize::new(0);
    let cuts = AtomicUsize::new(0);
    let work = || {
        let pipeline = Pipeline::new(Direct::new(open()), framing, Limits::default());
        let mut pipeline = pipeline.with_description(codec.describe());
        let mut problems = Vec::new();
        while let Some(recording) = recordings.get(next.fetch_add(1, Ordering::Relaxed)) {
            check_facts(recording, &mut pipeline, &mut problems);
            cuts.fetch_add(check_cuts(recording, dialect, &mut pipeline, &mut problems), Ordering::Relaxed);
        }
        problems
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let problems: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
    });
    let (count, cuts) = (recordings.len(), cuts.into_inner());
    corpus::report(&format!("{count} of {protocol}, {cuts} times with all cuts"));
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

type Product<S> = Pipeline<Direct<S>>;

/// Reads `chunks` as one body.
fn read<'c, S: thalweg_abi::guest::CodecStream>(
    pipeline: &mut Product<S>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
    sink: &mut Sink<'_>,
) {
    pipeline.reset();
    for chunk in chunks {
        pipeline.feed(chunk, sink).expect("a recording keeps to the limits");
    }
    pipeline.finish(sink).expect("the codec is not broken");
}

fn check_facts<S: thalweg_abi::guest::CodecStream>(
    recording: &Recording,
    pipeline: &mut Product<S>,
    problems: &mut Vec<String>,
) {
    let mut events = Vec::new();
    read(pipeline, [recording.body.as_slice()], &mut |batch| events.extend(batch.iter().map(Step::of)));
    let got = facts(&events);
    // The product delivers a last event without its end, where it is complete.
    let flushed = &recording.expected["if_flushed_at_eof"];
    let mut compare = |key: &str, got: &Value, expected: &Value| {
        let is_exception = EXCEPTIONS.iter().any(|(name, fact, _)| recording.name.ends_with(name) && *fact == key);
        if is_same_fact(key, got, expected) == is_exception {
            problems.push(format!("{}: {key}: got {got}, expected {expected}", recording.name));
        }
    };
    for key in ["text", "thinking", "refusal", "tool_calls", "finish_reason", "usage", "usage_norm", "errors"] {
        let expected = flushed.get(key).unwrap_or(&recording.expected[key]);
        compare(key, &got[key], expected);
    }
    for expected in recording.expected["choices"].as_array().into_iter().flatten() {
        let sub = expected["index"].as_u64().and_then(|index| u32::try_from(index).ok()).expect("a small number");
        let got = choice(&events, sub);
        for key in ["text", "thinking", "refusal", "tool_calls", "finish_reason"] {
            compare(key, &got[key], &expected[key]);
        }
    }
}

fn is_same_fact(key: &str, got: &Value, expected: &Value) -> bool {
    match key {
        "tool_calls" => {
            let calls = |value: &Value| -> Vec<[Value; 3]> {
                let list = value.as_array().into_iter().flatten();
                list.map(|call| [call["id"].clone(), call["name"].clone(), arguments(&call["arguments_json"])])
                    .collect()
            };
            calls(got) == calls(expected)
        }
        // No usage at all is an empty object where the reference merges.
        "usage" => got == expected || (got.is_null() && *expected == serde_json::json!({})),
        _ => got == expected,
    }
}

/// The arguments of a call: their text as it is compared. Where they are an object on the wire, its JSON may be written in
/// many ways.
fn arguments(text: &Value) -> Value {
    let value = text.as_str().and_then(|text| serde_json::from_str(text).ok());
    value.unwrap_or_else(|| text.clone())
}

fn check_cuts<S: thalweg_abi::guest::CodecStream>(
    recording: &Recording,
    dialect: Dialect,
    pipeline: &mut Product<S>,
    problems: &mut Vec<String>,
) -> usize {
    let body = recording.body.as_slice();
    let expected = steps_of_body(dialect, body);
    let mut count = 0;
    let mut check = |chunks: &mut dyn Iterator<Item = &[u8]>, cut: &str| {
        let mut matcher = Matcher::new(&expected);
        read(pipeline, chunks, &mut |batch| batch.iter().for_each(|event| matcher.take(event)));
        count += 1;
        if let Some(difference) = matcher.finish() {
            problems.push(format!("{} {cut}: {difference}", recording.name));
        }
    };
    check(&mut [body].into_iter(), "whole");
    if body.len() < CUT_EVERYWHERE_BELOW {
        check(&mut body.chunks(1), "in bytes");
        for cut in 1..body.len() {
            let (before, behind) = body.split_at(cut);
            check(&mut [before, behind].into_iter(), &format!("cut at byte {cut}"));
        }
    } else {
        for len in [1, 7, 97, 1024] {
            check(&mut body.chunks(len), &format!("in chunks of {len} bytes"));
        }
    }
    count
}
