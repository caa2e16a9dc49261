//! UTF-8 as the web decodes it: what is invalid becomes U+FFFD, everything else stays as it is.

/// Appends `bytes` to `out`, each maximal invalid sequence replaced by U+FFFD.
pub fn push_replaced(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_valid(bytes) {
        // Many times faster than going over the chunks, and nearly always so.
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT);
        }
    }
}

/// U+FFFD as UTF-8.
pub const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// Whether `bytes` are valid UTF-8.
#[must_use]
pub fn is_valid(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_maximal_invalid_sequence_becomes_one_replacement() {
        for (input, expected) in [
            (&b"ok"[..], "ok"),
            (b"a\xffb", "a\u{fffd}b"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"\xe2\x82\xe2\x82\xac", "\u{fffd}\u{20ac}"),
            (b"\xc0\x8a", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            let mut out = Vec::new();
            push_replaced(&mut out, input);
            assert_eq!(out, expected.as_bytes(), "{input:?}");
        }
    }
}
