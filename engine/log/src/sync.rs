//! What differs between a normal build and one under the loom model checker; the rest of the crate is one source.

#[cfg(loom)]
pub(crate) use checked::*;
#[cfg(not(loom))]
pub(crate) use plain::*;

/// Locks. A thread that panicked under the lock has left nothing half done: no lock here is held over foreign code.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(not(loom))]
mod plain {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::thread::{Thread, current, park};

    /// `core::cell::UnsafeCell` with loom's way of access.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }

    /// Tells the model checker who touches which record; nothing in a normal build.
    #[derive(Debug)]
    pub(crate) struct Tracks;

    impl Tracks {
        pub(crate) const fn new(_records: usize) -> Self {
            Self
        }

        #[inline]
        pub(crate) const fn read(&self, _index: usize) {}

        #[inline]
        pub(crate) const fn write(&self, _index: usize) {}
    }
}

#[cfg(loom)]
mod checked {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread::{Thread, current, park};

    #[derive(Debug)]
    pub(crate) struct Tracks(Box<[UnsafeCell<()>]>);

    impl Tracks {
        pub(crate) fn new(records: usize) -> Self {
            Self((0..records).map(|_| UnsafeCell::new(())).collect())
        }

        pub(crate) fn read(&self, index: usize) {
            self.0[index].with(|_| ());
        }

        pub(crate) fn write(&self, index: usize) {
            self.0[index].with_mut(|_| ());
        }
    }
}
