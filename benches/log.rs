//! The event log against two broadcast channels and a ring buffer: publish and read on one thread.
//!
//! All carry 48 bytes an event, with the same short texts. The log keeps all of them for replay while it is measured and
//! is then thrown away, or as a window of 64 KiB the newest; the others keep 1,024 at most, and the ring buffer's writer
//! would spin if a reader were that far behind. A `pool` lends the log the segments of the one before. In batches of 1
//! every reader reads an event before the next one comes; in batches of 32 the log publishes once a batch.

use criterion::{Criterion, SamplingMode, Throughput};
use disruptor::{BusySpin, Polling, Producer, build_single_producer};
use std::hint::black_box;
use std::time::Duration;
use thalweg_benches::random::Random;
use thalweg_benches::table::Table;
use thalweg_log::{Cursor, Entry, Log, Options, Pool, PoolOptions, WhenFull, Writer, channel};
use tokio::sync::broadcast;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of one run: a long answer.
const EVENTS: usize = 8192;
const READERS: [usize; 3] = [1, 4, 8];
const BATCHES: [usize; 2] = [1, 32];

/// What the channel carries: an event with its text inline, as the log stores it.
#[derive(Clone, Copy, Default)]
#[expect(dead_code, reason = "carried, as in the log, though this reader looks at two of them")]
struct Message {
    kind: u32,
    flags: u32,
    block: u32,
    sub: u32,
    num: i64,
    time_us: u64,
    text: [u8; 14],
    text_len: u8,
    aux_len: u8,
}

/// What is published, made before the clock starts.
struct Input {
    entries: Vec<Entry<'static>>,
    messages: Vec<Message>,
    /// Sum of all numbers and text lengths, at which every reader must arrive.
    answer: u64,
}

impl Input {
    fn new() -> Self {
        let mut random = Random::new(1);
        let entries: Vec<Entry<'static>> = (0..EVENTS)
            .map(|number| Entry {
                kind: 2,
                num: number as i64,
                time_us: number as u64,
                text: random.word().as_bytes(),
                ..Entry::default()
            })
            .collect();
        let message = |entry: &Entry<'_>| {
            let mut text = [0; 14];
            text[..entry.text.len()].copy_from_slice(entry.text);
            let (num, time_us, text_len) = (entry.num, entry.time_us, entry.text.len() as u8);
            Message { kind: entry.kind, flags: 0, block: 0, sub: 0, num, time_us, text, text_len, aux_len: 0 }
        };
        let messages = entries.iter().map(message).collect();
        let answer = entries.iter().map(|entry| entry.num as u64 + entry.text.len() as u64).sum();
        Self { entries, messages, answer }
    }
}

fn read_singly(cursor: &mut Cursor, sum: &mut u64) {
    while let Some(entry) = cursor.next() {
        *sum += entry.num as u64 + entry.text.len() as u64;
        black_box(entry.text.as_ptr());
    }
}

fn read_together(cursor: &mut Cursor, sum: &mut u64) {
    loop {
        let batch = cursor.batch();
        if batch.len() == 0 {
            return;
        }
        for entry in batch {
            *sum += entry.num as u64 + entry.text.len() as u64;
            black_box(entry.text.as_ptr());
        }
    }
}

fn log(input: &Input, (mut writer, log): (Writer, Log), readers: usize, batch: usize, read: fn(&mut Cursor, &mut u64)) {
    let mut cursors: Vec<(Cursor, u64)> = (0..readers).map(|_| (log.cursor(), 0)).collect();
    for entries in input.entries.chunks(batch) {
        for entry in entries {
            writer.append(entry).expect("far below the limit");
        }
        writer.publish();
        for (cursor, sum) in &mut cursors {
            read(cursor, sum);
        }
    }
    assert!(cursors.iter().all(|(_, sum)| *sum == input.answer), "a reader missed something");
}

fn replay(filled: &Log, answer: u64) {
    let mut sum = 0;
    read_together(&mut filled.cursor(), &mut sum);
    assert_eq!(sum, answer);
}

fn tokio_broadcast(input: &Input, readers: usize, batch: usize) {
    let (sender, receiver) = broadcast::channel(1024);
    let mut receivers = vec![(receiver, 0)];
    receivers.extend((1..readers).map(|_| (sender.subscribe(), 0)));
    for messages in input.messages.chunks(batch) {
        for message in messages {
            assert!(sender.send(*message).is_ok(), "receivers are there");
        }
        for (receiver, sum) in &mut receivers {
            while let Ok(message) = receiver.try_recv() {
                *sum += message.num as u64 + u64::from(message.text_len);
                black_box(&message);
            }
        }
    }
    assert!(receivers.iter().all(|(_, sum)| *sum == input.answer), "a receiver missed something");
}

fn async_broadcast(input: &Input, readers: usize, batch: usize) {
    let (sender, receiver) = async_broadcast::broadcast(1024);
    let mut receivers: Vec<_> = (1..readers).map(|_| (receiver.clone(), 0)).collect();
    receivers.push((receiver, 0));
    for messages in input.messages.chunks(batch) {
        for message in messages {
            assert!(sender.try_broadcast(*message).is_ok(), "there is room");
        }
        for (receiver, sum) in &mut receivers {
            while let Ok(message) = receiver.try_recv() {
                *sum += message.num as u64 + u64::from(message.text_len);
                black_box(&message);
            }
        }
    }
    assert!(receivers.iter().all(|(_, sum)| *sum == input.answer), "a receiver missed something");
}

/// The number of pollers is part of its type's construction, so the loop is a macro's.
macro_rules! disruptor_with {
    ($input:expr, $batch:expr, $builder:expr, $($poller:ident)+) => {{
        let builder = $builder;
        $(let (mut $poller, builder) = builder.new_event_poller();)+
        let mut producer = builder.build();
        let mut sums = Vec::new();
        sums.resize([$(stringify!($poller)),+].len(), 0_u64);
        for messages in $input.messages.chunks($batch) {
            for message in messages {
                producer.publish(|slot| *slot = *message);
            }
            let mut at = 0;
            $(
                match $poller.poll() {
                    Ok(mut events) => {
                        for message in &mut events {
                            sums[at] += message.num as u64 + u64::from(message.text_len);
                            black_box(message);
                        }
                    }
                    Err(Polling::NoEvents | Polling::Shutdown) => {}
                }
                at += 1;
            )+
            black_box(at);
        }
        assert!(sums.iter().all(|sum| *sum == $input.answer), "a poller missed something");
    }};
}

fn disruptor(input: &Input, readers: usize, batch: usize) {
    let builder = || build_single_producer(1024, Message::default, BusySpin);
    match readers {
        1 => disruptor_with!(input, batch, builder(), a),
        4 => disruptor_with!(input, batch, builder(), a b c d),
        _ => disruptor_with!(input, batch, builder(), a b c d e f g h),
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let mut table = Table::new("log");
    let input = Input::new();
    let pool = Pool::new(PoolOptions::default());
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(EVENTS as u64)).sampling_mode(SamplingMode::Flat);
    let mut bench = |name: &str, work: &mut dyn FnMut()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| table.sample(name, EVENTS as u64, 0, times, &mut *work));
        });
    };
    for readers in READERS {
        for batch in BATCHES {
            let name = format!("thalweg/batch {batch}/readers {readers}");
            bench(&name, &mut || log(&input, channel(Options::default()), readers, batch, read_singly));
        }
        bench(&format!("thalweg, read in batches/batch 32/readers {readers}"), &mut || {
            log(&input, channel(Options::default()), readers, 32, read_together);
        });
        bench(&format!("thalweg, pool/batch 1/readers {readers}"), &mut || {
            log(&input, pool.channel(Options::default()), readers, 1, read_singly);
        });
        bench(&format!("thalweg, window/batch 1/readers {readers}"), &mut || {
            log(&input, pool.channel(WINDOW), readers, 1, read_singly);
        });
        for batch in BATCHES {
            let name = format!("tokio broadcast/batch {batch}/readers {readers}");
            bench(&name, &mut || tokio_broadcast(&input, readers, batch));
            let name = format!("async-broadcast/batch {batch}/readers {readers}");
            bench(&name, &mut || async_broadcast(&input, readers, batch));
            let name = format!("disruptor/batch {batch}/readers {readers}");
            bench(&name, &mut || disruptor(&input, readers, batch));
        }
    }
    let (mut writer, filled) = channel(Options::default());
    for entry in &input.entries {
        writer.append(entry).expect("far below the limit");
    }
    writer.close();
    bench("thalweg/replay/readers 1", &mut || replay(&filled, input.answer));
    group.finish();
    criterion.final_summary();
    table.finish();
}

const WINDOW: Options = Options { bytes_max: 64 << 10, when_full: WhenFull::DropOldest, ..Options::new() };

const _: () = assert!(size_of::<Message>() == 48, "as much as the log stores");
