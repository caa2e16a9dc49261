//! Many streams that trickle: the server sends each its deltas at a pace, and puts the time into each delta.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::client::{Client, Sink};
use crate::measure;

/// Opens the streams, lets all of them run, and then measures for some seconds.
pub(crate) async fn run<C: Client>(arguments: &Arguments) {
    let streams: usize = arguments.number("streams");
    let window = Duration::from_millis(arguments.number("window_ms"));
    let client = C::new(arguments);
    let before = measure::resident_bytes();
    let shared = Arc::new(Shared::default());
    // So that no connection waits in a queue that is full.
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let started = Instant::now();
    let counts: Vec<_> = (0..streams).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for count in &counts {
        let (client, opening) = (client.clone(), Arc::clone(&opening));
        let mut sink = Paced { shared: Arc::clone(&shared), count: Arc::clone(count), opening: None };
        tokio::spawn(async move {
            sink.opening = opening.acquire_owned().await.ok();
            client.ask(&mut sink).await;
            panic!("a stream without end has ended");
        });
    }
    while shared.open.load(Relaxed) < streams {
        assert!(started.elapsed() < OPEN_TIME_MAX, "{} of {streams} streams answer", shared.open.load(Relaxed));
        sleep(Duration::from_millis(20)).await;
    }
    sleep(SETTLE_TIME).await;
    let (cpu, wall) = (measure::processor_time(), Instant::now());
    let already: Vec<u64> = counts.iter().map(|count| count.load(Relaxed)).collect();
    shared.measures.store(true, Relaxed);
    sleep(window).await;
    shared.measures.store(false, Relaxed);
    let (cpu, wall) = (measure::processor_time() - cpu, wall.elapsed());
    let resident = measure::resident_bytes();
    let served: Vec<u64> = counts.iter().zip(already).map(|(count, already)| count.load(Relaxed) - already).collect();
    let deltas: u64 = served.iter().sum();
    let mut delays = std::mem::take(&mut *shared.delays.lock().unwrap_or_else(PoisonError::into_inner));
    delays.sort_unstable();
    println!("deltas={deltas}");
    let least = served.iter().min().copied().unwrap_or_default();
    println!("least={least}");
    println!("least_a_second={}", least as f64 / wall.as_secs_f64());
    println!("cpu_us={}", cpu.as_nanos() as f64 / 1000.0 / deltas.max(1) as f64);
    println!("core={}", cpu.as_secs_f64() / wall.as_secs_f64());
    println!("rss={resident}");
    println!("rss_stream={}", resident.saturating_sub(before) / streams as u64);
    if C::READS_TEXT {
        println!("delay_p50_us={}", measure::quantile(&delays, 0.5));
        println!("delay_p99_us={}", measure::quantile(&delays, 0.99));
    }
}

#[derive(Default)]
struct Shared {
    open: AtomicUsize,
    measures: AtomicBool,
    /// Microseconds from the server's write to the program.
    delays: Mutex<Vec<u64>>,
}

struct Paced {
    shared: Arc<Shared>,
    count: Arc<AtomicU64>,
    opening: Option<OwnedSemaphorePermit>,
}

impl Paced {
    fn count(&mut self) {
        if self.count.fetch_add(1, Relaxed) == 0 {
            self.shared.open.fetch_add(1, Relaxed);
            self.opening = None;
        }
    }
}

impl Sink for Paced {
    fn text(&mut self, piece: &[u8]) {
        // The role comes with an empty text from some clients.
        if piece.is_empty() {
            return;
        }
        self.count();
        if self.shared.measures.load(Relaxed) {
            let sent = std::str::from_utf8(piece).ok().and_then(|digits| digits.parse().ok());
            let sent: u64 = sent.unwrap_or_else(|| panic!("a delta is not the time: {piece:?}"));
            let delay = measure::now_us().saturating_sub(sent);
            self.shared.delays.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
        }
    }

    fn bytes(&mut self, _: usize) {
        self.count();
    }
}

const OPENING_MAX: usize = 256;
const OPEN_TIME_MAX: Duration = Duration::from_secs(60);
const SETTLE_TIME: Duration = Duration::from_millis(1200);
