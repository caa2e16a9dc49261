//! What a client program can be told to do, but for streams at a pace.

use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::client::{Client, Sink};
use crate::{measure, paced, turns};

/// Does with client `C` what the arguments say, and prints the figures.
///
/// # Panics
/// When the answer is wrong.
pub fn run<C: Client>(arguments: &Arguments) {
    measure::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    let arguments = arguments.clone();
    // A task like those that clients start: what is not one costs a look at all sockets each time that it goes on.
    let work = runtime.spawn(async move {
        match arguments.text("work") {
            "replies" => replies::<C>(&arguments).await,
            "first" => first::<C>(&arguments).await,
            "paced" => paced::run::<C>(&arguments).await,
            "turns" => run_turns::<C>(&arguments).await,
            work => panic!("no such work: {work}"),
        }
    });
    runtime.block_on(work).expect("the work is done");
    // Streams without end are still open: nobody has to close each.
    std::process::exit(0);
}

/// Streams at full speed, all at once. Their text is assembled, and compared when the clock has stopped.
async fn replies<C: Client>(arguments: &Arguments) {
    let streams: usize = arguments.number("streams");
    let deltas: f64 = arguments.number("deltas");
    let client = C::new(arguments);
    let before = measure::resident_bytes();
    let (cpu, wall) = (measure::processor_time(), Instant::now());
    let asked: Vec<_> = (0..streams)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut collected = Collected::default();
                client.ask(&mut collected).await;
                collected
            })
        })
        .collect();
    let mut replies = Vec::with_capacity(streams);
    for reply in asked {
        replies.push(reply.await.expect("a reply"));
    }
    let (cpu, wall) = (measure::processor_time() - cpu, wall.elapsed());
    let peak = measure::peak_bytes();
    for reply in &replies {
        check::<C>(arguments, reply);
    }
    let deltas = deltas * streams as f64;
    println!("rate={}", deltas / wall.as_secs_f64());
    println!("cpu_us={}", cpu.as_nanos() as f64 / 1000.0 / deltas);
    println!("rss={peak}");
    println!("rss_stream={}", peak.saturating_sub(before) / streams as u64);
}

fn check<C: Client>(arguments: &Arguments, reply: &Collected) {
    if C::READS_TEXT {
        assert_eq!(reply.text.len(), arguments.number::<usize>("text_bytes"), "bytes of text");
        assert_eq!(measure::hash(&reply.text), arguments.number::<u64>("text_hash"), "the text itself");
    } else {
        assert_eq!(reply.bytes, arguments.number::<u64>("body_bytes"), "bytes of the body");
    }
}

#[derive(Default)]
struct Collected {
    text: Vec<u8>,
    bytes: u64,
}

impl Sink for Collected {
    fn text(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
    }

    fn bytes(&mut self, len: usize) {
        self.bytes += len as u64;
    }
}

/// Replies of two deltas, one after the other, on one connection that stays open.
async fn first<C: Client>(arguments: &Arguments) {
    let requests: usize = arguments.number("requests");
    let client = C::new(arguments);
    let mut sink = First { begin: Instant::now(), waited: None };
    for _ in 0..WARM_REQUESTS {
        client.ask(&mut sink).await;
    }
    let mut waited = Vec::with_capacity(requests);
    let cpu = measure::processor_time();
    for _ in 0..requests {
        sink = First { begin: Instant::now(), waited: None };
        client.ask(&mut sink).await;
        let first = sink.waited.expect("a reply has a delta");
        waited.push(u64::try_from(first.as_nanos()).unwrap_or(u64::MAX));
    }
    let cpu = measure::processor_time() - cpu;
    waited.sort_unstable();
    println!("first_p50_us={}", measure::quantile(&waited, 0.5) as f64 / 1000.0);
    println!("first_p99_us={}", measure::quantile(&waited, 0.99) as f64 / 1000.0);
    println!("cpu_request_us={}", cpu.as_nanos() as f64 / 1000.0 / requests as f64);
}

struct First {
    begin: Instant,
    waited: Option<Duration>,
}

impl Sink for First {
    fn text(&mut self, piece: &[u8]) {
        if !piece.is_empty() {
            self.waited.get_or_insert_with(|| self.begin.elapsed());
        }
    }

    fn bytes(&mut self, _: usize) {
        self.waited.get_or_insert_with(|| self.begin.elapsed());
    }
}

/// A run with tools, turn by turn.
async fn run_turns<C: Client>(arguments: &Arguments) {
    let wanted: usize = arguments.number("turns");
    C::new(arguments).run_turns(wanted).await;
    let taken = turns::taken();
    assert_eq!(taken.len() + 1, wanted, "turns");
    let (cpu, wall): (Vec<f64>, Vec<f64>) = taken.into_iter().unzip();
    println!("turn_cpu_us_20={}", turns::around(&cpu, 20));
    println!("turn_cpu_us_last={}", turns::around(&cpu, wanted));
    println!("turn_cpu_us_mean={}", cpu.iter().sum::<f64>() / cpu.len().max(1) as f64);
    println!("turn_us_last={}", turns::around(&wall, wanted));
    println!("rss={}", measure::peak_bytes());
}

const WARM_REQUESTS: usize = 50;
