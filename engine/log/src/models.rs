//! Models for loom, which tries every interleaving and every allowed stale read.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p thalweg-log --release --lib`. Preemptions are bounded to
//! [`PREEMPTIONS`] (or `LOOM_MAX_PREEMPTIONS`): without a bound the models do not end in reasonable time, and bugs of this
//! kind show with one or two.

use crate::{Cursor, Entry, LAGGED, Options, Pool, PoolOptions, WhenFull, Writer, channel};
use core::task::{Context, Poll, Waker};
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;
use std::sync::Arc;
use std::task::Wake;

const PREEMPTIONS: usize = 3;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(body);
}

/// One record a segment: every append but the first one steps over to a new segment.
const TINY: Options = Options { bytes_max: 1 << 16, segment_bytes_first: 48, segment_bytes_max: 48, ..Options::new() };
/// All records of a model in one segment.
const ROOMY: Options =
    Options { bytes_max: 1 << 16, segment_bytes_first: 512, segment_bytes_max: 512, ..Options::new() };

fn append(writer: &mut Writer, num: i64) {
    writer.append(&Entry::new(1).with_num(num).with_text(b"text")).unwrap();
}

/// Reads until the log is drained, blocking, and checks that entries come in order and unharmed.
fn read_all(cursor: &mut Cursor) -> i64 {
    let mut expected = cursor.seq() as i64;
    while cursor.wait() {
        let mut read = 0;
        while let Some(entry) = cursor.next() {
            assert_eq!((entry.num, entry.text), (expected, &b"text"[..]));
            expected += 1;
            read += 1;
        }
        assert!(read > 0, "woken to read nothing");
    }
    assert!(cursor.next().is_none());
    expected
}

#[test]
fn reader_sees_whole_entries_in_order() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || {
            let mut seen = 0;
            for _ in 0..3 {
                while let Some(entry) = cursor.next() {
                    assert_eq!((entry.num, entry.text), (seen, &b"text"[..]));
                    seen += 1;
                }
            }
        });
        append(&mut writer, 0);
        append(&mut writer, 1);
        writer.publish();
        append(&mut writer, 2);
        writer.publish();
        reader.join().unwrap();
    });
}

#[test]
fn blocked_reader_is_never_left_asleep() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || read_all(&mut cursor));
        append(&mut writer, 0);
        writer.publish();
        append(&mut writer, 1);
        writer.publish();
        drop(writer);
        assert_eq!(reader.join().unwrap(), 2);
    });
}

#[test]
fn close_wakes_a_reader_of_an_empty_log() {
    model(|| {
        let (writer, log) = channel(ROOMY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || read_all(&mut cursor));
        drop(writer);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn reader_follows_over_segments() {
    model(|| {
        let (mut writer, log) = channel(TINY);
        let mut cursor = log.cursor();
        drop(log);
        let reader = thread::spawn(move || read_all(&mut cursor));
        for num in 0..2 {
            append(&mut writer, num);
            writer.publish();
        }
        drop(writer);
        assert_eq!(reader.join().unwrap(), 2);
    });
}

#[test]
fn several_segments_in_one_batch_appear_together() {
    model(|| {
        let (mut writer, log) = channel(TINY);
        let reader = thread::spawn(move || {
            let mut cursor = log.cursor();
            let mut seen = 0;
            while let Some(entry) = cursor.next() {
                assert_eq!(entry.num, seen);
                seen += 1;
            }
            assert!(seen == 0 || seen == 3, "{seen} of a batch of 3");
        });
        for num in 0..3 {
            append(&mut writer, num);
        }
        writer.publish();
        reader.join().unwrap();
    });
}

#[test]
fn reader_that_attaches_while_the_log_is_written_replays_from_the_start() {
    model(|| {
        let (mut writer, log) = channel(TINY);
        append(&mut writer, 0);
        writer.publish();
        let late = log.clone();
        let reader = thread::spawn(move || {
            let at_end = late.cursor_at_end();
            assert!(at_end.seq() >= 1);
            assert_eq!(read_all(&mut late.cursor()), 3);
        });
        append(&mut writer, 1);
        append(&mut writer, 2);
        drop(writer);
        reader.join().unwrap();
        assert_eq!(read_all(&mut log.cursor()), 3);
    });
}

#[test]
fn reader_may_go_away_while_the_log_is_written() {
    model(|| {
        let (mut writer, log) = channel(TINY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || {
            cursor.next();
            drop(cursor);
        });
        drop(log);
        append(&mut writer, 0);
        writer.publish();
        append(&mut writer, 1);
        writer.publish();
        drop(writer);
        reader.join().unwrap();
    });
}

#[test]
fn last_holders_of_a_chain_may_let_go_at_the_same_time() {
    model(|| {
        let (mut writer, log) = channel(TINY);
        for num in 0..3 {
            append(&mut writer, num);
        }
        writer.publish();
        let mut ahead = log.cursor();
        ahead.next();
        let other = thread::spawn(move || drop(ahead));
        drop(log);
        drop(writer);
        other.join().unwrap();
    });
}

/// Counts wakes: stands for a task.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls as one task; gives the task if it went to sleep, or else reads all there is.
fn poll(cursor: &mut Cursor) -> Option<Arc<Count>> {
    let task = Arc::new(Count::default());
    match cursor.poll_ready(&mut Context::from_waker(&Waker::from(Arc::clone(&task)))) {
        Poll::Pending => Some(task),
        Poll::Ready(_) => {
            while cursor.next().is_some() {}
            None
        }
    }
}

/// When all is published: who sleeps although there is something to read must have been woken.
fn assert_not_left_asleep(asleep: Option<Arc<Count>>, mut cursor: Cursor) {
    let Some(task) = asleep else { return };
    let woken = task.0.load(SeqCst);
    if cursor.next().is_some() || cursor.is_drained() {
        assert!(woken >= 1, "asleep for ever at {}", cursor.seq());
    } else {
        assert_eq!(woken, 0, "woken for nothing");
    }
}

#[test]
fn two_sleeping_readers_are_both_woken() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let mut here = log.cursor();
        let mut there = log.cursor();
        let reader = thread::spawn(move || (poll(&mut there), there));
        let asleep = poll(&mut here);
        append(&mut writer, 0);
        writer.publish();
        assert_not_left_asleep(asleep, here);
        let (asleep, there) = reader.join().unwrap();
        assert_not_left_asleep(asleep, there);
    });
}

#[test]
fn two_readers_may_go_to_sleep_at_the_same_time() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let readers = [log.cursor(), log.cursor()].map(|mut cursor| thread::spawn(move || (poll(&mut cursor), cursor)));
        append(&mut writer, 0);
        writer.publish();
        for reader in readers {
            let (asleep, cursor) = reader.join().unwrap();
            assert_not_left_asleep(asleep, cursor);
        }
    });
}

#[test]
fn task_that_moves_is_woken_through_its_last_waker() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || {
            let mut asleep = None;
            for _ in 0..3 {
                asleep = poll(&mut cursor);
            }
            (asleep, cursor)
        });
        for num in 0..2 {
            append(&mut writer, num);
            writer.publish();
        }
        let (asleep, mut cursor) = reader.join().unwrap();
        let Some(task) = asleep else { return };
        // Woken for nothing is allowed here: an earlier sleep may still have been queued.
        if cursor.next().is_some() {
            assert!(task.0.load(SeqCst) >= 1, "asleep for ever at {}", cursor.seq());
        }
    });
}

#[test]
fn close_wakes_whoever_sleeps() {
    model(|| {
        let (writer, log) = channel(ROOMY);
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || (poll(&mut cursor), cursor));
        drop(writer);
        let (asleep, cursor) = reader.join().unwrap();
        assert!(cursor.is_drained());
        assert_not_left_asleep(asleep, cursor);
    });
}

#[test]
fn reader_that_is_dropped_asleep_disturbs_nobody() {
    model(|| {
        let (mut writer, log) = channel(ROOMY);
        let mut living = log.cursor();
        let asleep = poll(&mut living);
        let mut dying = log.cursor();
        let reader = thread::spawn(move || drop((poll(&mut dying), dying)));
        append(&mut writer, 0);
        writer.publish();
        assert_not_left_asleep(asleep, living);
        reader.join().unwrap();
    });
}

/// A window of two records: one segment is written while another is kept.
const WINDOW: Options = Options { entries_max: 2, when_full: WhenFull::DropOldest, ..TINY };

/// Reads what is there now; gives how far it is, and how many entries it was told to have missed.
fn read_or_lag(cursor: &mut Cursor) -> (i64, i64) {
    let (mut expected, mut missed) = (cursor.seq() as i64, 0);
    while let Some(entry) = cursor.next() {
        if entry.kind == LAGGED {
            missed += entry.num;
            // It stands in the place of the last one dropped.
            expected = entry.seq as i64 + 1;
        } else {
            assert_eq!((entry.num, entry.text), (expected, &b"text"[..]));
            expected += 1;
        }
    }
    (expected, missed)
}

#[test]
fn window_may_drop_the_segment_that_a_reader_steps_over_to() {
    model(|| {
        let (mut writer, log) = channel(WINDOW);
        append(&mut writer, 0);
        writer.publish();
        let mut cursor = log.cursor();
        assert_eq!(cursor.next().map(|entry| entry.num), Some(0));
        let reader = thread::spawn(move || {
            let (now, missed) = read_or_lag(&mut cursor);
            (now, missed, cursor)
        });
        for num in 1..4 {
            append(&mut writer, num);
            writer.publish();
        }
        let (now, missed, mut cursor) = reader.join().unwrap();
        let (end, missed_later) = read_or_lag(&mut cursor);
        assert!((1..=4).contains(&now) && end == 4, "{now} {end}");
        assert!(missed + missed_later <= 2, "the newest two are kept");
    });
}

#[test]
fn reader_may_attach_while_the_window_moves() {
    model(|| {
        let (mut writer, log) = channel(WINDOW);
        append(&mut writer, 0);
        append(&mut writer, 1);
        writer.publish();
        let late = log.clone();
        let reader = thread::spawn(move || {
            let mut cursor = late.cursor();
            let (end, missed) = read_or_lag(&mut cursor);
            assert!(end >= 2 && missed < end, "{missed} of {end}");
        });
        append(&mut writer, 2);
        writer.publish();
        drop(writer);
        reader.join().unwrap();
    });
}

#[test]
fn writer_that_waits_for_a_reader_is_never_left_asleep() {
    model(|| {
        let (mut writer, log) = channel(Options { ahead_bytes_max: 48, ..WINDOW });
        let mut cursor = log.cursor().hold_back();
        drop(log);
        let reader = thread::spawn(move || read_all(&mut cursor));
        for num in 0..3 {
            writer.wait_room();
            append(&mut writer, num);
            writer.publish();
        }
        drop(writer);
        assert_eq!(reader.join().unwrap(), 3, "who holds the writer back misses nothing");
    });
}

#[test]
fn reader_that_goes_away_lets_the_writer_go_on() {
    model(|| {
        let (mut writer, log) = channel(Options { ahead_bytes_max: 0, ..TINY });
        let cursor = log.cursor().hold_back();
        let reader = thread::spawn(move || drop(cursor));
        append(&mut writer, 0);
        writer.wait_room();
        reader.join().unwrap();
    });
}

#[test]
fn segment_goes_back_to_its_pool_once_whoever_lets_go_last() {
    model(|| {
        let pool = Pool::new(PoolOptions::default());
        let (mut writer, log) = pool.channel(ROOMY);
        append(&mut writer, 0);
        writer.publish();
        let mut cursor = log.cursor();
        let reader = thread::spawn(move || {
            assert_eq!(cursor.next().map(|entry| entry.num), Some(0));
        });
        drop((writer, log));
        reader.join().unwrap();
        assert_eq!(pool.bytes_used(), 0);
        // Or it was freed, when both let go at the same time.
        assert!(pool.bytes_kept() <= 512);
        let (mut writer, log) = pool.channel(ROOMY);
        append(&mut writer, 0);
        writer.publish();
        assert_eq!(log.cursor().next().map(|entry| entry.num), Some(0));
    });
}
