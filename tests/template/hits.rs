//! How many deltas of real replies come by template.

use thalweg_abi::decode::{Decode, Events};
use thalweg_abi::guest::{Codec, Direct};
use thalweg_abi::types::{FLAG_SCRATCH, FRAME_EVENT, FrameRef, StreamEvent};
use thalweg_tests::corpus::{self, Recording};
use thalweg_tests::naive::{Dialect, records};
use thalweg_tests::step::is_delta;

use super::*;

/// Deltas of a reply.
#[derive(Clone, Copy, Debug, Default)]
struct Deltas {
    all: u64,
    /// Those that add to a block, stand in the frame as they are, and are all that it says. The others are of frames that
    /// change the codec, so that no two of them are the same: the first of a block, a text and why it ends, arguments that
    /// the codec has to write itself.
    adding: u64,
    hits: u64,
}

/// Counts the deltas of a reply that comes in pieces of 16 KiB.
fn deltas<C: Codec>(codec: &C, body: &[u8]) -> Deltas {
    let mut pipeline = reader(codec);
    let mut deltas = Deltas::default();
    let mut count = |events: &[StreamEvent<'_>]| {
        deltas.all += events.iter().filter(|event| is_delta(event.kind())).count() as u64;
    };
    for chunk in body.chunks(16 << 10) {
        pipeline.feed(chunk, &mut count).expect("within the limits");
    }
    pipeline.finish(&mut count).expect("the codec is not broken");
    deltas.hits = pipeline.counters().template_hits;
    deltas.adding = adding(codec, body);
    deltas
}

fn adding<C: Codec>(codec: &C, body: &[u8]) -> u64 {
    let framing = Dialect::from_name(&described(codec, "dialect")).expect("every dialect has a twin").framing();
    let mut decoder = Direct::new(codec.open("{}").expect("no options are options"));
    let (mut adding, mut blocks) = (0, Vec::new());
    for (event_type, data) in records(framing, body) {
        let frames = [FrameRef::new(FRAME_EVENT, data.as_bytes()).with_event(event_type.as_bytes())];
        let mut events = Vec::new();
        decoder.decode(&frames, &mut 0, &mut Events::new(&mut events, 64)).expect("the codec is not broken");
        for event in events.iter().filter(|event| is_delta(event.kind())) {
            let block = (event.kind(), event.sub(), event.block());
            if !blocks.contains(&block) {
                blocks.push(block);
            } else if events.len() == 1 && !event.has(FLAG_SCRATCH) {
                adding += 1;
            }
        }
    }
    adding
}

fn percent(part: u64, of: u64) -> f64 {
    part as f64 * 100.0 / of.max(1) as f64
}

fn hits_nearly_all<C: Codec>(codec: &C) {
    let Some(recordings) = recordings(codec) else { return };
    let (mut sum, mut count, mut rows) = (Deltas::default(), 0, Vec::new());
    for Recording { name, body, .. } in &recordings {
        let Deltas { all, adding, hits } = deltas(codec, body);
        if all >= 20 {
            count += 1;
            sum = Deltas { all: sum.all + all, adding: sum.adding + adding, hits: sum.hits + hits };
            rows.push((percent(hits, all), all, name.as_str()));
        }
    }
    let dialect = described(codec, "dialect");
    let Deltas { all, adding, hits } = sum;
    corpus::report(&format!(
        "{count} of {dialect}: {hits} of {all} deltas by template, {:.1} %; {:.1} % of the {adding} that add to a block",
        percent(hits, all),
        percent(hits, adding)
    ));
    rows.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (rate, all, name) in rows.iter().filter(|(rate, ..)| *rate < 90.0) {
        corpus::report(&format!("    {rate:.1} % of {all} deltas: {name}"));
    }
    assert!(percent(hits, adding) >= 95.0, "{hits} of {adding} deltas of {dialect} that add to a block");
    // Five recordings have as many: arguments in pieces, each under its path, of which the codec makes JSON, and four short
    // replies of which the first delta of a block, or one with a signature or the stop beside it, are more than one in 20.
    let least = if dialect == "gemini" { 55.0 } else { 95.0 };
    assert!(percent(hits, all) >= least, "{hits} of {all} deltas of {dialect}");
}

#[test]
fn nearly_all_deltas_of_the_longer_recordings_come_by_template() {
    each_dialect!(hits_nearly_all);
}

/// The same for a reply that no provider has sent, so that it holds where there are no recordings.
pub(super) fn assert_nearly_all<C: Codec>(codec: &C, name: &str, body: &[u8]) {
    let Deltas { all, hits, .. } = deltas(codec, body);
    assert!(all >= 60, "{name}: {all} deltas");
    assert!(percent(hits, all) >= 95.0, "{name}: {hits} of {all} deltas");
}
