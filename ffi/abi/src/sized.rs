//! Reads a table that another compiler sized: what lies past the size that it states is absent.

use crate::table::{Codec, Embed, HostServices, Http, Models, Plugin, Provider, Serve, Tool};
use core::mem::MaybeUninit;

/// A `#[repr(C)]` struct that starts with its size in a `u32`, has another `u32`, then only addresses, and is valid when
/// all its bytes are 0.
///
/// # Safety
/// All of it must be true, and all members must be plain data.
pub(crate) unsafe trait Sized32: Copy {}

// SAFETY: starts with `struct_size`; all other members are integers and optional functions.
unsafe impl Sized32 for HostServices {}
// SAFETY: as above, and an address.
unsafe impl Sized32 for Plugin {}
// SAFETY: as above.
unsafe impl Sized32 for Codec {}
// SAFETY: as above.
unsafe impl Sized32 for Provider {}
// SAFETY: as above.
unsafe impl Sized32 for Tool {}
// SAFETY: as above.
unsafe impl Sized32 for Models {}
// SAFETY: as above.
unsafe impl Sized32 for Embed {}
// SAFETY: as above.
unsafe impl Sized32 for Serve {}
// SAFETY: as above.
unsafe impl Sized32 for Http {}

/// A copy of the table at `table`, with zeros for what it does not have. `None` when it is NULL, misaligned or states a
/// size that cannot hold its own head.
///
/// # Safety
/// `table` is NULL, or as many bytes are readable as its first four say, and nobody writes to them.
pub(crate) unsafe fn read<T: Sized32>(table: *const T) -> Option<T> {
    if table.is_null() || !table.is_aligned() {
        return None;
    }
    // SAFETY: readable as promised.
    let stated = unsafe { table.cast::<u32>().read() } as usize;
    if stated < HEAD_BYTES {
        return None;
    }
    // What is there of an address whose end is cut off is none.
    let whole = stated - stated % size_of::<usize>();
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: the source has `stated` readable bytes, the target is a whole `T`, and they are different objects.
    unsafe {
        core::ptr::copy_nonoverlapping(table.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), whole.min(size_of::<T>()));
    }
    // SAFETY: all members are plain data, for which zeros or the other side's bytes are valid.
    Some(unsafe { copy.assume_init() })
}

/// Size and flags, which every table has.
const HEAD_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn count(_: *mut core::ffi::c_void) -> u32 {
        3
    }

    #[test]
    fn member_past_the_stated_size_is_absent() {
        let mut table = Tool { struct_size: 16, flags: 5, count: Some(count), describe: None, invoke: None };
        // SAFETY: a whole table.
        let copy = unsafe { read(&raw const table) }.unwrap();
        assert!(copy.flags == 5 && copy.count.is_some());
        table.struct_size = 8;
        // SAFETY: as above.
        let copy = unsafe { read(&raw const table) }.unwrap();
        assert!(copy.count.is_none());
        table.struct_size = 15;
        // SAFETY: as above.
        let copy = unsafe { read(&raw const table) }.unwrap();
        assert!(copy.count.is_none(), "half an address is none");
        for size in [0, 4, 7] {
            table.struct_size = size;
            // SAFETY: as above.
            assert!(unsafe { read(&raw const table) }.is_none());
        }
        // SAFETY: NULL is allowed.
        assert!(unsafe { read::<Tool>(core::ptr::null()) }.is_none());
    }
}
