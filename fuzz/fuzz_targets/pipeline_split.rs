//! However a body is cut, the pipeline gives the same events, valid UTF-8 and with no escape left, and loses nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_abi::types::{FLAG_AUX_ESCAPED, FLAG_TEXT_ESCAPED, StreamEvent};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Error, Framing, Pipeline};

mod pieces;
#[path = "../../tests/support/spoken.rs"]
mod spoken;

type Kept = (u32, u32, u32, u32, i64, String, String);

fn keep(kept: &mut Vec<Kept>, events: &[StreamEvent<'_>]) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
    for event in events {
        assert_eq!(event.flags() & (FLAG_TEXT_ESCAPED | FLAG_AUX_ESCAPED), 0, "no escape is left");
        let (text, aux) = (text(event.text()), text(event.aux()));
        kept.push((event.kind(), event.flags(), event.sub(), event.block(), event.num(), text, aux));
    }
}

/// The events, the first error, and the bytes that were given up at the end.
fn run(framing: Framing, limits: Limits, pieces: &[&[u8]]) -> (Vec<Kept>, Option<Error>, u64) {
    let mut pipeline = Pipeline::new(spoken::Spoken::default(), framing, limits);
    let mut kept = Vec::new();
    for piece in pieces {
        let piece: Box<[u8]> = (*piece).into();
        if let Err(error) = pipeline.feed(&piece, &mut |events| keep(&mut kept, events)) {
            return (kept, Some(error), 0);
        }
    }
    let error = pipeline.finish(&mut |events| keep(&mut kept, events)).err();
    let counters = pipeline.counters();
    assert_eq!(counters.events, kept.len() as u64);
    (kept, error, counters.dropped_at_eof)
}

fuzz_target!(|input: &[u8]| {
    let (body, pieces) = pieces::pieces(input);
    for framing in [Framing::Sse, Framing::NdJson] {
        for limits in [Limits::default(), Limits::default().with_event_bytes_max(64)] {
            let whole = run(framing, limits, &[body]);
            assert_eq!(run(framing, limits, &pieces), whole);
        }
    }
});
