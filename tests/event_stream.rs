//! Binary event streams: the same messages wherever the cuts are, and damage told apart and never papered over.

use thalweg_abi::types::FRAME_ERROR_BODY;
use thalweg_tests::naive_event_stream::{self as naive, Body, Message, encode, event, frame, to_base64};
use thalweg_tests::random::Random;
use thalweg_tests::spoken::Spoken;
use thalweg_wire::event_stream::{Chunks, Decoder, Error};
use thalweg_wire::limits::{self, Limits};
use thalweg_wire::pipeline::{self, Framing, Pipeline};

/// What the product makes of the chunks of one body.
fn read<'c>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<Message>, Option<Error>, usize) {
    decoder.reset();
    let mut messages = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
    for chunk in chunks {
        let result = decoder.feed(chunk, |message| {
            messages.push(Message { event_type: text(message.event_type), data: text(message.data) });
        });
        if let Err(error) = result {
            assert_eq!(decoder.feed(b"x", |_| panic!("nothing comes behind damage")), Err(error), "an error stays");
            return (messages, Some(error), 0);
        }
    }
    (messages, None, decoder.pending_bytes())
}

/// Reads a body whole, in bytes and at every cut, and compares with the twin. Gives what all of them gave.
fn check(body: &[u8], limits: Limits) -> (Vec<Message>, Option<Error>) {
    let expected = naive::decode(body, limits.event_bytes_max);
    let mut decoder = Decoder::new(limits, Chunks::Keep);
    let whole = read(&mut decoder, [body]);
    let (messages, error, pending) = whole.clone();
    let damage = error.map(|error| match error {
        Error::Length { offset, .. }
        | Error::PreludeChecksum { offset, .. }
        | Error::MessageChecksum { offset, .. }
        | Error::Headers { offset } => offset as usize,
        Error::Limit(_) => expected.damage.expect("a message that is too long"),
        _ => panic!("a kind of error that is not known here"),
    });
    assert_eq!(Body { messages: messages.clone(), damage, pending }, expected);
    assert_eq!(read(&mut decoder, body.chunks(1)), whole, "in bytes");
    for cut in 0..=body.len() {
        let (before, behind) = body.split_at(cut);
        assert_eq!(read(&mut decoder, [before, behind]), whole, "cut at {cut}");
    }
    (messages, error)
}

fn some_body() -> Vec<u8> {
    let number = [b"\x01n\x04\0\0\0\x05\x01t\0\x01f\x01\x01b\x02\x07\x01s\x03\0\x07".as_slice(), b"\x01l\x05", &[1; 8]];
    let others =
        [b"\x01y\x06\0\x03abc\x01d\x08".as_slice(), &[2; 8], b"\x01u\x09", &[3; 16], b"\x0b:event-type\x07\0\x01e"];
    [
        event("messageStart", r#"{"role":"assistant"}"#),
        encode(&[(":exception-type", "throttlingException"), (":message-type", "exception")], br#"{"message":"slow"}"#),
        encode(&[(":message-type", "error"), (":error-code", "Bad\"\n"), (":error-message", "a \\ b")], b""),
        frame(&[], b""),
        frame(&[number.concat(), others.concat()].concat(), b"\xff{}\xe2\x82"),
        event("ende\u{308}", "\u{1f600}"),
    ]
    .concat()
}

#[test]
fn messages_are_the_same_wherever_the_cut_is() {
    let (messages, error) = check(&some_body(), Limits::default());
    assert_eq!(error, None);
    let expected = [
        ("messageStart", r#"{"role":"assistant"}"#),
        ("throttlingException", r#"{"message":"slow"}"#),
        ("error", "{\"code\":\"Bad\\\"\\n\",\"message\":\"a \\\\ b\"}"),
        ("", ""),
        ("e", "\u{fffd}{}\u{fffd}"),
        ("ende\u{308}", "\u{1f600}"),
    ];
    let got: Vec<_> = messages.iter().map(|message| (message.event_type.as_str(), message.data.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn one_wrong_bit_anywhere_is_damage_and_keeps_what_came_before() {
    let first = event("a", "{}");
    let body = [first.clone(), event("b", "{\"x\":1}")].concat();
    for bit in first.len() * 8..body.len() * 8 {
        let mut body = body.clone();
        body[bit / 8] ^= 1 << (bit % 8);
        let mut decoder = Decoder::new(Limits::default(), Chunks::Keep);
        let (messages, error, _) = read(&mut decoder, [body.as_slice()]);
        assert_eq!(messages, [Message { event_type: "a".into(), data: "{}".into() }]);
        let offset = first.len() as u64;
        match error {
            Some(Error::PreludeChecksum { offset: at, .. }) => assert!(at == offset && bit / 8 < first.len() + 12),
            Some(Error::MessageChecksum { offset: at, .. }) => assert!(at == offset && bit / 8 >= first.len() + 12),
            other => panic!("bit {bit}: {other:?}"),
        }
        assert_eq!(naive::decode(&body, usize::MAX).damage, Some(first.len()));
    }
}

#[test]
fn lengths_that_cannot_be_are_damage() {
    for (total, headers) in [(15_u32, 0_u32), (0, 0), (16, 1), (20, 5), (20, u32::MAX)] {
        let mut body = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        // The checksum is that of a real message with these lengths, so they are what is wrong.
        let crc = {
            let mut decoder = Decoder::new(Limits::default(), Chunks::Keep);
            let wrong = [body.as_slice(), &[0; 4]].concat();
            match decoder.feed(&wrong, |_| ()) {
                Err(Error::PreludeChecksum { actual, .. }) => actual,
                other => panic!("{other:?}"),
            }
        };
        body.extend_from_slice(&crc.to_be_bytes());
        let (_, error) = check(&body, Limits::default());
        assert_eq!(error, Some(Error::Length { offset: 0, total, headers }));
    }
}

#[test]
fn a_message_past_the_limit_is_refused_before_it_has_come() {
    let body = event("a", &"x".repeat(100));
    let limits = Limits::default().with_event_bytes_max(body.len());
    assert_eq!(check(&body, limits).1, None);
    let limits = Limits::default().with_event_bytes_max(body.len() - 1);
    let (messages, error) = check(&body, limits);
    assert!(messages.is_empty());
    assert_eq!(error, Some(Error::Limit(limits::Error::EventTooLong { limit: body.len() - 1 })));
    let mut decoder = Decoder::new(limits, Chunks::Keep);
    assert!(decoder.feed(&body[..12], |_| ()).is_err(), "its lengths say enough");
}

#[test]
fn headers_that_are_none_are_damage() {
    for headers in [&b"\x05ab"[..], b"\x01a", b"\x01a\x0a", b"\x01a\x07\0", b"\x01a\x07\0\x05x", b"\x01a\x09x", b"\0"] {
        let (messages, error) = check(&frame(headers, b"{}"), Limits::default());
        assert!(messages.is_empty());
        assert_eq!(error, Some(Error::Headers { offset: 0 }), "{headers:?}");
    }
}

#[test]
fn a_message_that_is_cut_off_is_counted_as_lost() {
    let body = [event("a", "{}"), event("b", "{}")].concat();
    let mut pipeline = Pipeline::new(Spoken::default(), Framing::EventStream, Limits::default());
    let mut texts = Vec::new();
    pipeline
        .feed(&body[..body.len() - 1], &mut |events| {
            texts.extend(events.iter().map(thalweg_abi::types::StreamEvent::kind));
        })
        .unwrap();
    pipeline.finish(&mut |_| ()).unwrap();
    let counters = pipeline.counters();
    assert_eq!((texts.len(), counters.frames, counters.dropped_at_eof), (1, 1, event("b", "{}").len() as u64 - 1));
}

#[test]
fn wrapped_events_of_a_model_are_unwrapped_on_the_route() {
    let wrapped = |inner: &[u8]| format!(r#"{{"bytes":"{}","p":"abc"}}"#, to_base64(inner));
    let cases: &[(String, &str)] = &[
        (wrapped(b"{\"a\":1}"), "{\"a\":1}"),
        (wrapped("\u{20ac}?".as_bytes()), "\u{20ac}?"),
        (wrapped(b"\xff."), "\u{fffd}."),
        (wrapped(b"????").replace('/', "\\/"), "????"),
        // What is no wrapping is left as it is.
        (wrapped(b""), r#"{"bytes":"","p":"abc"}"#),
        (r#"{"bytes":"A"}"#.into(), r#"{"bytes":"A"}"#),
        (r#"{"bytes":7}"#.into(), r#"{"bytes":7}"#),
        ("{}".into(), "{}"),
        ("nonsense".into(), "nonsense"),
    ];
    for (payload, expected) in cases {
        let body = [event("chunk", payload), event("other", payload)].concat();
        for size in 1..body.len() {
            let mut decoder = Decoder::new(Limits::default(), Chunks::Unwrap);
            let (messages, error, _) = read(&mut decoder, body.chunks(size));
            assert_eq!(error, None);
            let twin = naive::decode(&body, usize::MAX).messages;
            assert_eq!(messages, twin.iter().map(naive::unwrapped).collect::<Vec<_>>());
            assert_eq!((messages[0].data.as_str(), messages[1].data.as_str()), (*expected, payload.as_str()));
        }
    }
}

#[test]
fn damage_ends_a_pipeline_with_an_error_that_says_where() {
    let mut body = [event("", "{}"), event("", "{}")].concat();
    let last = body.len() - 1;
    body[last] ^= 1;
    let mut pipeline = Pipeline::new(Spoken::default(), Framing::EventStream, Limits::default());
    let mut count = 0;
    let error = pipeline.feed(&body, &mut |events| count += events.len()).expect_err("a wrong checksum");
    assert_eq!(count, 1, "what came before is handed on");
    assert!(matches!(error, pipeline::Error::EventStream(Error::MessageChecksum { .. })));
    let offset = body.len() / 2;
    assert!(
        error.to_string().starts_with(&format!("the message at byte {offset} of the event stream has the checksum "))
    );
    // A reply that is no stream at all is read as one body, whatever the framing.
    pipeline.reset();
    pipeline.whole_body(b"{}", FRAME_ERROR_BODY, 400, &mut |events| count += events.len()).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn damaged_streams_are_read_as_the_twin_reads_them() {
    let mut random = Random::new(7);
    let good = some_body();
    for _ in 0..300 {
        let mut body = good.clone();
        for _ in 0..random.below(3) {
            let at = random.below(body.len());
            match random.below(3) {
                0 => body[at] = random.next() as u8,
                1 => body.truncate(at.max(1)),
                _ => drop(body.remove(at)),
            }
        }
        let twin = naive::decode(&body, 1 << 20);
        let mut decoder = Decoder::new(Limits::default().with_event_bytes_max(1 << 20), Chunks::Keep);
        let whole = read(&mut decoder, [body.as_slice()]);
        assert_eq!(
            (whole.0.len(), whole.1.is_some(), whole.2),
            (twin.messages.len(), twin.damage.is_some(), twin.pending)
        );
        assert_eq!(read(&mut decoder, body.chunks(1 + random.below(40))), whole);
    }
}
