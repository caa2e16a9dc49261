//! What a window keeps, what it says to readers that fall behind, and who may hold the writer back.
#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use thalweg_log::{AppendError, Cursor, Entry, LAGGED, Options, Pool, PoolOptions, WhenFull, Writer, channel};

const WINDOW: Options = Options { when_full: WhenFull::DropOldest, ..Options::new() };

fn append(writer: &mut Writer, num: u64) {
    writer.append(&Entry::new(1).with_num(num as i64).with_text(b"text")).unwrap();
}

/// Numbers of the entries read, and how many it was told to have missed.
fn read(cursor: &mut Cursor) -> (Vec<i64>, i64) {
    let (mut read, mut missed) = (Vec::new(), 0);
    while let Some(entry) = cursor.next() {
        if entry.kind == LAGGED {
            missed += entry.num;
        } else {
            assert_eq!((entry.num as u64, entry.text), (entry.seq, &b"text"[..]));
            read.push(entry.num);
        }
    }
    (read, missed)
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn window_of_entries_keeps_at_least_half_and_never_more() {
    for entries_max in [1, 2, 3, 4, 5, 7, 100, 1000] {
        let (mut writer, log) = channel(Options { entries_max, ..WINDOW });
        for num in 0..5000 {
            append(&mut writer, num);
            writer.publish();
            let (read, missed) = read(&mut log.cursor());
            assert!(read.len() as u64 <= entries_max, "{} of {entries_max}", read.len());
            assert!(read.len() as u64 >= (num + 1).min(entries_max.div_ceil(2)), "{} of {entries_max}", read.len());
            assert_eq!((read.last(), read.len() as i64 + missed), (Some(&(num as i64)), num as i64 + 1));
        }
    }
}

#[test]
fn window_of_bytes_stays_within_them_and_long_texts_count() {
    let bytes_max = 64 << 10;
    let (mut writer, log) = channel(Options { bytes_max, ..WINDOW });
    let text = vec![b'x'; 1000];
    for num in 0..10_000 {
        writer.append(&Entry::new(1).with_num(num).with_text(&text)).unwrap();
        writer.publish();
        assert!(writer.bytes() <= bytes_max);
    }
    let mut cursor = log.cursor();
    let lagged = cursor.next().map(|entry| (entry.kind, entry.num, entry.seq)).unwrap();
    let mut kept = 0;
    while let Some(entry) = cursor.next() {
        assert_eq!(entry.text, text);
        kept += 1;
    }
    assert_eq!(lagged, (LAGGED, 10_000 - kept, (10_000 - kept - 1) as u64));
    assert!((30..=62).contains(&kept), "{kept} of 1,048 bytes each in 64 KiB");
    let longer = vec![b'x'; bytes_max];
    let refused = writer.append(&Entry::new(1).with_text(&longer));
    assert!(matches!(refused, Err(AppendError::Full { .. })), "{refused:?}");
}

#[test]
fn lag_is_told_once_and_peek_and_batch_and_clones_tell_it_too() {
    let (mut writer, log) = channel(Options { entries_max: 8, ..WINDOW });
    let mut behind = log.cursor();
    for num in 0..100 {
        append(&mut writer, num);
    }
    writer.publish();
    append(&mut writer, 100);
    writer.publish();
    assert!(behind.peek().is_some_and(|entry| entry.kind == LAGGED));
    let mut other = behind.clone();
    let (numbers, missed) = read(&mut behind);
    assert_eq!(numbers.len() as i64 + missed, 101);
    assert_eq!(read(&mut other), (numbers.clone(), missed));
    let mut batches = log.cursor();
    let first: Vec<_> = batches.batch().map(|entry| (entry.kind, entry.num)).collect();
    assert_eq!(first, [(LAGGED, missed)]);
    assert_eq!(batches.batch().next().map(|entry| entry.num), Some(missed));
    assert!(read(&mut behind).0.is_empty());
}

#[test]
fn reader_that_comes_back_misses_only_what_it_has_not_asked_for() {
    let (mut writer, log) = channel(Options { entries_max: 16, ..WINDOW });
    for num in 0..100 {
        append(&mut writer, num);
        writer.publish();
    }
    let oldest = read(&mut log.cursor()).1;
    assert_eq!(read(&mut log.cursor_at(50)).1, oldest - 50);
    assert_eq!(read(&mut log.cursor_at(oldest as u64 + 3)), ((oldest + 3..100).collect(), 0));
    assert_eq!(read(&mut log.cursor_at_end()), (vec![], 0));
    let mut at_end = log.cursor_at_end();
    append(&mut writer, 100);
    drop(writer);
    assert_eq!(read(&mut at_end), (vec![100], 0));
    assert!(at_end.is_drained());
}

#[test]
fn reader_finishes_the_segment_it_stands_on_though_the_window_has_moved_on() {
    let (mut writer, log) = channel(Options { entries_max: 8, segment_bytes_first: 96, ..WINDOW });
    append(&mut writer, 0);
    append(&mut writer, 1);
    writer.publish();
    let mut cursor = log.cursor();
    assert_eq!(cursor.next().map(|entry| entry.num), Some(0));
    for num in 2..1000 {
        append(&mut writer, num);
        writer.publish();
    }
    assert_eq!(cursor.next().map(|entry| entry.num), Some(1));
    assert!(cursor.next().is_some_and(|entry| entry.kind == LAGGED));
}

#[test]
fn log_without_a_window_refuses_more_entries_than_allowed_but_can_be_ended() {
    for text in ["", "longer than what fits a record"] {
        let (mut writer, log) = channel(Options { entries_max: 25, ..Options::default() });
        for _ in 0..25 {
            writer.append(&Entry::new(1).with_text(text.as_bytes())).unwrap();
        }
        let refused = writer.append(&Entry::new(1)).unwrap_err();
        assert_eq!(refused, AppendError::TooMany { entries_max: 25 });
        assert!(refused.to_string().contains("it has 25 entries; raise entries_max"));
        writer.close_with(&Entry::new(2)).unwrap();
        assert_eq!(log.len(), 26);
    }
}

#[test]
fn writer_waits_for_the_reader_that_holds_it_back_and_for_no_other() {
    let options = Options { ahead_bytes_max: 4096, segment_bytes_max: 1024, ..Options::default() };
    let (mut writer, log) = channel(options);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let lazy = log.cursor();
    for num in 0..1000 {
        assert!(writer.poll_room(&mut cx).is_ready(), "nobody holds it back");
        append(&mut writer, num);
    }
    let mut cursor = log.cursor_at_end().hold_back();
    assert_eq!(read(&mut cursor).0.len(), 0);
    writer.publish();
    assert_eq!(read(&mut cursor).0.len(), 1000);
    let mut ahead = 0;
    while writer.poll_room(&mut cx).is_ready() {
        append(&mut writer, 1000 + ahead);
        ahead += 1;
    }
    // It may be a segment more or less, since readers are watched from segment to segment.
    assert!((40..=110).contains(&ahead), "{ahead} entries of 48 bytes");
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    assert_eq!(read(&mut cursor).0.len() as u64, ahead, "what it waits for was published");
    assert_eq!(count.0.load(Ordering::SeqCst), 1, "woken once");
    assert!(writer.poll_room(&mut cx).is_ready());
    drop((cursor, lazy));
}

#[test]
fn reader_that_goes_away_or_is_one_of_several_clones_does_not_keep_the_writer_waiting() {
    let (mut writer, log) = channel(Options { ahead_bytes_max: 0, ..Options::default() });
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let first = log.cursor().hold_back();
    let second = first.clone();
    append(&mut writer, 0);
    assert!(writer.poll_room(&mut cx).is_pending());
    drop(first);
    assert!(writer.poll_room(&mut cx).is_pending());
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    drop(second);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(writer.poll_room(&mut cx).is_ready());
}

#[test]
fn slow_reader_that_holds_the_writer_back_misses_nothing_of_a_small_window() {
    const ENTRIES: u64 = 20_000;
    let options = Options { bytes_max: 8192, segment_bytes_max: 1024, ahead_bytes_max: 4096, ..WINDOW };
    let pool = Pool::new(PoolOptions::default());
    let (mut writer, log) = pool.channel(options);
    let (mut slow, mut careless) = (log.cursor().hold_back(), log.cursor());
    drop(log);
    let slow = thread::spawn(move || {
        let mut seen = 0;
        while slow.wait() {
            if seen % 64 == 0 {
                thread::yield_now();
            }
            for entry in slow.batch() {
                assert_eq!(entry.num, seen);
                seen += 1;
            }
        }
        seen
    });
    let careless = thread::spawn(move || {
        let (mut seen, mut missed) = (0, 0);
        while careless.wait() {
            let (numbers, lag) = read(&mut careless);
            (seen, missed) = (seen + numbers.len() as i64, missed + lag);
        }
        seen + missed
    });
    for num in 0..ENTRIES {
        writer.wait_room();
        append(&mut writer, num);
        assert!(writer.bytes() <= 8192 + 1024, "{} bytes", writer.bytes());
    }
    drop(writer);
    assert_eq!((slow.join().unwrap(), careless.join().unwrap()), (ENTRIES as i64, ENTRIES as i64));
    assert_eq!(pool.bytes_used(), 0);
}

#[test]
fn pool_limits_all_its_logs_together_and_forgets_what_was_dropped() {
    let pool = Pool::new(PoolOptions { bytes_max: 4096, ..PoolOptions::default() });
    let (mut one, one_log) = pool.channel(Options::default());
    let (mut two, two_log) = pool.channel(Options::default());
    let mut full = None;
    while full.is_none() {
        full = one.append(&Entry::new(1)).err();
    }
    let full = full.unwrap();
    assert!(matches!(full, AppendError::PoolFull { bytes_max: 4096, .. }), "{full:?}");
    assert!(full.to_string().starts_with("all logs together are full: 3584 of 4096 bytes used and 4096 more needed"));
    two.append(&Entry::new(1)).expect("512 bytes are left");
    let entries = one.len();
    one.close_with(&Entry::new(2)).expect("the last one always goes in");
    assert_eq!(one_log.len(), entries + 1);
    drop((one, one_log));
    assert_eq!(pool.bytes_used(), 512);
    for _ in 0..30 {
        two.append(&Entry::new(1)).expect("there is room again");
    }
    drop((two, two_log));
    assert_eq!((pool.bytes_used(), pool.bytes_kept()), (0, 512 + 512 + 1024 + 2048));
}
