//! Texts and pointers that come in and go out.

use std::ffi::{CStr, c_char};

use thalweg_abi::failure::Failure;

use crate::fault::Fault;

/// In the place of a length: the text ends with a NUL.
const NUL: usize = usize::MAX;

/// A text that the caller passed, empty for NULL.
///
/// # Safety
/// `text` is NULL, or `len` bytes are readable, or with `len` THW_NUL it ends with a NUL; and it stays for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, len: usize, name: &str) -> Result<&'a str, Fault> {
    // SAFETY: promised by the caller.
    let bytes = unsafe { bytes(text.cast(), len, name) }?;
    str::from_utf8(bytes)
        .map_err(|error| Failure::invalid(format!("`{name}` is not UTF-8 from byte {} on", error.valid_up_to())).into())
}

/// Bytes that the caller passed, none for NULL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn bytes<'a>(bytes: *const u8, len: usize, name: &str) -> Result<&'a [u8], Fault> {
    if bytes.is_null() && (len == 0 || len == NUL) {
        return Ok(&[]);
    }
    if bytes.is_null() {
        return Err(Fault::null(name));
    }
    if len == NUL {
        // SAFETY: promised by the caller.
        return Ok(unsafe { CStr::from_ptr(bytes.cast()) }.to_bytes());
    }
    if isize::try_from(len).is_err() {
        return Err(Failure::invalid(format!("`{name}` has a length of {len}, which no object has")).into());
    }
    // SAFETY: promised by the caller; no longer than an object can be.
    Ok(unsafe { std::slice::from_raw_parts(bytes, len) })
}

/// Refuses NULL for a place that is to be written to.
pub(crate) fn out<T>(place: *mut T, name: &str) -> Result<*mut T, Fault> {
    if place.is_null() || !place.is_aligned() {
        return Err(Fault::null(name));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise for the whole test")]
    fn text_comes_with_a_length_or_with_a_nul() {
        let hello = c"hello";
        // SAFETY: five bytes and a NUL, or NULL.
        unsafe {
            assert_eq!(text(hello.as_ptr(), NUL, "x").ok(), Some("hello"));
            assert_eq!(text(hello.as_ptr(), 2, "x").ok(), Some("he"));
            assert_eq!(text(std::ptr::null(), 0, "x").ok(), Some(""));
            assert_eq!(text(std::ptr::null(), NUL, "x").ok(), Some(""));
            assert!(text(std::ptr::null(), 3, "x").is_err());
            assert!(text(hello.as_ptr(), NUL - 1, "x").is_err());
            assert!(text(c"a\xff".as_ptr(), NUL, "x").is_err());
        }
    }
}
