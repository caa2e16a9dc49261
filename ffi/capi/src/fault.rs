//! What a function of the library fails with, and how it gets into the caller's `thw_error`.

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_INVALID, E_STATE, Error, Status};

/// Why a function failed.
#[derive(Debug)]
pub(crate) struct Fault {
    failure: Failure,
    /// The handle was NULL, most likely because what made it failed: that first failure is worth more.
    is_no_handle: bool,
}

impl Fault {
    /// A NULL handle.
    pub(crate) fn no_handle(name: &str) -> Self {
        Self { failure: Failure::invalid(format!("the {name} is NULL")), is_no_handle: true }
    }

    /// A pointer to something else, or to what was freed.
    pub(crate) fn wrong_handle(name: &str) -> Self {
        Failure::invalid(format!("this is no {name}; was it freed, or is it a handle of another sort?")).into()
    }

    /// A pointer that must not be NULL.
    pub(crate) fn null(name: &str) -> Self {
        Failure::invalid(format!("`{name}` is NULL")).into()
    }

    /// A call at a wrong time.
    pub(crate) fn state(message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Failure::new(E_STATE, message).into()
    }

    /// What it says, to be told within something else.
    pub(crate) fn message(&self) -> String {
        self.failure.to_string()
    }

    /// Fills the caller's record and gives the status.
    ///
    /// # Safety
    /// `error` is NULL or a record of the size that it states; 0 stands for the size of version 1.
    pub(crate) unsafe fn report(&self, error: *mut Error) -> Status {
        if error.is_null() || !error.is_aligned() {
            return self.failure.code;
        }
        // SAFETY: a record has at least its size and its code.
        let stated = unsafe { (*error).struct_size } as usize;
        // SAFETY: as above.
        let code = unsafe { (*error).code };
        let size = if stated == 0 { SIZE_V1 } else { stated };
        if size < SIZE_V1 || (self.is_no_handle && code < 0) {
            return self.failure.code;
        }
        let mut record = Error::from(&self.failure);
        record.struct_size = u32::try_from(size).unwrap_or(u32::MAX);
        let bytes = size.min(size_of::<Error>());
        // SAFETY: the caller's record is as long as it states, ours is whole, and both are plain data.
        unsafe { std::ptr::copy_nonoverlapping((&raw const record).cast::<u8>(), error.cast::<u8>(), bytes) };
        self.failure.code
    }
}

impl From<Failure> for Fault {
    fn from(mut failure: Failure) -> Self {
        // A status that says nothing would be taken for success.
        if failure.code >= 0 {
            failure.code = E_INVALID;
        }
        Self { failure, is_no_handle: false }
    }
}

/// Size of the record in version 1 of the library; it only grows.
const SIZE_V1: usize = 264;
const _: () = assert!(size_of::<Error>() >= SIZE_V1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_filled_up_to_the_size_that_its_owner_knows() {
        let fault = Fault::from(Failure::invalid("wrong"));
        for (stated, is_filled) in [(0, true), (264, true), (4096, true), (8, false), (263, false)] {
            let mut error = Error::empty();
            error.struct_size = stated;
            if stated > 264 {
                // Only claimed: the copy ends at what this side knows.
                assert!(size_of::<Error>() == 264);
            }
            // SAFETY: a whole record.
            assert_eq!(unsafe { fault.report(&raw mut error) }, E_INVALID);
            assert_eq!(error.message() == "wrong", is_filled, "{stated}");
        }
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { fault.report(std::ptr::null_mut()) }, E_INVALID);
    }

    #[test]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise for the whole test")]
    fn null_handle_leaves_the_failure_that_made_it_null() {
        let mut error = Error::empty();
        // SAFETY: whole records, for all three calls.
        unsafe {
            Fault::state("first").report(&raw mut error);
            Fault::no_handle("agent").report(&raw mut error);
            assert_eq!(error.message(), "first");
            Fault::state("second").report(&raw mut error);
        }
        assert_eq!(error.message(), "second");
    }
}
