//! The law of every dialect: however a body is cut, the same events come out, valid UTF-8 and with no escape left; and they
//! are those of the naive twin.

use thalweg_abi::decode::Decode;
use thalweg_abi::guest::{Codec, Direct};
use thalweg_abi::types::{FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, StreamEvent};
use thalweg_tests::naive::{self, Dialect, steps_of_body};
use thalweg_tests::naive_json::has_half_pairs;
use thalweg_tests::step::{Matcher, Step as Expected};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

#[path = "pieces.rs"]
mod pieces;

type Step = (u32, u32, u32, u32, i64, String, String);

/// Checks the law for the body and the cuts that `input` says.
pub fn check<C: Codec>(dialect: Dialect, input: &[u8], codec: &C) {
    let (body, pieces) = pieces::pieces(input);
    let open = || pipeline(dialect, codec);
    let expected = steps(open().without_template(), &[body]);
    assert_eq!(steps(open(), &[body]), expected);
    assert_eq!(steps(open(), &pieces), expected);
    // The twin reads payload by payload, so it cannot join a character that was cut between two of them.
    if !has_half_pairs(&String::from_utf8_lossy(body)) {
        let difference = compare(open(), body, &steps_of_body(dialect, body));
        assert_eq!(difference, None);
    }
}

fn framing(dialect: Dialect) -> Framing {
    match dialect.framing() {
        naive::Framing::Sse => Framing::Sse,
        naive::Framing::Lines => Framing::NdJson,
        naive::Framing::EventStream => Framing::EventStream,
    }
}

fn pipeline<C: Codec>(dialect: Dialect, codec: &C) -> Pipeline<Direct<C::Stream>> {
    let stream = Direct::new(codec.open("{}").expect("no options are options"));
    Pipeline::new(stream, framing(dialect), Limits::default()).with_description(codec.describe())
}

/// Where the events of a body differ from what is expected.
fn compare<D: Decode>(mut pipeline: Pipeline<D>, body: &[u8], expected: &[Expected]) -> Option<String> {
    let mut matcher = Matcher::new(expected);
    let mut take = |events: &[StreamEvent<'_>]| events.iter().for_each(|event| matcher.take(event));
    pipeline.feed(body, &mut take).expect("within limits");
    pipeline.finish(&mut take).expect("the codec is not broken");
    matcher.finish()
}

fn steps<D: Decode>(mut pipeline: Pipeline<D>, pieces: &[&[u8]]) -> (Vec<Step>, bool, u64) {
    let mut steps = Vec::new();
    let mut keep = |events: &[StreamEvent<'_>]| {
        for event in events {
            assert_eq!(event.flags() & (FLAG_TEXT_ESCAPED | FLAG_AUX_ESCAPED), 0, "no escape is left");
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
            let (text, aux) = (text(event.text()), text(event.aux()));
            steps.push((event.kind(), event.flags(), event.sub(), event.block(), event.num(), text, aux));
        }
    };
    let mut is_ok = true;
    for piece in pieces {
        is_ok &= pipeline.feed(piece, &mut keep).is_ok();
        if !is_ok {
            return (steps, is_ok, 0);
        }
    }
    is_ok = pipeline.finish(&mut keep).is_ok();
    let dropped = pipeline.counters().dropped_at_eof;
    (steps, is_ok, dropped)
}
