//! What a user of the log can rely on, from the outside.
#![cfg(not(loom))]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use thalweg_log::{AppendError, Cursor, Entry, Log, Options, Writer, channel};

fn texts(cursor: &mut Cursor) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(entry) = cursor.next() {
        texts.push(String::from_utf8(entry.text.to_vec()).unwrap());
    }
    texts
}

fn say(writer: &mut Writer, texts: &[&str]) {
    for text in texts {
        writer.append(&Entry::new(1).with_text(text.as_bytes())).unwrap();
    }
    writer.publish();
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counted() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn a_peek_gives_the_next_entry_and_stays() {
    let (mut writer, log) = channel(Options::default());
    writer.append(&Entry::new(1).with_text(b"one")).unwrap();
    writer.append(&Entry::new(2).with_text(b"two")).unwrap();
    let mut cursor = log.cursor();
    assert_eq!(cursor.peek(), None, "nothing is published yet");
    writer.publish();
    for expected in [&b"one"[..], b"two"] {
        assert_eq!(cursor.peek().map(|entry| entry.text), Some(expected));
        assert_eq!(cursor.peek().map(|entry| entry.text), Some(expected));
        assert_eq!(cursor.next().map(|entry| entry.text), Some(expected));
    }
    assert_eq!(cursor.peek(), None);
}

#[test]
fn all_fields_come_back_as_they_were_appended() {
    let (mut writer, log) = channel(Options::default());
    let long = "x".repeat(5000);
    let cases: [(&[u8], &[u8]); 9] = [
        (b"", b""),
        (b"four", b""),
        (b"", b"aux"),
        (b"12345678901234", b""),
        (b"1234567", b"1234567"),
        (b"123456789012345", b""),
        (b"", b"123456789012345"),
        (b"get_weather", b"call_8f3a0e6c2b"),
        (long.as_bytes(), b"id"),
    ];
    for (number, (text, aux)) in cases.iter().enumerate() {
        let entry = Entry {
            kind: u32::MAX - number as u32,
            flags: 1 << number,
            block: 7,
            sub: u32::MAX,
            num: i64::MIN + number as i64,
            time_us: u64::MAX - number as u64,
            seq: 999,
            text,
            aux,
        };
        assert_eq!(writer.append(&entry), Ok(number as u64));
    }
    writer.publish();
    let mut cursor = log.cursor();
    for (number, (text, aux)) in cases.iter().enumerate() {
        let entry = cursor.next().unwrap();
        assert_eq!((entry.text, entry.aux), (*text, *aux));
        assert_eq!(entry.seq, number as u64);
        assert_eq!(entry.kind, u32::MAX - number as u32);
        assert_eq!((entry.flags, entry.block, entry.sub), (1 << number, 7, u32::MAX));
        assert_eq!((entry.num, entry.time_us), (i64::MIN + number as i64, u64::MAX - number as u64));
    }
    assert_eq!(cursor.next(), None);
}

#[test]
fn entries_are_seen_only_after_publish() {
    let (mut writer, log) = channel(Options::default());
    let mut cursor = log.cursor();
    writer.append(&Entry::new(1).with_text(b"a")).unwrap();
    assert_eq!((writer.len(), writer.pending(), log.len()), (1, 1, 0));
    assert_eq!(cursor.next(), None);
    writer.publish();
    assert_eq!((writer.pending(), log.len()), (0, 1));
    assert_eq!(texts(&mut cursor), ["a"]);
}

#[test]
fn late_reader_replays_from_the_start_over_all_segments() {
    let (mut writer, log) = channel(Options { segment_bytes_first: 48, segment_bytes_max: 1024, ..Options::default() });
    let words: Vec<String> = (0..500).map(|n| format!("{n} {}", "long ".repeat(n % 40))).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut early = log.cursor();
    let mut seen = Vec::new();
    for some in words.chunks(7) {
        say(&mut writer, some);
        seen.extend(texts(&mut early));
    }
    drop(writer);
    assert_eq!(seen, words);
    assert_eq!(texts(&mut log.cursor()), words);
    assert_eq!(texts(&mut log.clone().cursor()), words);
}

#[test]
fn readers_have_places_of_their_own() {
    let (mut writer, log) = channel(Options::default());
    say(&mut writer, &["a", "b", "c"]);
    let mut first = log.cursor();
    assert_eq!(first.next().unwrap().text, b"a");
    let mut second = first.clone();
    assert_eq!(texts(&mut first), ["b", "c"]);
    assert_eq!(second.seq(), 1);
    assert_eq!(texts(&mut second), ["b", "c"]);
    let mut last = log.cursor_at_end();
    assert_eq!(last.next(), None);
    say(&mut writer, &["d"]);
    assert_eq!(texts(&mut last), ["d"]);
}

#[test]
fn cursor_at_a_number_starts_there_in_every_segment() {
    let (mut writer, log) = channel(Options { segment_bytes_first: 96, segment_bytes_max: 200, ..Options::default() });
    for number in 0..50 {
        writer.append(&Entry::new(1).with_num(number)).unwrap();
    }
    writer.publish();
    for seq in 0..50 {
        let mut cursor = log.cursor_at(seq);
        assert_eq!(cursor.next().map(|entry| (entry.seq, entry.num)), Some((seq, seq as i64)));
    }
    assert_eq!(log.cursor_at(50).seq(), 50);
    assert_eq!(log.cursor_at(5000).seq(), 50);
}

#[test]
fn batch_gives_a_segment_at_a_time_and_keeps_what_was_not_taken() {
    let (mut writer, log) = channel(Options { segment_bytes_first: 480, segment_bytes_max: 480, ..Options::default() });
    for number in 0..25 {
        writer.append(&Entry::new(1).with_num(number)).unwrap();
    }
    writer.publish();
    let mut cursor = log.cursor();
    let sizes = [10, 10, 5, 0].map(|expected| {
        let batch = cursor.batch();
        assert_eq!(batch.len(), expected);
        batch.count()
    });
    assert_eq!(sizes, [10, 10, 5, 0]);
    let mut cursor = log.cursor();
    let taken: Vec<Entry<'_>> = cursor.batch().take(3).collect();
    assert_eq!(taken.iter().map(|entry| entry.num).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(cursor.next().unwrap().num, 3);
}

#[test]
fn sleeper_is_woken_once_for_a_batch_and_not_while_awake() {
    let (mut writer, log) = channel(Options::default());
    let (count, waker) = counted();
    let mut cx = Context::from_waker(&waker);
    let mut cursor = log.cursor();
    assert_eq!(cursor.poll_ready(&mut cx), Poll::Pending);
    assert_eq!(cursor.poll_ready(&mut cx), Poll::Pending);
    say(&mut writer, &["a", "b", "c"]);
    say(&mut writer, &["d"]);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(cursor.poll_ready(&mut cx), Poll::Ready(true));
    assert_eq!(texts(&mut cursor), ["a", "b", "c", "d"]);
    assert_eq!(cursor.poll_ready(&mut cx), Poll::Pending);
    drop(writer);
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
    assert_eq!(cursor.poll_ready(&mut cx), Poll::Ready(false));
}

#[test]
fn last_waker_given_is_the_one_called() {
    let (mut writer, log) = channel(Options::default());
    let (old, old_waker) = counted();
    let (new, new_waker) = counted();
    let mut cursor = log.cursor();
    assert!(cursor.poll_ready(&mut Context::from_waker(&old_waker)).is_pending());
    assert!(cursor.poll_ready(&mut Context::from_waker(&new_waker)).is_pending());
    say(&mut writer, &["a"]);
    assert_eq!((old.0.load(Ordering::SeqCst), new.0.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn dropped_future_loses_nothing() {
    let (mut writer, log) = channel(Options::default());
    let (_, waker) = counted();
    let mut cursor = log.cursor();
    assert!(pin!(cursor.ready()).poll(&mut Context::from_waker(&waker)).is_pending());
    say(&mut writer, &["a"]);
    assert_eq!(pin!(cursor.ready()).poll(&mut Context::from_waker(&waker)), Poll::Ready(true));
    assert_eq!(texts(&mut cursor), ["a"]);
}

#[test]
fn dropped_reader_lets_go_of_its_waker_and_the_others_are_still_woken() {
    let (mut writer, log) = channel(Options::default());
    let (gone, gone_waker) = counted();
    let (kept, kept_waker) = counted();
    let mut living = log.cursor();
    assert!(living.poll_ready(&mut Context::from_waker(&kept_waker)).is_pending());
    let mut dying = log.cursor();
    assert!(dying.poll_ready(&mut Context::from_waker(&gone_waker)).is_pending());
    drop(dying);
    drop(gone_waker);
    assert_eq!(Arc::strong_count(&gone), 1);
    say(&mut writer, &["a"]);
    assert_eq!((gone.0.load(Ordering::SeqCst), kept.0.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn waker_that_panics_does_not_cost_the_others_their_wake() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as the test wants it");
        }
    }
    let (mut writer, log) = channel(Options::default());
    let (count, waker) = counted();
    let panics = Waker::from(Arc::new(Panics));
    let mut cursors: Vec<Cursor> = (0..5).map(|_| log.cursor()).collect();
    for (number, cursor) in cursors.iter_mut().enumerate() {
        let waker = if number == 2 { &panics } else { &waker };
        assert!(cursor.poll_ready(&mut Context::from_waker(waker)).is_pending());
    }
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| say(&mut writer, &["a"])));
    assert!(caught.is_err());
    assert_eq!(count.0.load(Ordering::SeqCst), 4);
    assert_eq!(log.len(), 1);
}

#[test]
fn dropping_the_writer_publishes_what_is_pending_and_closes() {
    let (mut writer, log) = channel(Options::default());
    writer.append(&Entry::new(1).with_text(b"last")).unwrap();
    let mut cursor = log.cursor();
    assert!(!cursor.is_closed());
    drop(writer);
    assert!(log.is_closed() && cursor.is_closed() && !cursor.is_drained());
    assert!(cursor.wait());
    assert_eq!(texts(&mut cursor), ["last"]);
    assert!(!cursor.wait());
    assert!(cursor.is_drained());
}

#[test]
fn closed_log_takes_no_more_and_says_so() {
    let (mut writer, log) = channel(Options::default());
    say(&mut writer, &["a"]);
    writer.close();
    writer.close();
    let error = writer.append(&Entry::new(1)).unwrap_err();
    assert_eq!(error, AppendError::Closed);
    assert_eq!(error.to_string(), "log is closed");
    assert_eq!(log.len(), 1);
}

#[test]
fn full_log_says_so_keeps_what_it_has_and_can_still_be_ended() {
    let options = Options { bytes_max: 1000, ..Options::default() };
    let (mut writer, log) = channel(options);
    let mut appended = 0;
    let error = loop {
        match writer.append(&Entry::new(1).with_num(appended)) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(appended, 20);
    assert!(writer.bytes() <= options.bytes_max);
    assert_eq!(error, AppendError::Full { needed: 48, bytes: 1000, bytes_max: 1000 });
    assert_eq!(error.to_string(), "log is full: 1000 of 1000 bytes used and 48 more needed; raise bytes_max");
    assert_eq!(writer.close_with(&Entry::new(2).with_text("the end ".repeat(99).as_bytes())), Ok(20));
    let mut cursor = log.cursor();
    for number in 0..20 {
        assert_eq!(cursor.next().unwrap().num, number);
    }
    assert_eq!(cursor.next().unwrap().text.len(), 8 * 99);
    assert!(cursor.is_drained());
}

#[test]
fn entry_longer_than_any_segment_gets_one_of_its_own() {
    let (mut writer, log) = channel(Options::default());
    let long = "long".repeat(if cfg!(miri) { 1 << 15 } else { 1 << 20 });
    say(&mut writer, &["a", &long, "b"]);
    assert_eq!(texts(&mut log.cursor()), ["a", &long, "b"]);
}

#[test]
fn odd_options_only_cost_speed() {
    let mut outcomes = Vec::new();
    for (first, max) in [(0, 0), (1, 1), (49, 50), (usize::MAX, usize::MAX), (100, 10)] {
        let options =
            Options { segment_bytes_first: first, segment_bytes_max: max, bytes_max: 1 << 16, ..Options::new() };
        let (mut writer, log) = channel(options);
        say(&mut writer, &["a", "a text that goes to the page", "c"]);
        outcomes.push(texts(&mut log.cursor()));
        assert!(writer.bytes() <= options.bytes_max);
    }
    assert!(outcomes.iter().all(|texts| texts == &["a", "a text that goes to the page", "c"]), "{outcomes:?}");
}

#[test]
fn wait_with_a_timeout_gives_up_and_loses_nothing() {
    let (mut writer, log) = channel(Options::default());
    let mut cursor = log.cursor();
    assert_eq!(cursor.wait_timeout(Duration::from_millis(5)), None);
    say(&mut writer, &["a"]);
    assert_eq!(cursor.wait_timeout(Duration::ZERO), Some(true));
    assert_eq!(texts(&mut cursor), ["a"]);
    drop(writer);
    assert_eq!(cursor.wait_timeout(Duration::MAX), Some(false));
}

#[test]
fn long_chain_is_freed_without_recursion() {
    let options = Options { segment_bytes_first: 48, segment_bytes_max: 48, ..Options::default() };
    let (mut writer, log) = channel(options);
    let segments = if cfg!(miri) { 2_000 } else { 200_000 };
    for number in 0..segments {
        writer.append(&Entry::new(1).with_num(number)).unwrap();
    }
    writer.close();
    let mut cursor = log.cursor();
    drop(log);
    assert_eq!(cursor.next().unwrap().num, 0);
    // A small stack: a recursive drop would need some 100 bytes for each of the segments.
    let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(move || drop(cursor)).unwrap();
    thread.join().unwrap();
}

#[test]
fn parties_cross_threads() {
    fn crosses<T: Send + Sync + Unpin + 'static>() {}
    crosses::<Writer>();
    crosses::<Log>();
    crosses::<Cursor>();
    crosses::<AppendError>();
}
