//! The content of a JSON string, still escaped.

/// What stands between the quotes of a string of the payload, checked and unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a> {
    raw: &'a [u8],
    is_escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) const fn new(raw: &'a [u8], is_escaped: bool) -> Self {
        Self { raw, is_escaped }
    }

    /// The bytes between the quotes.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether a backslash stands among them.
    #[must_use]
    pub const fn is_escaped(&self) -> bool {
        self.is_escaped
    }

    /// Whether nothing stands between the quotes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Whether it means `name`, also when it is written with escapes.
    #[inline]
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        if self.is_escaped { means(self.raw, name) } else { self.raw == name }
    }

    /// What it means, to be matched against names: the bytes themselves, or the unescaped ones in `buffer` when there is
    /// an escape. Too long for the buffer gives the raw bytes: with a backslash they are no name. Half a surrogate pair
    /// reads as U+FFFD.
    #[inline]
    #[must_use]
    pub fn short<'b>(&self, buffer: &'b mut [u8; SHORT]) -> &'b [u8]
    where
        'a: 'b,
    {
        if self.is_escaped { unescape(self.raw, buffer) } else { self.raw }
    }

    /// Appends what it means to `out`; half a surrogate pair becomes U+FFFD.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        for_each_piece(self.raw, |piece| {
            out.extend_from_slice(piece);
            true
        });
    }
}

/// Bytes that an escaped name may have once it is unescaped.
const SHORT: usize = 64;

#[cold]
fn means(raw: &[u8], name: &[u8]) -> bool {
    let mut rest = name;
    let is_prefix = for_each_piece(raw, |piece| match rest.strip_prefix(piece) {
        Some(behind) => {
            rest = behind;
            true
        }
        None => false,
    });
    is_prefix && rest.is_empty()
}

#[cold]
fn unescape<'b>(raw: &'b [u8], buffer: &'b mut [u8; SHORT]) -> &'b [u8] {
    let mut len = 0;
    let fits = for_each_piece(raw, |piece| match buffer.get_mut(len..len + piece.len()) {
        Some(target) => {
            target.copy_from_slice(piece);
            len += piece.len();
            true
        }
        None => false,
    });
    if fits { &buffer[..len] } else { raw }
}

/// Hands the bytes of a string to `work`, unescaped, as long as it returns true. Whether all were taken.
fn for_each_piece(raw: &[u8], mut work: impl FnMut(&[u8]) -> bool) -> bool {
    let mut rest = raw;
    while !rest.is_empty() {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(plain);
        if !piece.is_empty() && !work(piece) {
            return false;
        }
        let Some((_, escape)) = tail.split_first() else { break };
        let (character, tail) = read_escape(escape);
        if !work(character.encode_utf8(&mut [0; 4]).as_bytes()) {
            return false;
        }
        rest = tail;
    }
    true
}

/// The character of an escape, and what follows. `rest` begins behind the backslash and was checked.
fn read_escape(rest: &[u8]) -> (char, &[u8]) {
    let (&kind, rest) = rest.split_first().unwrap_or((&b'?', rest));
    let character = match kind {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return read_unicode(rest),
        other => char::from(other),
    };
    (character, rest)
}

fn read_unicode(rest: &[u8]) -> (char, &[u8]) {
    let (first, rest) = read_hex(rest);
    if (0xD800..0xDC00).contains(&first)
        && let Some(low) = rest.strip_prefix(b"\\u")
        && let (second @ 0xDC00..0xE000, rest) = read_hex(low)
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), rest);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn read_hex(rest: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = rest.split_at(rest.len().min(4));
    (digits.iter().fold(0, |code, digit| code << 4 | char::from(*digit).to_digit(16).unwrap_or(0)), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_name_means_the_same_as_a_plain_one() {
        let cases: [(&str, &str); 7] = [
            (r"\u0069d", "id"),
            (r"\/\b\f\n\r\t\\\u0022", "/\u{8}\u{c}\n\r\t\\\""),
            (r"\u00e9\u20AC", "é€"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
        ];
        for (raw, expected) in cases {
            let text = Text::new(raw.as_bytes(), true);
            assert!(text.is(expected.as_bytes()), "{raw}");
            assert!(!text.is(&expected.as_bytes()[1..]) && !text.is(&[expected.as_bytes(), b"!"].concat()), "{raw}");
            assert_eq!(text.short(&mut [0; SHORT]), expected.as_bytes(), "{raw}");
            let mut out = Vec::new();
            text.push_to(&mut out);
            assert_eq!(out, expected.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn an_escaped_name_beyond_the_buffer_is_no_name() {
        let raw = [b"\\n".as_slice(), &[b'a'; 64]].concat();
        assert_eq!(Text::new(&raw, true).short(&mut [0; SHORT]), raw);
        assert_eq!(Text::new(&raw[2..], false).short(&mut [0; SHORT]), &raw[2..]);
    }
}
