//! A pointer that is set once.

use crate::sync::{AtomicBool, UnsafeCell};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Nothing at first, then one value for ever.
#[derive(Debug)]
pub(super) struct Link<T> {
    is_set: AtomicBool,
    /// INVARIANT: written only while `is_set` is false, by the one writer of the log.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: `value` is written before `is_set` is released and only read after it was acquired.
unsafe impl<T: Send + Sync> Sync for Link<T> {}

impl<T> Link<T> {
    pub(super) fn new() -> Self {
        Self { is_set: AtomicBool::new(false), value: UnsafeCell::new(None) }
    }

    /// Sets the value.
    ///
    /// # Safety
    /// At most once, by the one thread that may: the writer of the log, or who has just made the link.
    pub(super) unsafe fn set(&self, value: T) {
        self.value.with_mut(|slot| {
            // SAFETY: not yet set, so nobody reads it, and nobody else writes it.
            unsafe { *slot = Some(value) }
        });
        self.is_set.store(true, Release);
    }

    pub(super) fn get(&self) -> Option<&T> {
        if !self.is_set.load(Acquire) {
            return None;
        }
        self.value.with(|slot| {
            // SAFETY: set, hence never written again while it is borrowed.
            unsafe { (*slot).as_ref() }
        })
    }

    /// Takes the value out, after which it can be set again, when nobody else can look any more.
    pub(super) fn take(&mut self) -> Option<T> {
        self.is_set.store(false, Relaxed);
        self.value.with_mut(|slot| {
            // SAFETY: `&mut self`: there is no other reference.
            unsafe { (*slot).take() }
        })
    }
}
