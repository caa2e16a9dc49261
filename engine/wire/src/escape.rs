//! Text as it stood between the quotes of a JSON string, turned into what it says.
//!
//! Some servers cut a character outside the basic plane between two deltas: one ends with `\ud83d`, the next begins with
//! `\ude00`. The first half is held back until the second one or something else comes.

use memchr::memchr;

use crate::utf8::REPLACEMENT;

/// Appends what the escaped `raw` says to `out`; half a character becomes U+FFFD.
///
/// Returns the number of escapes that JSON does not know; those are kept as they stand, so nothing is lost.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> usize {
    let mut unescaper = Unescaper::default();
    let unknown = unescaper.push(raw, out);
    unescaper.finish(out);
    unknown
}

/// A text that comes in several parts, cut anywhere between two escapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unescaper {
    /// The first half of a surrogate pair whose second half has not come yet.
    high: Option<u16>,
}

impl Unescaper {
    /// Whether the beginning of a character is held back.
    #[must_use]
    pub const fn is_holding(self) -> bool {
        self.high.is_some()
    }

    /// Appends what the next escaped part says to `out`, but for a half character at its end. Returns the number of
    /// escapes that JSON does not know and that were kept as they stand.
    pub fn push(&mut self, raw: &[u8], out: &mut Vec<u8>) -> usize {
        let mut unknown = 0;
        let mut rest = raw;
        while let Some(at) = memchr(b'\\', rest) {
            self.push_plain(&rest[..at], out);
            let escape = &rest[at..];
            let used = self.escape(escape, out);
            if used == 0 {
                unknown += 1;
            }
            let used = used.max(1);
            if used == 1 {
                self.push_plain(&escape[..1], out);
            }
            rest = &escape[used..];
        }
        self.push_plain(rest, out);
        unknown
    }

    /// Appends the next part, which has no escapes.
    pub fn push_plain(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.finish(out);
            out.extend_from_slice(text);
        }
    }

    /// No more is to come: a half character that is still held back becomes U+FFFD.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() {
            out.extend_from_slice(REPLACEMENT);
        }
    }

    /// One escape, the backslash included. Returns its length, 0 if JSON has no such escape.
    fn escape(&mut self, escape: &[u8], out: &mut Vec<u8>) -> usize {
        let character = match escape.get(1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'u') => {
                let Some(unit) = escape.get(2..6).and_then(hex) else { return 0 };
                self.unit(unit, out);
                return 6;
            }
            _ => return 0,
        };
        self.finish(out);
        out.push(character);
        2
    }

    /// One UTF-16 code unit.
    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        let character = match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00);
                char::from_u32(code)
            }
            (high, _) => {
                if high.is_some() {
                    out.extend_from_slice(REPLACEMENT);
                }
                if (0xd800..0xdc00).contains(&unit) {
                    self.high = Some(unit);
                    return;
                }
                char::from_u32(u32::from(unit))
            }
        };
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |unit: u16, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(raw: &str) -> (String, usize) {
        let mut out = Vec::new();
        let unknown = unescape(raw.as_bytes(), &mut out);
        (String::from_utf8(out).expect("valid UTF-8"), unknown)
    }

    #[test]
    fn every_escape_says_its_character() {
        let (text, unknown) = whole(r#"a\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00ä\u0000z"#);
        assert_eq!(text, "a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20ac}\u{1f600}ä\0z");
        assert_eq!(unknown, 0);
    }

    #[test]
    fn half_a_character_becomes_a_replacement() {
        for (raw, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00", "\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\ud83d\n\ude00", "\u{fffd}\n\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
        ] {
            assert_eq!(whole(raw), (expected.into(), 0), "{raw}");
        }
    }

    #[test]
    fn escapes_that_json_does_not_know_are_kept() {
        for raw in [r"\x", r"\u12", r"\u12g4", "\\", r"a\ud83d\uzzzz"] {
            let (text, unknown) = whole(raw);
            assert_eq!(unknown, 1, "{raw}");
            assert_eq!(text, raw.replace("\\ud83d", "\u{fffd}"));
        }
    }

    #[test]
    fn parts_say_what_the_whole_says() {
        let pieces =
            ["ab", r"\n", r"\ud83d", r"\ude00", "", r"\ud83d", r"\ud83d", r"\udc00", "ä", r"\udfff", r"\u00e9"];
        let expected = whole(&pieces.concat()).0;
        for mask in 0..1 << (pieces.len() - 1) {
            let (mut unescaper, mut out) = (Unescaper::default(), Vec::new());
            let mut part = String::new();
            for (index, piece) in pieces.iter().enumerate() {
                part.push_str(piece);
                if mask >> index & 1 == 1 || index + 1 == pieces.len() {
                    unescaper.push(std::mem::take(&mut part).as_bytes(), &mut out);
                }
            }
            unescaper.finish(&mut out);
            assert_eq!(String::from_utf8(out).expect("valid UTF-8"), expected, "cuts {mask:b}");
        }
    }
}
