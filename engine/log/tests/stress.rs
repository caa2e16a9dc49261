//! Real threads, real sleep: what the models prove on small logs, shaken on long ones.
#![cfg(not(loom))]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use thalweg_log::{Cursor, Entry, Log, Options, channel};

/// Under Miri every step costs a microsecond and more.
const ENTRIES: u64 = if cfg!(miri) { 100 } else { 200_000 };
const OPTIONS: Options =
    Options { bytes_max: 1 << 30, segment_bytes_first: 96, segment_bytes_max: 4096, ..Options::new() };

/// The text of an entry: from nothing to more than fits a record, and now and then more than a segment.
fn text_of(seq: u64) -> Vec<u8> {
    let len = match seq % 97 {
        0 if seq.is_multiple_of(7) => 5000,
        rest => rest as usize / 3,
    };
    (0..len).map(|at| (seq as usize + at) as u8).collect()
}

fn check(entry: Entry<'_>, expected: u64) {
    assert_eq!(entry.seq, expected);
    assert_eq!((entry.num, entry.time_us, entry.kind), (expected as i64, expected ^ 0xff, expected as u32));
    assert_eq!(entry.text, text_of(expected));
    assert_eq!(entry.aux.len() as u64, expected % 5);
}

fn write_all(options: Options, batch: u64) -> (thread::JoinHandle<()>, Log) {
    let (mut writer, log) = channel(options);
    let thread = thread::spawn(move || {
        for seq in 0..ENTRIES {
            let text = text_of(seq);
            let entry = Entry {
                kind: seq as u32,
                num: seq as i64,
                time_us: seq ^ 0xff,
                text: &text,
                aux: &b"auxil"[..(seq % 5) as usize],
                ..Entry::default()
            };
            assert_eq!(writer.append(&entry), Ok(seq));
            if seq.is_multiple_of(batch) {
                writer.publish();
            }
        }
    });
    (thread, log)
}

fn read_blocking(mut cursor: Cursor) -> u64 {
    let mut expected = cursor.seq();
    while cursor.wait() {
        for entry in cursor.batch() {
            check(entry, expected);
            expected += 1;
        }
    }
    expected
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

async fn read_async(mut cursor: Cursor) -> u64 {
    let mut expected = cursor.seq();
    while cursor.ready().await {
        while let Some(entry) = cursor.next() {
            check(entry, expected);
            expected += 1;
        }
    }
    expected
}

#[test]
fn every_reader_sees_every_entry_whatever_it_waits_with() {
    for batch in [1, 32] {
        let (writer, log) = write_all(OPTIONS, batch);
        let mut readers = Vec::new();
        for number in 0..6 {
            let log = log.clone();
            readers.push(thread::spawn(move || match number % 3 {
                0 => read_blocking(log.cursor()),
                1 => block_on(read_async(log.cursor())),
                _ => {
                    // Comes late, and reads without ever sleeping.
                    thread::yield_now();
                    let mut cursor = log.cursor();
                    let mut expected = 0;
                    while !cursor.is_drained() {
                        match cursor.next() {
                            Some(entry) => check(entry, expected),
                            None => {
                                thread::yield_now();
                                continue;
                            }
                        }
                        expected += 1;
                    }
                    expected
                }
            }));
        }
        for reader in readers {
            assert_eq!(reader.join().unwrap(), ENTRIES);
        }
        writer.join().unwrap();
        assert_eq!(read_blocking(log.cursor()), ENTRIES);
        assert_eq!(read_blocking(log.cursor_at(ENTRIES / 2)), ENTRIES);
    }
}

#[test]
fn readers_come_and_go_while_the_log_is_written() {
    let (writer, log) = write_all(OPTIONS, 8);
    let visitors: Vec<_> = (0..3)
        .map(|number| {
            let log = log.clone();
            thread::spawn(move || {
                let mut visits = 0_u64;
                while !log.is_closed() {
                    let mut cursor = match visits % 3 {
                        0 => log.cursor(),
                        1 => log.cursor_at(visits * 31),
                        _ => log.cursor_at_end(),
                    };
                    for _ in 0..visits % 50 {
                        if number == 0 && !cursor.wait() {
                            break;
                        }
                        let expected = cursor.seq();
                        if let Some(entry) = cursor.next() {
                            check(entry, expected);
                        }
                    }
                    // Goes away while asleep.
                    let _ = pin!(cursor.ready()).poll(&mut Context::from_waker(Waker::noop()));
                    visits += 1;
                }
                visits
            })
        })
        .collect();
    let steady = log.cursor();
    drop(log);
    assert_eq!(read_blocking(steady), ENTRIES);
    writer.join().unwrap();
    for visitor in visitors {
        visitor.join().unwrap();
    }
}

#[test]
fn without_a_handle_for_replay_writer_and_readers_free_the_chain_between_them() {
    let (writer, log) = write_all(OPTIONS, 16);
    let readers = [log.cursor(), log.cursor(), log.cursor()].map(|cursor| thread::spawn(move || read_blocking(cursor)));
    drop(log);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), ENTRIES);
    }
    writer.join().unwrap();
}

#[test]
fn two_logs_played_against_each_other_never_hang() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let (mut ping, pings) = channel(Options::default());
    let (mut pong, pongs) = channel(Options::default());
    let echo = thread::spawn(move || {
        let mut cursor = pings.cursor();
        while cursor.wait() {
            while let Some(entry) = cursor.next() {
                pong.append(&entry).unwrap();
            }
            pong.publish();
        }
    });
    let mut cursor = pongs.cursor();
    for round in 0..rounds {
        ping.append(&Entry::new(1).with_num(round)).unwrap();
        ping.publish();
        assert!(cursor.wait());
        assert_eq!(cursor.next().map(|entry| entry.num), Some(round));
    }
    drop(ping);
    assert!(!cursor.wait());
    echo.join().unwrap();
}
