//! The pipeline: batches, escapes, what is held back, the end of the body, and what goes wrong, with a dialect made for
//! tests that says in its payload what is to come out.

use std::collections::BTreeMap;
use std::fmt::Write;

use thalweg_abi::decode::{Decode, Events, Progress};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{
    E_FAILED, EVENT_BLOCK_END, EVENT_DONE, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, EVENT_USAGE,
    FLAG_AT_EOF, FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef, StreamEvent,
};
use thalweg_tests::random::Random;
use thalweg_tests::spoken::Spoken;
use thalweg_wire::limits::{self, Limits};
use thalweg_wire::pipeline::{Error, Framing, Pipeline};

/// An event that outlives the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    kind: u32,
    flags: u32,
    sub: u32,
    block: u32,
    text: String,
    aux: String,
    num: i64,
}

fn keep(kept: &mut Vec<Kept>, events: &[StreamEvent<'_>]) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
    kept.extend(events.iter().map(|event| Kept {
        kind: event.kind(),
        flags: event.flags(),
        sub: event.sub(),
        block: event.block(),
        text: text(event.text()),
        aux: text(event.aux()),
        num: event.num(),
    }));
}

fn pipeline(framing: Framing) -> Pipeline<Spoken> {
    Pipeline::new(Spoken::default(), framing, Limits::default())
}

/// All events of a body, fed in pieces and ended.
fn run<'a>(pipeline: &mut Pipeline<Spoken>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Kept> {
    let mut kept = Vec::new();
    for piece in pieces {
        let piece: Box<[u8]> = piece.into();
        pipeline.feed(&piece, &mut |events| keep(&mut kept, events)).expect("a good body");
    }
    pipeline.finish(&mut |events| keep(&mut kept, events)).expect("a good end");
    kept
}

/// `(kind, block, text)` of each event but the last, which is the codec's own.
fn told(kept: &[Kept]) -> Vec<(u32, u32, &str)> {
    let (last, events) = kept.split_last().expect("the codec ends with an event");
    assert_eq!(last.kind, EVENT_DONE);
    events.iter().map(|event| (event.kind, event.block, event.text.as_str())).collect()
}

/// A body of `(kind, block, escaped text)`.
fn body(frames: &[(u32, u32, &str)]) -> String {
    frames.iter().fold(String::new(), |mut body, (kind, block, text)| {
        write!(body, "event: {kind} 0 {block}\ndata: {{\"{text}\"}}\n\n").expect("a string takes everything");
        body
    })
}

const BODY: &str = "\u{feff}: ping\n\ndata: {\"plain\"}\n\nevent: 2 0 0\ndata: {\"a\\n\\ud83d\"}\n\nevent: 2 0 0\r\ndata: {\"\\ude00b\"}\r\n\r\n\
    event: 8 0 1\ndata: {\"\\\"\\u00e4\\ud83d\"}\n\nevent: what\ndata: {}\n\nevent: 8 1 2\ndata: {\"x\\ud83d\"}\n\n\
    event: 8 0 1\ndata: {\"\\ude00 ä\"}\n\ndata: two\ndata: lines\n\nid: 3\nevent: 12 1 0\ndata: {\"stop\"}\n\ndata: [3]";

#[test]
fn events_are_the_same_at_every_cut_and_every_pair_of_cuts() {
    let input = BODY.as_bytes();
    let mut pipeline = pipeline(Framing::Sse);
    let whole = run(&mut pipeline, [input]);
    assert_eq!(
        told(&whole),
        [
            (2, 0, "plain"),
            (2, 0, "a\n"),
            (2, 0, "\u{1f600}b"),
            (8, 1, "\"ä"),
            (16, 0, ""),
            (8, 2, "x"),
            (8, 1, "\u{1f600} ä"),
            (2, 0, "two\nlines"),
            (8, 2, "\u{fffd}"),
            (12, 0, "stop"),
            (2, 0, "[3]"),
        ]
    );
    assert!(whole.iter().all(|event| event.flags & (FLAG_TEXT_ESCAPED | FLAG_AUX_ESCAPED) == 0));
    let counters = pipeline.counters();
    assert_eq!((counters.frames, counters.skipped, counters.comments, counters.dropped_at_eof), (10, 1, 1, 0));
    assert_eq!((counters.bytes, counters.events), (input.len() as u64, whole.len() as u64));
    for first in 0..=input.len() {
        for second in first..=input.len() {
            pipeline.reset();
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            assert_eq!(run(&mut pipeline, pieces), whole, "cut at {first} and {second}");
        }
    }
}

#[test]
fn lines_of_json_give_the_same_events_at_every_cut() {
    let input = "{\"a\\n\\ud83d\"}\n\r\n{\"\\ude00\"}\r\n {\"b\"} \n[4]".as_bytes();
    for cut in 0..=input.len() {
        let mut pipeline = pipeline(Framing::NdJson);
        let kept = run(&mut pipeline, [&input[..cut], &input[cut..]]);
        assert_eq!(told(&kept), [(2, 0, "a\n"), (2, 0, "\u{1f600}"), (2, 0, "b"), (2, 0, "[4]")], "cut at {cut}");
        assert_eq!(kept[3].flags, FLAG_AT_EOF, "the last line had no end");
    }
}

#[test]
fn framing_is_found_by_the_name_in_a_description() {
    assert_eq!(Framing::from_name("sse"), Some(Framing::Sse));
    assert_eq!(Framing::from_name("ndjson"), Some(Framing::NdJson));
    assert_eq!(Framing::from_name("aws-event-stream"), Some(Framing::EventStream));
    assert_eq!(Framing::from_name("SSE"), None);
}

#[test]
fn codec_reads_many_frames_with_one_call() {
    let input = "data: {\"x\"}\n\n".repeat(10_000);
    let mut pipeline = pipeline(Framing::Sse);
    let (mut batches, mut events) = (0, 0);
    pipeline
        .feed(input.as_bytes(), &mut |batch| {
            batches += 1;
            events += batch.len();
        })
        .expect("a good body");
    assert_eq!(events, 10_000);
    let codec = pipeline.decoder();
    assert!(codec.frames_max >= 64, "{} frames at most", codec.frames_max);
    // The first frames come one by one, in case that one of them is repeatable, and then ever more at a time.
    assert!(codec.calls <= 100 + 10_000 / 64, "{} calls", codec.calls);
    assert_eq!(batches, codec.calls);
}

#[test]
fn halves_of_characters_find_each_other_within_their_channel() {
    let mut random = Random::new(3);
    let pieces = ["x", "\\n", "\\ud83d", "\\ude00", "\\u00e4", "ä", "\\udbff", "\\\\"];
    for round in 0..3000 {
        let mut raw: BTreeMap<(u32, u32), String> = BTreeMap::new();
        let mut input = String::new();
        for _ in 0..random.below(30) {
            let (sub, block) = (random.below(2) as u32, random.below(3) as u32);
            let text: String = (0..random.below(4)).map(|_| random.pick(&pieces)).collect();
            let kind = if random.below(8) == 0 { EVENT_USAGE } else { EVENT_TOOL_ARGUMENTS };
            write!(input, "event: {kind} {sub} {block}\ndata: {{\"{text}\"}}\n\n").expect("a string takes everything");
            if kind == EVENT_TOOL_ARGUMENTS {
                raw.entry((sub, block)).or_default().push_str(&text);
            }
        }
        let mut pipeline = pipeline(Framing::Sse);
        let size = random.below(200) + 1;
        let mut said: BTreeMap<(u32, u32), String> = BTreeMap::new();
        for event in run(&mut pipeline, input.as_bytes().chunks(size)) {
            if event.kind == EVENT_TOOL_ARGUMENTS {
                said.entry((event.sub, event.block)).or_default().push_str(&event.text);
            }
        }
        let expected: BTreeMap<_, _> = raw.iter().map(|(channel, raw)| (*channel, naive_unescape(raw))).collect();
        assert_eq!(said, expected, "round {round}: {raw:?}");
    }
}

/// By way of UTF-16, which is what the escapes mean.
fn naive_unescape(raw: &str) -> String {
    let mut units = Vec::new();
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        match (char, if char == '\\' { chars.next() } else { None }) {
            (_, Some('u')) => {
                let digits: String = chars.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&digits, 16).expect("four digits"));
            }
            (_, Some('n')) => units.push(u16::from(b'\n')),
            (_, Some(other)) => units.push(other as u16),
            (char, None) => units.extend(char.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    String::from_utf16_lossy(&units)
}

#[test]
fn half_a_character_is_let_go_where_nothing_can_follow() {
    let half = "\\ud83d";
    let lost = "\u{fffd}";
    let args = EVENT_TOOL_ARGUMENTS;
    type Frames<'a> = &'a [(u32, u32, &'a str)];
    let cases: &[(Frames<'_>, Frames<'_>)] = &[
        // The second half comes, with or without something between that is no text.
        (&[(EVENT_TEXT, 0, half), (EVENT_TEXT, 0, "\\ude00")], &[(EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, "\u{1f600}")]),
        (
            &[(EVENT_TEXT, 0, half), (EVENT_USAGE, 1, ""), (EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, "\\ude00")],
            &[(EVENT_TEXT, 0, ""), (EVENT_USAGE, 1, ""), (EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, "\u{1f600}")],
        ),
        // Other text comes.
        (&[(EVENT_TEXT, 0, half), (EVENT_TEXT, 0, "x")], &[(EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, "\u{fffd}x")]),
        (&[(EVENT_TEXT, 0, half), (EVENT_TEXT, 0, "\\n")], &[(EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, "\u{fffd}\n")]),
        // The block ends, is left, or all ends.
        (
            &[(EVENT_TEXT, 0, half), (EVENT_BLOCK_END, 0, "")],
            &[(EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, lost), (EVENT_BLOCK_END, 0, "")],
        ),
        (
            &[(EVENT_TEXT, 0, half), (EVENT_BLOCK_END, 1, ""), (EVENT_TEXT, 0, "\\ude00")],
            &[(EVENT_TEXT, 0, ""), (EVENT_BLOCK_END, 1, ""), (EVENT_TEXT, 0, "\u{1f600}")],
        ),
        (
            &[(EVENT_THINKING, 0, half), (EVENT_TEXT, 1, "\\ude00")],
            &[(EVENT_THINKING, 0, ""), (EVENT_THINKING, 0, lost), (EVENT_TEXT, 1, lost)],
        ),
        (
            &[(args, 1, half), (args, 2, half), (args, 1, "\\ude00"), (EVENT_STOP, 0, "")],
            &[(args, 1, ""), (args, 2, ""), (args, 1, "\u{1f600}"), (args, 2, lost), (EVENT_STOP, 0, "")],
        ),
        // What is no delta is never held back.
        (&[(EVENT_STOP, 0, half), (EVENT_STOP, 0, "x")], &[(EVENT_STOP, 0, lost), (EVENT_STOP, 0, "x")]),
        (&[(EVENT_TEXT, 0, half)], &[(EVENT_TEXT, 0, ""), (EVENT_TEXT, 0, lost)]),
    ];
    for (frames, expected) in cases {
        let input = body(frames);
        for size in [usize::MAX, 1, 30] {
            let kept = run(&mut pipeline(Framing::Sse), input.as_bytes().chunks(size.min(input.len())));
            let told: Vec<_> = told(&kept).into_iter().filter(|(kind, ..)| *kind != EVENT_DONE).collect();
            assert_eq!(told, *expected, "{frames:?}");
        }
    }
}

#[test]
fn escapes_that_json_does_not_know_are_kept_and_counted() {
    let mut pipeline = pipeline(Framing::Sse);
    let kept = run(&mut pipeline, [body(&[(EVENT_TEXT, 0, "a\\xb\\u12")]).as_bytes()]);
    assert_eq!(told(&kept), [(EVENT_TEXT, 0, "a\\xb\\u12")]);
    assert_eq!(pipeline.counters().unknown_escapes, 2);
}

#[test]
fn last_frame_without_its_end_is_delivered_if_it_is_complete() {
    for (end, is_delivered) in [
        ("data: {\"a\"", false),
        ("data: {\"a\":1}", true),
        ("data: {\"a\":1}\n", true),
        ("data: {\"a\":\ndata: 1}\n", true),
        ("data: [1, 2]\r", true),
        ("data: [DONE]", true),
        ("data: [DONE", false),
        ("data: 12", false),
        ("data: true", false),
        ("data: {\"a\":1}}", false),
        ("data: {a:1}", false),
        ("event: 2 0 0\n", false),
        ("da", false),
    ] {
        let input = format!("data: {{\"x\"}}\n\n{end}");
        for size in 1..=input.len() {
            let mut pipeline = pipeline(Framing::Sse);
            let kept = run(&mut pipeline, input.as_bytes().chunks(size));
            let at_eof = kept.iter().filter(|event| event.flags == FLAG_AT_EOF && event.num == 1).count();
            assert_eq!(at_eof, usize::from(is_delivered), "{input:?} in pieces of {size}");
            let dropped = if is_delivered { 0 } else { end.len() as u64 };
            assert_eq!(pipeline.counters().dropped_at_eof, dropped, "{input:?} in pieces of {size}");
            assert_eq!(kept[0].flags, 0, "only the last frame is marked");
        }
    }
}

#[test]
fn whole_body_reaches_the_codec_with_its_kind_and_status() {
    for (kind, status) in [(FRAME_ERROR_BODY, 429), (FRAME_WHOLE_BODY, 0)] {
        let mut kept = Vec::new();
        let mut pipeline = pipeline(Framing::Sse);
        pipeline
            .whole_body(b"{\"too\\nmany \xff\"}", kind, status, &mut |events| keep(&mut kept, events))
            .expect("a good body");
        let [event] = &kept[..] else { panic!("one event of {kept:?}") };
        assert_eq!((event.text.as_str(), event.aux.as_str()), ("too\nmany \u{fffd}", "too\nmany \u{fffd}"));
        assert_eq!((event.num, event.flags), (i64::from(status), 0));
    }
    let mut small = Pipeline::new(Spoken::default(), Framing::Sse, Limits::default().with_event_bytes_max(3));
    let error = small.whole_body(b"1234", FRAME_WHOLE_BODY, 0, &mut |_| ()).expect_err("too long");
    assert_eq!(error, Error::Limit(limits::Error::EventTooLong { limit: 3 }));
}

#[test]
fn what_came_before_an_error_is_handed_on() {
    let mut kept = Vec::new();
    let input = b"data: {\"a\"}\n\ndata: {\"b\"}\n\nevent: fail\ndata: {}\n\ndata: {\"c\"}\n\n";
    let error = pipeline(Framing::Sse).feed(input, &mut |events| keep(&mut kept, events)).expect_err("told to fail");
    assert_eq!(error, Error::Codec(Failure::new(E_FAILED, "told to fail")));
    assert_eq!(kept.len(), 2);

    let mut kept = Vec::new();
    let mut small = Pipeline::new(Spoken::default(), Framing::Sse, Limits::default().with_event_bytes_max(14));
    let input = b"data: {\"a\"}\n\ndata: {\"long\"}\n\ndata: {\"c\"}\n\n";
    let error = small.feed(input, &mut |events| keep(&mut kept, events)).expect_err("too long");
    assert_eq!(error.to_string(), "an event of the stream is longer than 14 bytes; raise `event_bytes_max` to read it");
    assert_eq!(kept.len(), 1);
    assert!(small.feed(b"data: {\"d\"}\n\n", &mut |_| panic!("nothing follows an error")).is_err());
}

/// Answers each call the same, and reads nothing.
#[derive(Debug)]
struct Stuck(Progress);

impl Decode for Stuck {
    fn decode<'f>(
        &'f mut self,
        _frames: &[FrameRef<'f>],
        _next: &mut usize,
        _out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure> {
        Ok(self.0)
    }

    fn finish<'s>(&'s mut self, _out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
        Ok(self.0)
    }

    fn reset(&mut self) {}
}

#[test]
fn codec_that_does_not_move_is_an_error_and_no_endless_loop() {
    for progress in [Progress::More, Progress::Done] {
        let mut pipeline = Pipeline::new(Stuck(progress), Framing::Sse, Limits::default());
        let error = pipeline.feed(b"data: 1\n\ndata: 2\n\n", &mut |_| ()).expect_err("nothing was read");
        assert_eq!(error, Error::CodecStuck { frames: 1, read: 0 });
        assert_eq!(pipeline.finish(&mut |_| ()).is_err(), progress == Progress::More);
    }
}

#[test]
fn full_array_of_events_is_handed_on_and_filled_again() {
    /// Gives each frame a thousand times.
    struct Thousandfold(usize);

    impl Decode for Thousandfold {
        fn decode<'f>(
            &'f mut self,
            frames: &[FrameRef<'f>],
            next: &mut usize,
            out: &mut Events<'_, 'f>,
        ) -> Result<Progress, Failure> {
            while let Some(frame) = frames.get(*next) {
                while self.0 < 1000 {
                    if out.push(StreamEvent::new(EVENT_TEXT).with_text(frame.data())).is_err() {
                        return Ok(Progress::More);
                    }
                    self.0 += 1;
                }
                self.0 = 0;
                *next += 1;
            }
            Ok(Progress::Done)
        }

        fn finish<'s>(&'s mut self, _out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
            Ok(Progress::Done)
        }

        fn reset(&mut self) {}
    }

    let mut texts = Vec::new();
    let mut pipeline = Pipeline::new(Thousandfold(0), Framing::Sse, Limits::default());
    pipeline
        .feed(b"data: a\n\ndata: b\n\n", &mut |events| texts.extend(events.iter().map(|event| event.text()[0])))
        .expect("a good body");
    assert_eq!(texts, [[b'a'; 1000], [b'b'; 1000]].concat());
}
