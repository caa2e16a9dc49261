//! Which library this is.

use std::ffi::c_char;

/// Version of the library as text, such as "1.2.3". It lives as long as the process. `[any-thread]`
#[unsafe(no_mangle)]
pub extern "C" fn thw_version() -> *const c_char {
    const { concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast() }
}

/// Version of the library as a number, to be compared with THW_VERSION_NUMBER of the header. `[any-thread]`
#[unsafe(no_mangle)]
pub extern "C" fn thw_version_number() -> u32 {
    const {
        number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
            | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
            | number(env!("CARGO_PKG_VERSION_PATCH"))
    }
}

const fn number(digits: &str) -> u32 {
    let digits = digits.as_bytes();
    let (mut number, mut at) = (0, 0);
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    number
}
