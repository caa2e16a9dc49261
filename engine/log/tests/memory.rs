//! What a log costs in memory, counted by the allocator, for the thread of the test.
#![cfg(not(any(loom, miri)))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use thalweg_log::{Entry, Options, channel};

struct Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.set(BYTES.get() + layout.size() as isize);
        CALLS.set(CALLS.get() + 1);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as isize);
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
    let before = BYTES.get();
    let used = || BYTES.get() - before;

    let (mut writer, log) = channel(Options::default());
    let mut cursor = log.cursor();
    let unread = used();
    assert!(cursor.poll_ready(&mut cx).is_pending());
    let asleep = used();
    assert!(asleep <= 256, "{asleep} bytes idle");

    for number in 0..40 {
        writer.append(&Entry::new(2).with_num(number).with_text(b"word")).unwrap();
    }
    writer.publish();
    let forty = used();
    assert!(forty <= 4096, "{forty} bytes for 40 entries");

    let calls = CALLS.get();
    const MANY: usize = 1_000_000;
    for number in 40..MANY {
        writer.append(&Entry::new(2).with_num(number as i64).with_text(b"word")).unwrap();
        writer.publish();
        assert_eq!(cursor.next().map(|entry| entry.num), Some(number as i64 - 40));
    }
    let calls = CALLS.get() - calls;
    let many = used() as usize;
    assert!(many <= 49 * MANY, "{many} bytes for {MANY} entries");
    assert!(calls * 500 <= MANY, "{calls} allocations");

    // Without the handle for replay, what every reader has passed is freed.
    drop(log);
    while cursor.next().is_some() {}
    let kept = used();
    assert!(kept <= (64 << 10) + 1024, "{kept} bytes kept");

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

    // Only now, since the harness keeps what a test prints.
    println!("idle log: {unread} bytes, with a sleeping reader {asleep}");
    println!("after 40 entries: {forty} bytes");
    println!("a million entries: {many} bytes, {calls} allocations");
    println!("all read, without a handle for replay: {kept} bytes");
}
