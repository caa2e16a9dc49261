//! The template fast path: it gives the events of the full parse, on every recording at every cut and on recordings changed at
//! random, and it takes nearly all deltas.

mod hits;
mod liar;
mod streams;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use thalweg_abi::guest::{Codec, CodecStream, Direct};
use thalweg_abi::types::StreamEvent;
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
use thalweg_tests::naive_event_stream;
use thalweg_tests::random::Random;
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Counters, Framing, Pipeline};

/// Runs `$check` with the codec of each dialect.
macro_rules! each_dialect {
    ($check:path) => {
        $check(&OpenAiChat);
        $check(&OpenAiCompletions);
        $check(&OpenAiResponses);
        $check(&AnthropicMessages);
        $check(&Ollama);
        $check(&Gemini);
        $check(&Cohere);
        $check(&CohereV1);
        $check(&Bedrock);
    };
}
use each_dialect;

type Reader<C> = Pipeline<Direct<<C as Codec>::Stream>>;

fn described<C: Codec>(codec: &C, key: &str) -> String {
    let description: Value = serde_json::from_str(codec.describe()).expect("a description is JSON");
    description[key].as_str().expect("a description has its keys").to_owned()
}

fn reader<C: Codec>(codec: &C) -> Reader<C> {
    let framing = Framing::from_name(&described(codec, "framing")).expect("the engine has the framing");
    let stream = Direct::new(codec.open("{}").expect("no options are options"));
    Pipeline::new(stream, framing, Limits::default()).with_description(codec.describe())
}

/// All that an event says, in one line of bytes that can be compared.
fn keep(kept: &mut Vec<u8>, event: &StreamEvent<'_>) {
    for number in [event.kind(), event.flags(), event.sub(), event.block()] {
        kept.extend_from_slice(&number.to_le_bytes());
    }
    kept.extend_from_slice(&event.num().to_le_bytes());
    for text in [event.text(), event.aux()] {
        kept.extend_from_slice(&(text.len() as u64).to_le_bytes());
        kept.extend_from_slice(text);
    }
}

/// The events of a body, and what was counted.
fn read<'c, S: CodecStream>(
    pipeline: &mut Pipeline<Direct<S>>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<u8>, Counters) {
    let mut kept = Vec::new();
    pipeline.reset();
    let mut sink = |events: &[StreamEvent<'_>]| events.iter().for_each(|event| keep(&mut kept, event));
    for chunk in chunks {
        pipeline.feed(chunk, &mut sink).expect("within the limits");
    }
    pipeline.finish(&mut sink).expect("the codec is not broken");
    (kept, pipeline.counters())
}

fn assert_same(got: &[u8], expected: &[u8], name: impl Fn() -> String) {
    if got != expected {
        let at = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
        let show = |kept: &[u8]| {
            String::from_utf8_lossy(&kept[at.saturating_sub(200)..(at + 200).min(kept.len())]).into_owned()
        };
        panic!("{}: other events\n got: {:?}\nwant: {:?}", name(), show(got), show(expected));
    }
}

/// The part of the counters that the fast path must not change.
fn plain(counters: Counters) -> [u64; 7] {
    let Counters { bytes, frames, events, skipped, comments, unknown_escapes, dropped_at_eof, .. } = counters;
    [bytes, frames, events, skipped, comments, unknown_escapes, dropped_at_eof]
}

fn recordings<C: Codec>(codec: &C) -> Option<Vec<Recording>> {
    let recordings = corpus::recordings(&corpus::folder()?, &described(codec, "dialect"));
    assert!(!recordings.is_empty(), "the corpus has recordings of every dialect");
    Some(recordings)
}

/// Calls `work` for each recording, on as many threads as there are processors.
fn for_each(recordings: &[Recording], work: impl Fn(&Recording) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(recording) = recordings.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(recording);
                }
            });
        }
    });
}

fn same_at_every_cut<C: Codec + Sync>(codec: &C) {
    let Some(recordings) = recordings(codec) else { return };
    let (cuts, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each(&recordings, |recording| {
        let body = recording.body.as_slice();
        let expected = read(&mut reader(codec).without_template(), [body]);
        let mut fast = reader(codec);
        let mut check = |chunks: &mut dyn Iterator<Item = &[u8]>, cut: &dyn Fn() -> String| {
            let got = read(&mut fast, chunks);
            assert_same(&got.0, &expected.0, || format!("{} {}", recording.name, cut()));
            assert_eq!(plain(got.1), plain(expected.1), "{} {}", recording.name, cut());
            cuts.fetch_add(1, Ordering::Relaxed);
            hits.fetch_add(got.1.template_hits as usize, Ordering::Relaxed);
        };
        check(&mut [body].into_iter(), &|| "whole".into());
        for len in [1, 7, 97, 1024, 16 << 10] {
            check(&mut body.chunks(len), &|| format!("in chunks of {len} bytes"));
        }
        if body.len() < 20_000 {
            for cut in 1..body.len() {
                let (before, behind) = body.split_at(cut);
                check(&mut [before, behind].into_iter(), &|| format!("cut at byte {cut}"));
            }
        }
    });
    let (count, cuts, hits) = (recordings.len(), cuts.into_inner(), hits.into_inner());
    let protocol = described(codec, "dialect");
    corpus::report(&format!("{count} of {protocol}, {cuts} times with all cuts, {hits} frames by template"));
}

#[test]
fn template_gives_the_events_of_the_full_parse_at_every_cut() {
    each_dialect!(same_at_every_cut);
}

/// A recording with a few bytes changed, put in, taken out, or parts of it said twice.
fn changed(body: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [&[u8]; 26] = [
        b"\"",
        b"\\",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\\u",
        b"\\ud83d",
        b"\\n",
        b"\\x",
        b"\xff",
        b"\xc3",
        "\u{e9}".as_bytes(),
        b"{",
        b"}",
        b",",
        b":",
        b" ",
        b"0",
        b"-1",
        b"null",
        b": ping\n\n",
        b"id: 1\n",
        b"data: ",
        b"\0",
        b"\"content\":\"x\"",
    ];
    let mut body = body.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(body.len().max(1));
        match random.below(5) {
            0 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = (random.next() >> 32) as u8;
                }
            }
            1 => {
                body.drain(at..(at + 1 + random.below(40)).min(body.len()));
            }
            2 => {
                let part = body[at..(at + 1 + random.below(600)).min(body.len())].to_vec();
                let to = random.below(body.len() + 1);
                body.splice(to..to, part);
            }
            _ => {
                body.splice(at..at, random.pick(&WORDS).iter().copied());
            }
        }
        if body.is_empty() {
            break;
        }
    }
    body
}

/// The same for binary messages: a few of their payloads are changed, and their lengths and checksums are right again.
fn changed_messages(body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut rest = body;
    while let Some((prelude, _)) = rest.split_first_chunk::<12>() {
        let number = |at: usize| prelude[at..at + 4].iter().fold(0, |number, &byte| number << 8 | usize::from(byte));
        let (message, behind) = rest.split_at(number(0).min(rest.len()));
        let (headers, payload) = message[12..message.len() - 4].split_at(number(4));
        match random.below(8) {
            0 => whole.extend(naive_event_stream::frame(headers, &changed(payload, random))),
            _ => whole.extend_from_slice(message),
        }
        rest = behind;
    }
    whole
}

fn same_when_changed<C: Codec + Sync>(codec: &C) {
    let is_binary = described(codec, "framing") == "aws-event-stream";

    let Some(recordings) = recordings(codec) else { return };
    let short: Vec<_> = recordings.into_iter().filter(|recording| recording.body.len() < 100_000).collect();
    let hits = AtomicUsize::new(0);
    for_each(&short, |recording| {
        let seed =
            recording.name.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut random = Random::new(seed);
        let (mut fast, mut slow) = (reader(codec), reader(codec).without_template());
        for round in 0..40 {
            let change = if is_binary { changed_messages } else { changed };
            let body = change(&recording.body, &mut random);
            let expected = read(&mut slow, [body.as_slice()]);
            let mut chunks = Vec::new();
            let mut rest = body.as_slice();
            let longest = random.pick(&[3, 50, 700, 5000, 1 << 20]);
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at((1 + random.below(longest)).min(rest.len()));
                chunks.push(chunk);
                rest = behind;
            }
            let got = read(&mut fast, chunks);
            assert_same(&got.0, &expected.0, || format!("{} round {round}", recording.name));
            assert_eq!(plain(got.1), plain(expected.1), "{} round {round}", recording.name);
            hits.fetch_add(got.1.template_hits as usize, Ordering::Relaxed);
        }
    });
    let (count, hits) = (short.len(), hits.into_inner());
    let protocol = described(codec, "dialect");
    corpus::report(&format!("{count} of {protocol}, changed 40 times each, {hits} frames by template"));
    assert!(hits > 0, "templates were tried on {protocol}");
}

#[test]
fn template_gives_the_events_of_the_full_parse_of_recordings_changed_at_random() {
    each_dialect!(same_when_changed);
}

fn agrees_with_the_codec<C: Codec + Sync>(codec: &C) {
    let Some(recordings) = recordings(codec) else { return };
    let mut checked = reader(codec).with_template_check(NonZeroU32::MIN);
    for recording in &recordings {
        let (_, counters) = read(&mut checked, recording.body.chunks(1000));
        assert_eq!(counters.template_lies, 0, "{}", recording.name);
    }
}

#[test]
fn every_hit_is_what_the_codec_says_when_it_is_asked() {
    each_dialect!(agrees_with_the_codec);
}
