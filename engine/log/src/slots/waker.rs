//! A place for one waker: set by one reader, taken by whoever wakes it.

use crate::sync::{AtomicUsize, UnsafeCell, spin_loop};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use core::task::Waker;

/// Nobody holds the cell.
const FREE: usize = 0;
/// The reader is writing its waker.
const SETTING: usize = 1;
/// Somebody is taking the waker, or did so while the reader was writing.
const TAKING: usize = 2;

/// The cell. `state` says who may touch `waker`.
#[derive(Debug)]
pub(super) struct WakerCell {
    state: AtomicUsize,
    /// INVARIANT: touched only by the thread that moved `state` away from `FREE`.
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: `state` hands the cell to one thread at a time, and a `Waker` is `Send`.
unsafe impl Sync for WakerCell {}

impl WakerCell {
    pub(super) fn new() -> Self {
        Self { state: AtomicUsize::new(FREE), waker: UnsafeCell::new(None) }
    }

    /// Remembers whom to wake. A wake that comes at the same time is not lost: then the waker is called at once.
    pub(super) fn set(&self, waker: &Waker) {
        if self.state.compare_exchange(FREE, SETTING, Acquire, Acquire).is_err() {
            // Somebody is just taking the waker of before: it is time to look again, and until they are done again.
            waker.wake_by_ref();
            spin_loop();
            return;
        }
        let old = self.waker.with_mut(|slot| {
            // SAFETY: `state` is SETTING by our hand: the cell is ours.
            let slot = unsafe { &mut *slot };
            match slot {
                Some(known) if known.will_wake(waker) => None,
                _ => slot.replace(waker.clone()),
            }
        });
        if self.state.compare_exchange(SETTING, FREE, AcqRel, Acquire).is_err() {
            // Somebody came to take it meanwhile and left the work to us.
            let taken = self.waker.with_mut(|slot| {
                // SAFETY: `state` is SETTING | TAKING: the cell is still ours.
                unsafe { (*slot).take() }
            });
            self.state.swap(FREE, AcqRel);
            if let Some(waker) = taken {
                waker.wake();
            }
        }
        // Last, since dropping a waker may run anything.
        drop(old);
    }

    /// Takes the waker, if one is set and nobody else is at it.
    pub(super) fn take(&self) -> Option<Waker> {
        if self.state.fetch_or(TAKING, AcqRel) != FREE {
            return None;
        }
        let waker = self.waker.with_mut(|slot| {
            // SAFETY: `state` went from FREE to TAKING by our hand: the cell is ours.
            unsafe { (*slot).take() }
        });
        self.state.fetch_and(!TAKING, Release);
        waker
    }
}
