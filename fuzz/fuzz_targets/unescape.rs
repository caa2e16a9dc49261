//! Parts of an escaped text say what the whole says; valid text stays valid, and text without escapes stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_wire::escape::{Unescaper, unescape};

fuzz_target!(|input: &[u8]| {
    let Some((&cut, raw)) = input.split_first() else { return };
    let mut whole = Vec::new();
    let unknown = unescape(raw, &mut whole);
    // Between two escapes any cut is allowed.
    let cut = boundary(raw, usize::from(cut));
    let (mut unescaper, mut parts) = (Unescaper::default(), Vec::new());
    let counts = unescaper.push(&raw[..cut], &mut parts) + unescaper.push(&raw[cut..], &mut parts);
    unescaper.finish(&mut parts);
    assert_eq!((parts, counts), (whole.clone(), unknown));
    if std::str::from_utf8(raw).is_ok() {
        assert!(std::str::from_utf8(&whole).is_ok(), "valid text stays valid");
    }
    if !raw.contains(&b'\\') {
        assert_eq!(whole, raw);
    }
});

/// The first place at or after `wanted` that no escape straddles.
fn boundary(raw: &[u8], wanted: usize) -> usize {
    let mut at = 0;
    while at < wanted.min(raw.len()) {
        at += match (raw[at], raw.get(at + 1)) {
            (b'\\', Some(b'u')) if raw.len() >= at + 6 && raw[at + 2..at + 6].iter().all(u8::is_ascii_hexdigit) => 6,
            (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => 2,
            // An escape that JSON does not know: the backslash stands for itself, unless the cut makes it another one.
            (b'\\', _) if raw.get(at + 1) == Some(&b'u') => return raw.len(),
            _ => 1,
        };
    }
    at.min(raw.len())
}
