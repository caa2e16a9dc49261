//! The readers that sleep: a stack that anyone pushes to, and that is only ever taken whole.
//!
//! Since nothing is popped singly there is no ABA. A reader has one node, pushed again only after it was taken.

use crate::slots::waker::WakerCell;
use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicUsize};
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::task::Waker;

/// The stack. Each pointer in it owns one count of an `Arc<Node>`.
#[derive(Debug)]
pub(super) struct Parked {
    top: AtomicPtr<Node>,
    /// Nodes of readers that went away while they slept; see [`ABANDONED_MAX`].
    abandoned: AtomicUsize,
}

/// So many readers may go away while asleep before the stack is cleared: a log on which nothing happens for hours, and
/// to which readers come and go, must not grow.
const ABANDONED_MAX: usize = 64;

#[derive(Debug)]
struct Node {
    waker: WakerCell,
    /// In the stack, or just being taken from it.
    queued: AtomicBool,
    /// INVARIANT: while `queued`, the pointer below this one in the stack.
    below: AtomicPtr<Self>,
}

/// A reader's claim to be woken; made on its first sleep.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Arc<Node>>);

impl Parked {
    pub(super) fn new() -> Self {
        Self { top: AtomicPtr::new(ptr::null_mut()), abandoned: AtomicUsize::new(0) }
    }

    /// Queues a reader. Afterwards it marks the log as having sleepers and looks once more whether it must sleep at all.
    pub(super) fn push(&self, sleeper: &mut Sleeper, waker: &Waker) {
        let node = sleeper.0.get_or_insert_with(|| {
            Arc::new(Node {
                waker: WakerCell::new(),
                queued: AtomicBool::new(false),
                below: AtomicPtr::new(ptr::null_mut()),
            })
        });
        // The order matters: whoever takes the node clears `queued` first and takes the waker then. So if we see
        // `queued`, that take comes after this line and finds the waker.
        node.waker.set(waker);
        if node.queued.swap(true, AcqRel) {
            return;
        }
        let raw = Arc::into_raw(Arc::clone(node)).cast_mut();
        let mut top = self.top.load(Relaxed);
        loop {
            node.below.store(top, Relaxed);
            match self.top.compare_exchange_weak(top, raw, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Wakes all who sleep.
    pub(super) fn wake_all(&self) {
        for node in self.take_all() {
            node.wake();
        }
    }

    /// The reader goes away.
    pub(super) fn leave(&self, sleeper: &mut Sleeper) {
        let Some(node) = sleeper.0.take() else { return };
        drop(node.waker.take());
        if node.queued.load(Relaxed) && self.abandoned.fetch_add(1, Relaxed) + 1 >= ABANDONED_MAX {
            // Nodes cannot be unlinked singly: wake the living for nothing, once in so many.
            self.abandoned.store(0, Relaxed);
            self.wake_all();
        }
    }

    fn take_all(&self) -> Taken {
        Taken(self.top.swap(ptr::null_mut(), Acquire))
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        // Nobody can be asleep: a sleeper is part of a cursor, which holds the log.
        self.take_all().for_each(drop);
    }
}

impl Node {
    fn wake(&self) {
        // A swap, not a store: only a read-modify-write makes the reader's last `set` visible to the `take` below.
        self.queued.swap(false, AcqRel);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Nodes off the stack, not yet woken.
struct Taken(*mut Node);

impl Iterator for Taken {
    type Item = Arc<Node>;

    fn next(&mut self) -> Option<Arc<Node>> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the stack owned this count and gave it away with the swap in `take_all`; each pointer is met once.
        let node = unsafe { Arc::from_raw(self.0) };
        // Before `queued` is cleared: afterwards the reader may push the node again and change it.
        self.0 = node.below.load(Relaxed);
        Some(node)
    }
}

impl Drop for Taken {
    /// A waker that panics must not cost the others their wake.
    fn drop(&mut self) {
        for node in self {
            node.wake();
        }
    }
}
