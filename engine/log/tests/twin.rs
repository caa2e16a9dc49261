//! The log beside a twin that is a vector under a lock: any sequence of operations must give the same.
#![cfg(not(loom))]

use std::sync::Mutex;
use thalweg_log::{Cursor, Entry, LAGGED, Log, Options, Pool, PoolOptions, WhenFull, Writer};

/// A small generator of numbers that look random, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What was appended, how much of it is published, and whether it is over.
#[derive(Default)]
struct Twin {
    entries: Vec<(i64, Vec<u8>, Vec<u8>)>,
    published: usize,
    is_closed: bool,
}

/// A reader, and where it stands in the twin.
struct Reader {
    cursor: Cursor,
    next: usize,
    holds: bool,
}

impl Reader {
    /// Reads one entry of both and compares.
    fn step(&mut self, twin: &Twin, peeks: bool) {
        if peeks {
            let peeked = self.cursor.peek().map(|entry| (entry.kind, entry.seq, entry.num));
            let next = self.cursor.clone().next().map(|entry| (entry.kind, entry.seq, entry.num));
            assert_eq!(peeked, next);
        }
        let Some(entry) = self.cursor.next() else {
            assert_eq!(self.next, twin.published, "there was more");
            assert_eq!(self.cursor.is_drained(), twin.is_closed);
            return;
        };
        self.next = check(&entry, self.next, twin, self.holds);
    }

    fn batch(&mut self, twin: &Twin, take: usize) {
        for entry in self.cursor.batch().take(take) {
            self.next = check(&entry, self.next, twin, self.holds);
        }
    }
}

/// Compares one entry, and says where the reader stands behind it.
fn check(entry: &Entry<'_>, next: usize, twin: &Twin, holds: bool) -> usize {
    if entry.kind == LAGGED {
        assert!(!holds, "it was promised to miss nothing");
        assert_eq!((entry.seq + 1) as usize, next + entry.num as usize);
        assert!((entry.seq as usize) < twin.published);
        return entry.seq as usize + 1;
    }
    let (num, text, aux) = &twin.entries[next];
    assert!(next < twin.published, "seen before it was published");
    assert_eq!((entry.seq, entry.num, entry.text, entry.aux), (next as u64, *num, &text[..], &aux[..]));
    next + 1
}

fn play(seed: u64, pool: &Pool) -> (u64, usize) {
    let mut random = Random(seed * 2 + 1);
    let is_window = random.below(2) == 0;
    let options = Options {
        bytes_max: if is_window { 2048 << random.below(4) } else { 1 << 24 },
        entries_max: [u64::MAX, 10 + random.below(200)][usize::from(is_window && random.below(2) == 0)],
        when_full: if is_window { WhenFull::DropOldest } else { WhenFull::Refuse },
        segment_bytes_first: 48 << random.below(6),
        segment_bytes_max: 48 << random.below(7),
        ..Options::default()
    };
    let (writer, log) = pool.channel(options);
    let (mut writer, mut log): (Option<Writer>, Option<Log>) = (Some(writer), Some(log));
    let twin = Mutex::new(Twin::default());
    let mut readers: Vec<Reader> = Vec::new();
    let mut lagged = 0;
    for _ in 0..2000 {
        let mut twin = twin.lock().unwrap();
        match random.below(100) {
            0..45 => {
                let Some(writer) = &mut writer else { continue };
                let mut bytes = |most| (0..random.below(most)).map(|at| at as u8).collect::<Vec<u8>>();
                let (text, aux) = (bytes(40), bytes(8));
                let entry = Entry::new(1).with_num(twin.entries.len() as i64).with_text(&text).with_aux(&aux);
                assert_eq!(writer.append(&entry), Ok(twin.entries.len() as u64));
                twin.entries.push((entry.num, text, aux));
            }
            45..60 => {
                let Some(writer) = &mut writer else { continue };
                writer.publish();
                twin.published = twin.entries.len();
            }
            60..64 => {
                let Some(log) = &log else { continue };
                let next = [0, random.below(twin.entries.len() as u64 + 10) as usize][random.below(2) as usize];
                let mut cursor = log.cursor_at(next as u64);
                let holds = !is_window && random.below(2) == 0;
                if holds {
                    cursor = cursor.hold_back();
                }
                readers.push(Reader { cursor, next: next.min(twin.published), holds });
            }
            64..66 if !readers.is_empty() => drop(readers.swap_remove(random.below(readers.len() as u64) as usize)),
            66..68 if !readers.is_empty() => {
                let Reader { cursor, next, holds } = &readers[random.below(readers.len() as u64) as usize];
                let clone = Reader { cursor: cursor.clone(), next: *next, holds: *holds };
                readers.push(clone);
            }
            68..90 if !readers.is_empty() => {
                let at = random.below(readers.len() as u64) as usize;
                readers[at].step(&twin, random.below(3) == 0);
            }
            90..98 if !readers.is_empty() => {
                let at = random.below(readers.len() as u64) as usize;
                let before = readers[at].next;
                readers[at].batch(&twin, random.below(50) as usize);
                lagged += usize::from(readers[at].next > before + 50);
            }
            98 if random.below(20) == 0 => log = None,
            99 if random.below(40) == 0 => {
                writer = None;
                twin.published = twin.entries.len();
                twin.is_closed = true;
            }
            _ => {}
        }
    }
    drop(writer);
    let mut twin = twin.into_inner().unwrap();
    (twin.published, twin.is_closed) = (twin.entries.len(), true);
    for reader in &mut readers {
        while !reader.cursor.is_drained() {
            reader.step(&twin, false);
        }
        assert_eq!(reader.next, twin.published);
    }
    (twin.entries.len() as u64, lagged)
}

#[test]
fn any_sequence_of_operations_gives_what_a_vector_under_a_lock_gives() {
    let pool = Pool::new(PoolOptions::default());
    let (mut entries, mut lagged) = (0, 0);
    for seed in 0..if cfg!(miri) { 3 } else { 120 } {
        let played = play(seed, &pool);
        (entries, lagged) = (entries + played.0, lagged + played.1);
    }
    assert_eq!(pool.bytes_used(), 0, "everything was given back");
    assert!(entries > 100 && (lagged > 10 || cfg!(miri)), "{entries} entries, {lagged} lags");
}
