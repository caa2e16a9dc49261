//! `thw.json/1`: lookups in JSON for plugins, by the cursor of the hot path.

use core::slice;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg_abi::table::Json;
use thalweg_abi::types::{E_INVALID, E_PANIC, EOF, OK, Status, Str};
use thalweg_wire::json::{self, NESTING_MAX};

use crate::pointer;

pub(crate) static TABLE: Json = Json {
    struct_size: size_of::<Json>() as u32,
    flags: 0,
    find: Some(find),
    count: Some(count),
    unescape: Some(unescape),
    escape: Some(escape),
};

/// The bytes behind an argument.
///
/// # Safety
/// `text` is NULL or readable, and so is what it points to, for `'a`.
unsafe fn bytes<'a>(text: *const Str) -> Result<&'a [u8], Status> {
    // SAFETY: promised by the caller.
    let text = unsafe { text.as_ref() }.ok_or(E_INVALID)?;
    if text.ptr.is_null() && text.len > 0 {
        return Err(E_INVALID);
    }
    // SAFETY: promised by the caller.
    Ok(unsafe { text.as_bytes() })
}

/// Gives the status that `work` ends with; no panic leaves.
fn guard(work: impl FnOnce() -> Result<Status, Status>) -> Status {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Ok(E_PANIC)).unwrap_or_else(|status| status)
}

/// # Safety
/// As [`Json::find`] says.
unsafe extern "C" fn find(json: *const Str, pointer: *const Str, value: *mut Str) -> Status {
    guard(|| {
        // SAFETY: by contract.
        let json = unsafe { bytes(json) }?;
        // SAFETY: by contract.
        let pointer = core::str::from_utf8(unsafe { bytes(pointer) }?).map_err(|_| E_INVALID)?;
        if value.is_null() {
            return Err(E_INVALID);
        }
        match pointer::find(json, pointer) {
            Ok(Some(found)) => {
                // SAFETY: not NULL, writable by contract.
                unsafe { value.write(Str::new(found.bytes())) };
                Ok(OK)
            }
            Ok(None) => Ok(EOF),
            Err(_) => Err(E_INVALID),
        }
    })
}

/// # Safety
/// As [`Json::count`] says.
unsafe extern "C" fn count(array: *const Str, number: *mut usize) -> Status {
    guard(|| {
        // SAFETY: by contract.
        let counted = pointer::count(unsafe { bytes(array) }?).ok_or(E_INVALID)?;
        if number.is_null() {
            return Err(E_INVALID);
        }
        // SAFETY: not NULL, writable by contract.
        unsafe { number.write(counted) };
        Ok(OK)
    })
}

/// # Safety
/// As [`Json::unescape`] says.
unsafe extern "C" fn unescape(string: *const Str, out: *mut u8, cap: usize, len: *mut usize) -> Status {
    guard(|| {
        // SAFETY: by contract.
        let string = unsafe { bytes(string) }?;
        let value = json::value(string, NESTING_MAX).map_err(|_| E_INVALID)?;
        let text = value.text().ok_or(E_INVALID)?;
        let mut plain = Vec::new();
        text.push_to(&mut plain);
        // SAFETY: by contract.
        unsafe { give(&plain, out, cap, len) }
    })
}

/// # Safety
/// As [`Json::escape`] says.
unsafe extern "C" fn escape(text: *const Str, out: *mut u8, cap: usize, len: *mut usize) -> Status {
    guard(|| {
        // SAFETY: by contract.
        let text = core::str::from_utf8(unsafe { bytes(text) }?).map_err(|_| E_INVALID)?;
        let string = serde_json::to_string(text).map_err(|_| E_INVALID)?;
        // SAFETY: by contract.
        unsafe { give(string.as_bytes(), out, cap, len) }
    })
}

/// Copies what fits, cut between characters, and says how long the whole is.
///
/// # Safety
/// `out` is NULL or has `cap` writable bytes; `len` is NULL or writable.
unsafe fn give(text: &[u8], out: *mut u8, cap: usize, len: *mut usize) -> Result<Status, Status> {
    if len.is_null() || (out.is_null() && cap > 0) {
        return Err(E_INVALID);
    }
    let mut fits = text.len().min(cap);
    while fits < text.len() && fits > 0 && text[fits] & 0xC0 == 0x80 {
        fits -= 1;
    }
    if fits > 0 {
        // SAFETY: not NULL and large enough.
        unsafe { slice::from_raw_parts_mut(out, fits) }.copy_from_slice(&text[..fits]);
    }
    // SAFETY: not NULL, writable by contract.
    unsafe { len.write(text.len()) };
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(
        call: unsafe extern "C" fn(*const Str, *mut u8, usize, *mut usize) -> Status,
        text: &str,
        cap: usize,
    ) -> Result<(String, usize), Status> {
        let mut out = vec![0; cap];
        let mut len = usize::MAX;
        let text = Str::new(text.as_bytes());
        // SAFETY: all are ours and as large as is said.
        match unsafe { call(&raw const text, out.as_mut_ptr(), cap, &raw mut len) } {
            OK => {
                out.truncate(len);
                Ok((String::from_utf8(out).unwrap().trim_end_matches('\0').to_owned(), len))
            }
            status => Err(status),
        }
    }

    #[test]
    fn text_comes_back_as_it_went_and_is_cut_between_characters() {
        for text in ["", "plain", "\"\\/\n\r\t\u{1}\u{7f}", "é😀"] {
            let (string, len) = given(escape, text, 99).unwrap();
            assert_eq!((serde_json::from_str::<String>(&string).unwrap().as_str(), len), (text, string.len()));
            assert_eq!(given(unescape, &string, 99).unwrap(), (text.to_owned(), text.len()));
        }
        assert_eq!(given(unescape, r#""aé\ud83d\ude00""#, 6).unwrap(), ("aé".to_owned(), 7));
        assert_eq!(given(unescape, r#""aé""#, 2).unwrap(), ("a".to_owned(), 3));
        assert_eq!(given(unescape, "1", 9), Err(E_INVALID));
        assert_eq!(given(unescape, "\"", 9), Err(E_INVALID));
    }

    #[test]
    fn null_is_refused_and_touches_nothing() {
        let (json, mut value) = (Str::new(b"{}"), Str::EMPTY);
        let null = core::ptr::null();
        let mut find_in = |json: *const Str, pointer: *const Str, has_place: bool| {
            let place = if has_place { &raw mut value } else { core::ptr::null_mut() };
            // SAFETY: NULL is refused, the rest is ours.
            unsafe { find(json, pointer, place) }
        };
        let whole = Str::EMPTY;
        assert_eq!(find_in(null, &raw const whole, true), E_INVALID);
        assert_eq!(find_in(&raw const json, null, true), E_INVALID);
        assert_eq!(find_in(&raw const json, &raw const whole, false), E_INVALID);
        assert_eq!(find_in(&raw const json, &raw const whole, true), OK);
        // SAFETY: NULL is refused.
        assert_eq!(unsafe { count(null, core::ptr::null_mut()) }, E_INVALID);
        // SAFETY: it was found in `json`.
        assert_eq!(unsafe { value.as_bytes() }, b"{}");
    }
}
