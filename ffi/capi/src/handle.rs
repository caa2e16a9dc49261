//! Handles: a C program holds the address of a tagged object.
//!
//! The tag catches most mistakes of a program without types (a reader passed as a run, an object freed twice while its
//! memory lies idle); it is a help, not a promise.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::fault::Fault;

/// What lies behind a sort of handle.
pub(crate) trait Class: Sized {
    /// The opaque type of the header.
    type Handle;
    /// What messages call it.
    const NAME: &'static str;
    /// Eight letters in front of each object.
    const TAG: &'static [u8; 8];
}

#[repr(C)]
struct Object<T> {
    tag: AtomicU64,
    value: T,
}

/// Puts `value` behind a new handle.
pub(crate) fn new<T: Class>(value: T) -> *mut T::Handle {
    let tag = AtomicU64::new(u64::from_ne_bytes(*T::TAG));
    Box::into_raw(Box::new(Object { tag, value })).cast()
}

/// What lies behind a handle.
///
/// # Safety
/// `handle` is NULL, or a handle of any sort that is not freed as long as `'a`.
pub(crate) unsafe fn get<'a, T: Class>(handle: *const T::Handle) -> Result<&'a T, Fault> {
    let object = handle.cast::<Object<T>>();
    if object.is_null() {
        return Err(Fault::no_handle(T::NAME));
    }
    // SAFETY: every handle begins with its tag.
    if !object.is_aligned() || unsafe { (*object).tag.load(Ordering::Relaxed) } != u64::from_ne_bytes(*T::TAG) {
        return Err(Fault::wrong_handle(T::NAME));
    }
    // SAFETY: the tag says that it is one of these.
    Ok(unsafe { &(*object).value })
}

/// Takes an object back; `None` for NULL and for what is no such handle.
///
/// # Safety
/// As [`get`], and nobody uses the handle from now on.
pub(crate) unsafe fn take<T: Class>(handle: *mut T::Handle) -> Option<T> {
    let object = handle.cast::<Object<T>>();
    if object.is_null() || !object.is_aligned() {
        return None;
    }
    let tag = u64::from_ne_bytes(*T::TAG);
    // SAFETY: every handle begins with its tag.
    let swapped = unsafe { (*object).tag.compare_exchange(tag, 0, Ordering::AcqRel, Ordering::Relaxed) };
    swapped.ok()?;
    // SAFETY: the tag said that `new` made it, and it is 0 now, so that this happens once.
    let object = unsafe { Box::from_raw(object) };
    Some(object.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Apple(u32);
    struct Pear;
    #[repr(C)]
    struct AppleHandle([u8; 0]);
    #[repr(C)]
    struct PearHandle([u8; 0]);

    impl Class for Apple {
        type Handle = AppleHandle;
        const NAME: &'static str = "apple";
        const TAG: &'static [u8; 8] = b"thwapple";
    }

    impl Class for Pear {
        type Handle = PearHandle;
        const NAME: &'static str = "pear";
        const TAG: &'static [u8; 8] = b"thw_pear";
    }

    #[test]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise for the whole test")]
    fn handle_gives_its_object_and_no_other_sort_takes_it() {
        let apple = new(Apple(7));
        // SAFETY: just made, for all calls; the last one ends it.
        unsafe {
            assert_eq!(get::<Apple>(apple).map(|apple| apple.0).ok(), Some(7));
            assert!(get::<Pear>(apple.cast()).is_err());
            assert!(take::<Pear>(apple.cast()).is_none());
            assert_eq!(take::<Apple>(apple).map(|apple| apple.0), Some(7));
            assert!(take::<Apple>(std::ptr::null_mut()).is_none());
        }
    }
}
