//! Server-sent events: the rules as cases, the same answer at every cut, and the same as the naive twin's.

use std::path::PathBuf;

use serde_json::Value;
use thalweg_tests::naive_sse::{self, Body, Event};
use thalweg_tests::random::Random;
use thalweg_tests::{cases, naive_sse::decode as naive};
use thalweg_wire::limits::{Error, Limits};
use thalweg_wire::sse::Decoder;

/// Feeds the pieces one after the other, each from memory of its own so that nothing can be read beyond it.
fn decode<'a>(mut decoder: Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> Body {
    let mut body = Body::default();
    for piece in pieces {
        let piece: Box<[u8]> = piece.into();
        decoder
            .feed(&piece, |event| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
                body.events.push(Event {
                    event_type: text(event.event_type),
                    data: text(event.data),
                    last_event_id: text(event.last_event_id),
                    retry: event.reconnection_time_ms,
                });
            })
            .expect("within limits");
    }
    decoder.finish();
    body.comments = decoder.counters().comments;
    body.retry = decoder.reconnection_time_ms();
    body.last_event_id = String::from_utf8(decoder.last_event_id().to_vec()).expect("valid UTF-8");
    body
}

/// Whether the pieces give these events, compared where they lie: fast enough for every cut of a long body.
fn gives(mut decoder: Decoder, pieces: [&[u8]; 2], expected: &[Event]) -> bool {
    let mut rest = expected.iter();
    let mut is_same = true;
    for piece in pieces {
        decoder
            .feed(piece, |event| {
                is_same &= rest.next().is_some_and(|expected| {
                    event.event_type == expected.event_type.as_bytes()
                        && event.data == expected.data.as_bytes()
                        && event.last_event_id == expected.last_event_id.as_bytes()
                        && event.reconnection_time_ms == expected.retry
                });
            })
            .expect("within limits");
    }
    is_same && rest.next().is_none()
}

fn all_paths() -> Decoder {
    Decoder::new(Limits::default())
}

fn general_only() -> Decoder {
    Decoder::general_only(Limits::default())
}

/// The decoder drops a comment at the end that has no line end, or counts it: nothing depends on that.
fn same(product: &Body, twin: &Body) -> bool {
    product.events == twin.events
        && product.last_event_id == twin.last_event_id
        && product.retry == twin.retry
        && (product.comments == twin.comments || product.comments == twin.comments + 1)
}

#[track_caller]
fn assert_same<'a>(name: &str, twin: &Body, how: &str, pieces: impl IntoIterator<Item = &'a [u8]> + Clone) {
    for (paths, decoder) in [("all paths", all_paths()), ("general path", general_only())] {
        let product = decode(decoder, pieces.clone());
        assert!(same(&product, twin), "{name}, {how}, {paths}:\nproduct {product:?}\ntwin {twin:?}");
    }
}

fn every_cut(name: &str, input: &[u8], twin: &Body) {
    assert_same(name, twin, "whole", [input]);
    assert_same(name, twin, "byte by byte", input.chunks(1));
    for cut in 0..=input.len() {
        assert_same(name, twin, &format!("cut at {cut}"), [&input[..cut], &input[cut..]]);
    }
}

fn every_pair_of_cuts(name: &str, input: &[u8], twin: &Body) {
    for first in 0..=input.len() {
        for second in first..=input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_same(name, twin, &format!("cut at {first} and {second}"), pieces);
        }
    }
}

#[test]
fn every_rule_holds_at_every_cut_and_every_pair_of_cuts() {
    let cases = cases::read(include_str!("cases/sse.txt"));
    assert!(cases.len() > 60, "{} cases", cases.len());
    for case in &cases {
        let expected: Vec<(String, String, String, Option<u64>)> =
            serde_json::from_str(&case.expected).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let expected: Vec<Event> = expected
            .into_iter()
            .map(|(event_type, data, last_event_id, retry)| Event { event_type, data, last_event_id, retry })
            .collect();
        let twin = naive(&case.input);
        assert_eq!(twin.events, expected, "the twin: {}", case.name);
        every_cut(&case.name, &case.input, &twin);
        if case.input.len() <= 64 {
            every_pair_of_cuts(&case.name, &case.input, &twin);
        }
    }
}

#[test]
fn any_rule_may_follow_any_other_in_one_stream() {
    let cases = cases::read(include_str!("cases/sse.txt"));
    for first in &cases {
        for second in &cases {
            let input = [&first.input[..], b"\n\n", &second.input, b"\n\ndata: last\n\n"].concat();
            let name = format!("{}, then {}", first.name, second.name);
            let twin = naive(&input);
            assert_same(&name, &twin, "whole", [&input[..]]);
            assert_same(&name, &twin, "by threes", input.chunks(3));
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("THALWEG_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("THALWEG_CORPUS is not set: recordings skipped");
    }
    folder
}

#[test]
fn conformance_cases_give_their_events_at_every_cut() {
    let Some(folder) = corpus().map(|folder| folder.join("sse-conformance")) else { return };
    let json = |name: &str| -> Value {
        let text = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let index = json("INDEX.json");
    let mut read = 0;
    for case in index.as_array().expect("a list") {
        let name = case["case"].as_str().expect("a name");
        let input = std::fs::read(folder.join(format!("{name}.in"))).expect("the case's body");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let events = json(&format!("{name}.expected.json"));
        let events = events.as_array().expect("a list").iter().map(|event| Event {
            event_type: Some(text(&event["event"])).filter(|name| name != "message").unwrap_or_default(),
            data: text(&event["data"]),
            last_event_id: text(&event["id"]),
            retry: event["retry"].as_u64(),
        });
        let expected = Body {
            events: events.collect(),
            last_event_id: text(&case["final_last_event_id"]),
            retry: case["final_retry"].as_u64(),
            comments: naive(&input).comments,
        };
        assert_eq!(naive(&input), expected, "the twin: {name}");
        if input.len() <= 4096 {
            every_cut(name, &input, &expected);
        } else {
            for cut in 0..=input.len() {
                let (before, after) = input.split_at(cut);
                for decoder in [all_paths(), general_only()] {
                    assert!(gives(decoder, [before, after], &expected.events), "{name}, cut at {cut}");
                }
            }
        }
        let mut decoder = all_paths();
        decoder.feed(&input, |_| ()).expect("within limits");
        let is_pending = decoder.pending_bytes() > 0;
        assert_eq!(is_pending, case["pending_discarded_at_eof"].as_bool().expect("a boolean"), "{name}");
        read += 1;
    }
    println!("conformance cases read: {read}");
    assert_eq!(read, 72);
}

#[test]
fn recordings_give_the_events_of_the_twin() {
    let Some(folder) = corpus() else { return };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.jsonl")).expect("a manifest");
    let mut random = Random::new(7);
    let (mut read, mut bytes) = (0, 0);
    for line in manifest.lines() {
        let entry: Value = serde_json::from_str(line).expect("a JSON line");
        if entry["framing"] != "sse" {
            continue;
        }
        let path = entry["path"].as_str().expect("a path");
        let input = std::fs::read(folder.join(path)).expect("the recording");
        let twin = naive(&input);
        assert_same(path, &twin, "whole", [&input[..]]);
        for size in [97, 1400] {
            assert_same(path, &twin, &format!("in pieces of {size}"), input.chunks(size));
        }
        let pieces = random_pieces(&input, &mut random);
        assert_same(path, &twin, "in random pieces", pieces.iter().copied());
        read += 1;
        bytes += input.len();
    }
    println!("recordings read: {read} ({bytes} bytes)");
    assert!(read > 0, "no recording in {}", folder.display());
}

fn random_pieces<'a>(mut input: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let bound = random.pick(&[1, 2, 5, 40, 400, 4000]);
        let (piece, rest) = input.split_at(random.below(bound + 1).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// What bodies are made of: whole lines, and single bytes that change what lines mean.
const ATOMS: &[&[u8]] = &[
    b"data: {\"a\":1}\n\n",
    b"event: delta\ndata: {\"b\":\"\xc3\xa4\"}\n\n",
    b"data: x\n",
    b"data:\n",
    b"data",
    b"event: t\n",
    b"id: 7\n",
    b"retry: 30\n",
    b": comment\n",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b":",
    b" ",
    b"\0",
    b"\xff",
    b"\xe2\x82",
    b"\xac",
    b"x",
    b"1",
];

#[test]
fn random_bodies_give_the_events_of_the_twin() {
    let mut random = Random::new(1);
    for round in 0..100_000 {
        let mut input = Vec::new();
        for _ in 0..random.below(24) {
            input.extend_from_slice(random.pick(ATOMS));
        }
        for _ in 0..random.below(4).min(input.len()) {
            let at = random.below(input.len());
            match random.below(3) {
                0 => input[at] = random.next() as u8,
                1 => drop(input.remove(at)),
                _ => input.insert(at, random.pick(b"\r\n: dei\xff")),
            }
            if input.is_empty() {
                break;
            }
        }
        let name = format!("round {round}, {:?}", String::from_utf8_lossy(&input));
        let twin = naive_sse::decode(&input);
        assert_same(&name, &twin, "whole", [&input[..]]);
        let pieces = random_pieces(&input, &mut random);
        assert_same(&name, &twin, "in random pieces", pieces.iter().copied());
    }
}

#[test]
fn pending_event_is_shown_at_the_end_and_not_applied() {
    for (input, expected) in [
        ("data: x", Some(("", "x", "1"))),
        ("data: x\n", Some(("", "x", "1"))),
        ("event: t\ndata: x\ndata: y", Some(("t", "x\ny", "1"))),
        ("data: x\nid: 2\nretry: 9", Some(("", "x", "1"))),
        ("event: t", None),
        ("", None),
    ] {
        let input = format!("retry: 3\nid: 1\ndata: a\n\n{input}");
        for size in 1..=input.len() {
            let mut decoder = all_paths();
            for piece in input.as_bytes().chunks(size) {
                decoder.feed(piece, |_| ()).expect("within limits");
            }
            let pending = decoder.finish().map(|event| {
                [event.event_type, event.data, event.last_event_id]
                    .map(|text| String::from_utf8_lossy(text).into_owned())
            });
            let expected = expected.map(|(name, data, id)| [name, data, id].map(str::to_owned));
            assert_eq!(pending, expected, "{input:?} in pieces of {size}");
            assert_eq!((decoder.last_event_id(), decoder.reconnection_time_ms()), (&b"1"[..], Some(3)), "{input:?}");
            assert!(decoder.finish().is_none(), "shown once");
        }
    }
}

#[test]
fn event_past_the_limit_is_an_error_however_it_is_cut() {
    let limits = Limits::default().with_event_bytes_max(40);
    for filler in ["data: ", "data: \r", "id: 7\ndata: ", "foo: ", "event: t\ndata: "] {
        for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r\n"] {
            for length in 20..60 {
                let mut input = b"data: fits\n\n: a comment of any length says nothing and costs nothing\n".to_vec();
                let start = input.len();
                input.extend_from_slice(filler.as_bytes());
                input.resize(start + length, b'x');
                input.extend_from_slice(end.as_bytes());
                // The LF of a closing CR LF may come much later; it does not count.
                let bytes = length + end.len() - usize::from(end.ends_with("\r\n"));
                let expected = if bytes > 40 { Err(Error::EventTooLong { limit: 40 }) } else { Ok(()) };
                for size in 1..=input.len() {
                    for mut decoder in [Decoder::new(limits), Decoder::general_only(limits)] {
                        let mut events = 0;
                        let result = input.chunks(size).try_for_each(|piece| decoder.feed(piece, |_| events += 1));
                        assert_eq!(result, expected, "{bytes} bytes in pieces of {size}: {input:?}");
                        assert_eq!(decoder.feed(b"data: more\n\n", |_| ()), expected, "an error stays");
                        assert!(events >= 1, "what came before the long event was handed out");
                    }
                }
            }
        }
    }
}

#[test]
fn reset_makes_a_decoder_new() {
    let mut decoder = all_paths();
    let first = b"\xef\xbb\xbfid: 1\nretry: 5\ndata: x\n\n: com";
    decoder.feed(first, |_| ()).expect("within limits");
    decoder.reset();
    let second = b"\xef\xbb\xbfdata: y\n\n";
    let mut seen = Vec::new();
    decoder
        .feed(second, |event| {
            seen.push((event.data.to_vec(), event.last_event_id.to_vec(), event.reconnection_time_ms));
        })
        .expect("within limits");
    assert_eq!(seen, [(b"y".to_vec(), Vec::new(), None)]);
}

#[test]
fn event_in_one_chunk_is_a_slice_of_it_and_one_in_two_is_copied_once() {
    let chunk = b"event: delta\ndata: {\"x\":1}\n\n".to_vec();
    let mut decoder = all_paths();
    decoder
        .feed(&chunk, |event| {
            assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()), "the chunk's own bytes");
            assert!(chunk.as_ptr_range().contains(&event.event_type.as_ptr()), "the chunk's own bytes");
        })
        .expect("within limits");
    assert_eq!(decoder.counters().copied_bytes, 0);
    for cut in 1..chunk.len() {
        let mut decoder = all_paths();
        for piece in [&chunk[..cut], &chunk[cut..]] {
            decoder.feed(piece, |_| ()).expect("within limits");
        }
        assert_eq!(decoder.counters().copied_bytes, chunk.len() as u64, "cut at {cut}");
    }
}

#[test]
fn work_grows_with_the_bytes_however_large_the_event_and_however_small_the_pieces() {
    let scanned = |event: &[u8], size: usize| {
        let mut decoder = all_paths();
        let mut events = 0;
        for piece in event.chunks(size) {
            decoder.feed(piece, |_| events += 1).expect("within limits");
        }
        assert_eq!(events, 1);
        let counters = decoder.counters();
        // Once into one piece, and then an invalid byte becomes three.
        assert!(counters.copied_bytes <= 4 * event.len() as u64 + 64, "{} bytes copied", counters.copied_bytes);
        counters.scanned_bytes as f64 / event.len() as f64
    };
    let one_line = |bytes: usize| [b"data: ", &vec![b'x'; bytes][..], b"\n\n"].concat();
    let many_lines = |bytes: usize| [b"data: 4567\n".repeat(bytes / 11), b"\n".to_vec()].concat();
    let carriage_returns = |bytes: usize| [b"data: 4567\r".repeat(bytes / 11), b"\r".to_vec()].concat();
    let invalid = |bytes: usize| [b"data: ", &vec![0xff; bytes][..], b"\n\n"].concat();
    let makers: [&dyn Fn(usize) -> Vec<u8>; 4] = [&one_line, &many_lines, &carriage_returns, &invalid];
    for make in makers {
        for size in [1 << 10, 16 << 10, usize::MAX] {
            let (small, large) = (scanned(&make(1 << 20), size), scanned(&make(16 << 20), size));
            println!("pieces of {size}: each byte is looked at {small:.2} times of 1 MiB, {large:.2} times of 16 MiB");
            assert!(large <= 6.0 && large <= small * 1.1, "{small} times of 1 MiB, {large} times of 16 MiB");
        }
    }
}

#[test]
fn work_grows_with_the_bytes_of_a_chunk_with_many_events() {
    let shapes: [&[u8]; 6] = [
        b"data: {\"x\":1}\n\n",
        b"data: x\r\n\r\n",
        b"data: x\r\r",
        b"data: \xff\n\n",
        b"id: 1\ndata: x\n\n",
        b": ping\n\ndata: x\n\n",
    ];
    for shape in shapes {
        let body = shape.repeat(1 << 16);
        let mut decoder = all_paths();
        let mut events = 0;
        decoder.feed(&body, |_| events += 1).expect("within limits");
        assert_eq!(events, 1 << 16);
        let times = decoder.counters().scanned_bytes as f64 / body.len() as f64;
        println!("{:?}: each byte is looked at {times:.2} times", String::from_utf8_lossy(shape));
        assert!(times <= 6.0, "{times} times: {shape:?}");
    }
}
