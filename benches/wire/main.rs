//! Framing and full decode of both dialects, in chunks as a network cuts them, between two ceilings and a slow twin.
//!
//! `memcpy` and `memchr` bound from above what any reader of these bytes can do; the naive twin is what one writes in an
//! hour with `serde_json`. Every pass is checked against what the generator put in.

mod decode;
mod frame;
mod huge;
mod naive;

use criterion::{Criterion, SamplingMode, Throughput};
use std::time::Duration;
use thalweg_abi::guest::{Codec, Direct, Package};
use thalweg_abi::host::{Host, Plugin};
use thalweg_benches::reply::{Cut, Input};
use thalweg_benches::table::Table;
use thalweg_benches::{anthropic, is_measuring, openai};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of one pass: more than the second-level cache holds. A check makes one pass over less, unoptimised.
fn input_bytes() -> usize {
    if is_measuring() { 2 << 20 } else { 512 << 10 }
}

/// The cut at which the twin is measured, and the one that a socket with a full buffer gives.
const USUAL: Cut = Cut::Bytes(16 << 10);

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    let mut table = Table::new("wire");
    let openai = openai::input(input_bytes());
    dialect::<thalweg_openai::Package>(&mut criterion, &mut table, &openai, naive::openai);
    let anthropic = anthropic::input(input_bytes());
    dialect::<thalweg_anthropic::Package>(&mut criterion, &mut table, &anthropic, naive::anthropic);
    huge_event(&mut criterion, &mut table);
    criterion.final_summary();
    table.finish();
}

/// One event of many pieces; a check makes do with a smaller one.
fn huge_event(criterion: &mut Criterion, table: &mut Table) {
    let text_bytes = if is_measuring() { 16 << 20 } else { 256 << 10 };
    let body = huge::event(text_bytes);
    let bytes = body.len() as u64;
    let mut group = criterion.benchmark_group("one event of 16 MiB");
    group.throughput(Throughput::Bytes(bytes)).sampling_mode(SamplingMode::Flat).sample_size(10);
    let mut bench = |layer: &str, work: &mut dyn FnMut()| {
        let row = format!("{layer}/one event of 16 MiB/1KiB");
        group.bench_function(format!("{layer}/1KiB"), |bencher| {
            bencher.iter_custom(|times| table.sample(&row, 1, bytes, times, &mut *work));
        });
    };
    let mut decoder = thalweg_wire::sse::Decoder::new(Limits::default());
    bench("frame", &mut || huge::frame(&body, &mut decoder));
    let stream = thalweg_openai::OpenAiChat.open("{}").expect("no options are always allowed");
    let mut pipeline = Pipeline::new(Direct::new(stream), Framing::Sse, Limits::default());
    bench("decode, linked in", &mut || huge::decode(&body, text_bytes, &mut pipeline));
    group.finish();
}

fn dialect<P: Package>(criterion: &mut Criterion, table: &mut Table, input: &Input, twin: naive::Read)
where
    P::Codec: Codec,
{
    let name = input.dialect;
    let (events, bytes) = (input.events(), input.bytes());
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::ElementsAndBytes { elements: events, bytes }).sampling_mode(SamplingMode::Flat);
    let mut bench = |layer: &str, cut: Cut, work: &mut dyn FnMut()| {
        let row = format!("{layer}/{name}/{}", cut.name());
        group.bench_function(format!("{layer}/{}", cut.name()), |bencher| {
            bencher.iter_custom(|times| table.sample(&row, events, bytes, times, &mut *work));
        });
    };

    let mut target = vec![0; input.replies.iter().map(|reply| reply.body.len()).max().unwrap_or(0)];
    bench("memcpy", Cut::Whole, &mut || frame::copy(input, &mut target));
    bench("memchr", Cut::Whole, &mut || frame::find_lines(input));
    for cut in Cut::ALL {
        let mut decoder = thalweg_wire::sse::Decoder::new(Limits::default());
        bench("frame", cut, &mut || frame::frame(input, cut, &mut decoder));
    }

    let codec = P::codec().expect("a package of a dialect");
    let stream = codec.open("{}").expect("no options are always allowed");
    let mut direct =
        Pipeline::new(Direct::new(stream), Framing::Sse, Limits::default()).with_description(codec.describe());
    decode::check(input, &mut direct);
    for cut in Cut::ALL {
        bench("decode, linked in", cut, &mut || decode::decode(input, cut, &mut direct));
    }

    let plugin = Plugin::from_guest::<P>(Host::silent()).expect("a plugin of our own");
    let codec = plugin.codec().expect("it has a dialect");
    let stream = codec.open("{}").expect("no options are always allowed");
    let description = codec.describe().expect("a codec describes itself");
    let mut table_driven = Pipeline::new(stream, Framing::Sse, Limits::default()).with_description(&description);
    decode::check(input, &mut table_driven);
    for cut in Cut::ALL {
        bench("decode, C table", cut, &mut || decode::decode(input, cut, &mut table_driven));
    }

    naive::check(input, twin);
    bench("naive serde_json", USUAL, &mut || naive::decode(input, USUAL, twin));
    group.finish();
}
