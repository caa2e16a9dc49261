//! Actors on one thread: tell, ask, spawn, lookup among a million, and what those that do nothing cost.
//!
//! Times are those of the processor: there is one thread, and whoever shares the machine does not count.
//! Raw tokio stands beside: a task with a bounded channel of 64, and a one-shot channel for the answer. The table is
//! written by this file, since bytes and processor time stand beside nanoseconds.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mimalloc::MiMalloc;
use thalweg_actor::{Actor, Context, Delivery, Failure, Message, Ref, Spec, System};
use thalweg_benches::{is_measuring, random::Random, record};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

/// mimalloc, with a count of the bytes in use.
struct Counting;

static BYTES: AtomicI64 = AtomicI64::new(0);

// SAFETY: hands everything on to mimalloc and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: promised by the caller.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: promised by the caller.
        unsafe { MiMalloc.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

enum Sum {
    Add(u64),
    Total,
}

impl Message for Sum {
    type Reply = u64;
}

#[derive(Default)]
struct Adder(u64);

impl Actor for Adder {
    type Message = Sum;

    async fn receive(&mut self, message: Delivery<'_, Sum>, context: &mut Context<Sum>) -> Result<(), Failure> {
        match *message {
            Sum::Add(number) => self.0 += number,
            Sum::Total => {
                context.respond(self.0);
            }
        }
        Ok(())
    }
}

/// What raw tokio does for the same.
#[derive(Debug)]
enum Raw {
    Add(u64),
    Total(oneshot::Sender<u64>),
}

fn raw() -> mpsc::Sender<Raw> {
    let (sender, mut receiver) = mpsc::channel(64);
    drop(tokio::spawn(async move {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            match message {
                Raw::Add(number) => sum += number,
                Raw::Total(asker) => drop(asker.send(sum)),
            }
        }
    }));
    sender
}

/// How much of everything.
struct Sizes {
    tells: u64,
    asks: u64,
    spawns: usize,
    crowd: usize,
    rounds: usize,
}

const MEASURED: Sizes = Sizes { tells: 1_000_000, asks: 200_000, spawns: 100_000, crowd: 1_000_000, rounds: 5 };
const CHECKED: Sizes = Sizes { tells: 1_000, asks: 100, spawns: 100, crowd: 1_000, rounds: 1 };

/// Senders step back after so many messages, as one does that reads from a socket.
const BURST: u64 = 64;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// The fastest of several rounds, in nanoseconds for one of `count`.
fn best(rounds: usize, count: u64, mut round: impl FnMut() -> Duration) -> f64 {
    (0..rounds).map(|_| round().as_nanos() as f64 / count as f64).fold(f64::MAX, f64::min)
}

fn tell(sizes: &Sizes) -> f64 {
    best(sizes.rounds, sizes.tells, || {
        runtime().block_on(async {
            let system = System::new("tell");
            let adder = system.spawn(Spec::new(Adder::default)).expect("spawned");
            let task = tokio::spawn(tell_all(adder, sizes.tells));
            task.await.expect("it does not panic")
        })
    })
}

async fn tell_all(adder: Ref<Sum>, tells: u64) -> Duration {
    let start = processor_time();
    for number in 0..tells {
        adder.tell(Sum::Add(number)).await.expect("it lives");
        if number % BURST == BURST - 1 {
            tokio::task::yield_now().await;
        }
    }
    let sum = adder.ask(Sum::Total).await.expect("it answers");
    let elapsed = processor_time() - start;
    assert_eq!(sum, tells * (tells - 1) / 2);
    elapsed
}

fn tell_raw(sizes: &Sizes) -> f64 {
    let tells = sizes.tells;
    best(sizes.rounds, tells, || {
        runtime().block_on(async {
            let sender = raw();
            let task = tokio::spawn(async move {
                let start = processor_time();
                for number in 0..tells {
                    sender.send(Raw::Add(number)).await.expect("it lives");
                    if number % BURST == BURST - 1 {
                        tokio::task::yield_now().await;
                    }
                }
                let (asker, reply) = oneshot::channel();
                sender.send(Raw::Total(asker)).await.expect("it lives");
                assert_eq!(reply.await.expect("it answers"), tells * (tells - 1) / 2);
                processor_time() - start
            });
            task.await.expect("it does not panic")
        })
    })
}

fn ask(sizes: &Sizes, deadline: Option<Duration>) -> f64 {
    let asks = sizes.asks;
    best(sizes.rounds, asks, || {
        runtime().block_on(async {
            let system = System::new("ask");
            let adder = system.spawn(Spec::new(Adder::default)).expect("spawned");
            adder.tell(Sum::Add(7)).await.expect("it lives");
            let task = tokio::spawn(async move {
                let start = processor_time();
                let mut sum = 0;
                for _ in 0..asks {
                    sum += match deadline {
                        None => adder.ask(Sum::Total).await,
                        Some(deadline) => adder.ask_within(Sum::Total, deadline).await,
                    }
                    .expect("it answers");
                }
                assert_eq!(sum, 7 * asks);
                processor_time() - start
            });
            task.await.expect("it does not panic")
        })
    })
}

fn ask_raw(sizes: &Sizes) -> f64 {
    let asks = sizes.asks;
    best(sizes.rounds, asks, || {
        runtime().block_on(async {
            let sender = raw();
            sender.send(Raw::Add(7)).await.expect("it lives");
            let task = tokio::spawn(async move {
                let start = processor_time();
                let mut sum = 0;
                for _ in 0..asks {
                    let (asker, reply) = oneshot::channel();
                    sender.send(Raw::Total(asker)).await.expect("it lives");
                    sum += reply.await.expect("it answers");
                }
                assert_eq!(sum, 7 * asks);
                processor_time() - start
            });
            task.await.expect("it does not panic")
        })
    })
}

/// Spawns them and waits until the last one waits for messages.
async fn crowd(system: &System, size: usize) -> Duration {
    let start = processor_time();
    for _ in 0..size {
        black_box(system.spawn(Spec::new(Adder::default)).expect("spawned"));
    }
    let last = system.spawn(Spec::new(Adder::default).named("last")).expect("spawned");
    assert_eq!(last.ask(Sum::Total).await.expect("it answers"), 0);
    processor_time() - start
}

/// Nanoseconds of a spawn, and bytes in use for each actor that waits.
fn spawn(sizes: &Sizes) -> (f64, i64) {
    let mut bytes = 0;
    let ns = best(sizes.rounds, sizes.spawns as u64, || {
        runtime().block_on(async {
            let system = System::new("spawn");
            let before = BYTES.load(Ordering::Relaxed);
            let elapsed = crowd(&system, sizes.spawns).await;
            assert_eq!(system.live(), sizes.spawns + 1);
            bytes = (BYTES.load(Ordering::Relaxed) - before) / sizes.spawns as i64;
            elapsed
        })
    });
    (ns, bytes)
}

/// A million that do nothing.
struct Idle {
    lookup_ns: f64,
    missed_ns: f64,
    floor_ns: f64,
    resident: u64,
    busy: Duration,
    stop: Duration,
}

fn idle(sizes: &Sizes) -> Idle {
    let runtime = runtime();
    runtime.block_on(async {
        let system = System::new("idle");
        let before = resident();
        crowd(&system, sizes.crowd).await;
        let resident = resident().saturating_sub(before);
        let busy = processor_time();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let busy = processor_time() - busy;
        let mut random = Random::new(5);
        let lookups = 200_000.min(sizes.crowd);
        let paths = |prefix: &str, random: &mut Random| -> Vec<String> {
            (0..lookups).map(|_| format!("{prefix}{}", 1 + random.below(sizes.crowd))).collect()
        };
        let there = paths("/user/$", &mut random);
        let not_there = paths("/user/none", &mut random);
        let lookup_ns = best(sizes.rounds, lookups as u64, || {
            let start = processor_time();
            let found = there.iter().filter(|path| system.lookup::<Sum>(path).is_some()).count();
            let elapsed = processor_time() - start;
            assert_eq!(found, lookups);
            elapsed
        });
        let missed_ns = best(sizes.rounds, lookups as u64, || {
            let start = processor_time();
            let found = not_there.iter().filter(|path| system.find(path).is_some()).count();
            assert_eq!(found, 0);
            processor_time() - start
        });
        let floor_ns = floor(sizes, &mut random);
        let stop = processor_time();
        system.stop().await;
        assert_eq!(system.live(), 0);
        Idle { lookup_ns, missed_ns, floor_ns, resident, busy, stop: processor_time() - stop }
    })
}

/// What a lookup cannot be faster than: a number in a table of a million, and one more reference to what it stands for.
fn floor(sizes: &Sizes, random: &mut Random) -> f64 {
    let table: HashMap<u64, Arc<[u64; 26]>> = (0..sizes.crowd as u64).map(|key| (key, Arc::new([key; 26]))).collect();
    let keys: Vec<u64> = (0..200_000.min(sizes.crowd)).map(|_| random.below(sizes.crowd) as u64).collect();
    best(sizes.rounds, keys.len() as u64, || {
        let start = processor_time();
        let found =
            keys.iter().filter_map(|key| table.get(key).cloned()).map(|found| found[0]).fold(0, u64::wrapping_add);
        let elapsed = processor_time() - start;
        assert_eq!(found, keys.iter().sum::<u64>());
        elapsed
    })
}

/// Bytes of this process in memory; 0 where the system does not say.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let sizes = if is_measuring() { &MEASURED } else { &CHECKED };
    // First, while the memory of the process is its own.
    let idle = idle(sizes);
    let (spawn_ns, bytes) = spawn(sizes);
    let rows = [
        ("tell", tell(sizes), "80 ns"),
        ("tell, raw tokio", tell_raw(sizes), "-"),
        ("ask", ask(sizes, None), "260 ns"),
        ("ask, with a deadline", ask(sizes, Some(Duration::from_secs(60))), "-"),
        ("ask, raw tokio", ask_raw(sizes), "-"),
        ("spawn", spawn_ns, "2,000 ns"),
        ("lookup by name among 1 M", idle.lookup_ns, "200 ns"),
        ("the floor: a number in a HashMap", idle.floor_ns, "-"),
        ("lookup of a name that is not there", idle.missed_ns, "-"),
    ];
    if !is_measuring() {
        return;
    }
    let mut text = format!("{:36}{:>14}{:>14}\n", "actor, one thread", "best", "target");
    for (name, ns, target) in rows {
        text += &format!("{name:36}{:>14}{target:>14}\n", format!("{ns:.1} ns"));
    }
    let mib = idle.resident / (1 << 20);
    text += &format!("{:36}{:>14}{:>14}\n", "bytes of an idle actor", bytes, "1,024");
    text += &format!("{:36}{:>14}{:>14}\n", "1 M idle actors, resident", format!("{mib} MiB"), "1.2 GB");
    let (busy, stop) = (format!("{:?}", idle.busy), format!("{:.1?}", idle.stop));
    text += &format!("{:36}{busy:>14}{:>14}\n", "processor time of 300 ms at rest", "none");
    text += &format!("{:36}{stop:>14}{:>14}\n", "stopping 1 M", "-");
    println!("{text}");
    if record::is_wanted() {
        record::write("actor", &text);
    }
}
