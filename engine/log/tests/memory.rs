//! What a log costs in memory, counted by the allocator. One test a process: the counters are for all threads.
#![cfg(not(loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use thalweg_log::{Entry, Options, channel};

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Relaxed);
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn idle_log_is_small_memory_follows_the_content_and_all_of_it_comes_back() {
    let waker = Waker::from(Arc::new(Nobody));
    let mut cx = Context::from_waker(&waker);
    let before = BYTES.load(Relaxed);
    let used = || BYTES.load(Relaxed) - before;

    let (mut writer, log) = channel(Options::default());
    let mut cursor = log.cursor();
    let unread = used();
    assert!(cursor.poll_ready(&mut cx).is_pending());
    let asleep = used();
    println!("idle log: {unread} bytes, with a sleeping reader {asleep}");
    assert!(asleep <= 256, "{asleep} bytes idle");

    for number in 0..40 {
        writer.append(&Entry::new(2).with_num(number).with_text(b"word")).unwrap();
    }
    writer.publish();
    println!("after 40 entries: {} bytes", used());
    assert!(used() <= 4096, "{} bytes for 40 entries", used());

    let calls = CALLS.load(Relaxed);
    const MANY: usize = 1_000_000;
    for number in 40..MANY {
        writer.append(&Entry::new(2).with_num(number as i64).with_text(b"word")).unwrap();
        writer.publish();
        assert_eq!(cursor.next().map(|entry| entry.num), Some(number as i64 - 40));
    }
    let calls = CALLS.load(Relaxed) - calls;
    println!("a million entries: {} bytes each, {calls} allocations", used() as usize / MANY);
    assert!(used() as usize <= 49 * MANY, "{} bytes for {MANY} entries", used());
    assert!(calls * 500 <= MANY, "{calls} allocations");

    // Without the handle for replay, what every reader has passed is freed.
    drop(log);
    while cursor.next().is_some() {}
    println!("read, without a handle for replay: {} bytes", used());
    assert!(used() <= (64 << 10) + 1024, "{} bytes kept", used());

    // Readers that come, sleep and go on a log where nothing happens.
    let peak = used() + 16 * 1024;
    for _ in 0..10_000 {
        let mut visitor = cursor.clone();
        assert!(visitor.poll_ready(&mut cx).is_pending());
        assert!(used() <= peak, "{} bytes after visitors", used());
    }

    drop(cursor);
    drop(writer);
    assert_eq!(used(), 0, "bytes left behind");
}
