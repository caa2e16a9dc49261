//! An allocator that counts what a thread asks for, so that tests can say "this allocates nothing".

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Hands everything on to the system's allocator; a test binary makes it its global allocator.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

/// How often this thread has asked for memory, or for more of it.
#[must_use]
pub fn allocations() -> u64 {
    CALLS.with(Cell::get)
}

/// Bytes that this thread has asked for and not given back; below 0 when it has given back what others asked for.
#[must_use]
pub fn live_bytes() -> i64 {
    BYTES.with(Cell::get)
}

// A thread that is being torn down has no counters any more, and no test that looks at them: hence `try_with`.
fn count_call() {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

fn count_bytes(more: usize, less: usize) {
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + more as i64 - less as i64));
}

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_call();
        count_bytes(layout.size(), 0);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_call();
        count_bytes(layout.size(), 0);
        // SAFETY: promised by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_call();
        count_bytes(new_size, layout.size());
        // SAFETY: promised by the caller.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count_bytes(0, layout.size());
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(ptr, layout) }
    }
}
