//! The event log against tokio's broadcast channel: publish and read on one thread.
//!
//! Both carry the same 48 bytes an event. The log keeps all of them for replay while it is measured and is then thrown
//! away; the channel keeps the newest 1,024. Written singly, an event is read by all readers before the next one comes;
//! in batches of 32, the log publishes once a batch.

use criterion::{Criterion, SamplingMode, Throughput};
use std::hint::black_box;
use std::time::Duration;
use thalweg_benches::table::Table;
use thalweg_log::{Cursor, Entry, Options, channel};
use tokio::sync::broadcast;

/// Events of one run: a long answer.
const EVENTS: u64 = 8192;
const READERS: [usize; 2] = [1, 8];
const BATCHES: [u64; 2] = [1, 32];
const WORD: &[u8; 4] = b"word";

/// Sum of all numbers and text lengths that every reader must arrive at.
const ANSWER: u64 = EVENTS * (EVENTS - 1) / 2 + EVENTS * WORD.len() as u64;

/// What the channel carries: an event with its text inline, as the log stores it.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "carried, as in the log, though this reader looks at two of them")]
struct Message {
    kind: u32,
    flags: u32,
    block: u32,
    sub: u32,
    num: u64,
    time_us: u64,
    text: [u8; 14],
    text_len: u8,
    aux_len: u8,
}

fn entry(number: u64) -> Entry<'static> {
    Entry { kind: 2, num: number as i64, time_us: number, text: black_box(WORD), ..Entry::default() }
}

fn read_singly(cursor: &mut Cursor, sum: &mut u64) {
    while let Some(entry) = cursor.next() {
        *sum += entry.num as u64 + entry.text.len() as u64;
    }
}

fn read_together(cursor: &mut Cursor, sum: &mut u64) {
    loop {
        let batch = cursor.batch();
        if batch.len() == 0 {
            return;
        }
        *sum += batch.map(|entry| entry.num as u64 + entry.text.len() as u64).sum::<u64>();
    }
}

fn log(readers: usize, batch: u64, read: fn(&mut Cursor, &mut u64)) {
    let (mut writer, log) = channel(Options::default());
    let mut cursors: Vec<(Cursor, u64)> = (0..readers).map(|_| (log.cursor(), 0)).collect();
    for start in (0..EVENTS).step_by(batch as usize) {
        for number in start..start + batch {
            writer.append(&entry(number)).expect("far below the limit");
        }
        writer.publish();
        for (cursor, sum) in &mut cursors {
            read(cursor, sum);
        }
    }
    assert!(cursors.iter().all(|(_, sum)| *sum == ANSWER), "a reader missed something");
}

fn replay(filled: &thalweg_log::Log, readers: usize) {
    for _ in 0..readers {
        let mut sum = 0;
        read_together(&mut filled.cursor(), &mut sum);
        assert_eq!(sum, ANSWER);
    }
}

fn tokio_broadcast(readers: usize, batch: u64) {
    let (sender, receiver) = broadcast::channel(1024);
    let mut receivers = vec![(receiver, 0)];
    receivers.extend((1..readers).map(|_| (sender.subscribe(), 0)));
    for start in (0..EVENTS).step_by(batch as usize) {
        for number in start..start + batch {
            let mut text = [0; 14];
            text[..WORD.len()].copy_from_slice(black_box(WORD));
            let message = Message {
                kind: 2,
                flags: 0,
                block: 0,
                sub: 0,
                num: number,
                time_us: number,
                text,
                text_len: WORD.len() as u8,
                aux_len: 0,
            };
            assert!(sender.send(message).is_ok(), "receivers are there");
        }
        for (receiver, sum) in &mut receivers {
            while let Ok(message) = receiver.try_recv() {
                *sum += message.num + u64::from(message.text_len);
                black_box(&message);
            }
        }
    }
    assert!(receivers.iter().all(|(_, sum)| *sum == ANSWER), "a receiver missed something");
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let mut table = Table::new("log");
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(EVENTS)).sampling_mode(SamplingMode::Flat);
    let mut bench = |name: &str, work: &mut dyn FnMut()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| table.sample(name, EVENTS, 0, times, &mut *work));
        });
    };
    for readers in READERS {
        for batch in BATCHES {
            bench(&format!("thalweg/batch {batch}/{readers} readers"), &mut || log(readers, batch, read_singly));
        }
        bench(&format!("thalweg, batch reads/batch 32/{readers} readers"), &mut || log(readers, 32, read_together));
        for batch in BATCHES {
            bench(&format!("tokio broadcast/batch {batch}/{readers} readers"), &mut || tokio_broadcast(readers, batch));
        }
    }
    let (mut writer, filled) = channel(Options::default());
    for number in 0..EVENTS {
        writer.append(&entry(number)).expect("far below the limit");
    }
    writer.close();
    bench("thalweg/replay/1 readers", &mut || replay(&filled, 1));
    group.finish();
    criterion.final_summary();
    table.finish();
}

const _: () = assert!(size_of::<Message>() == 48, "as much as the log stores");
const _: () = assert!(EVENTS.is_multiple_of(32));
