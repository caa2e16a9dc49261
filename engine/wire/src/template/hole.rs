//! What stands in a hole of a template: a JSON string, a JSON number, or blanks.
//!
//! Each scan admits exactly what JSON allows, so that a frame that fits a template is the JSON that was read when it was
//! learnt, with other values; anything doubtful is a miss, and the frame is read in full.

use crate::simd::BASELINE;
use crate::template::matcher::Stop;
use crate::utf8;

/// The content of a string, from the first byte behind the quote: the index of the closing quote, and whether there is an
/// escape.
pub(super) fn string(input: &[u8], from: usize) -> Result<(usize, bool), Stop> {
    let mut at = from;
    let mut is_escaped = false;
    loop {
        at = crate::simd::string_stop(BASELINE, input, at);
        match input.get(at) {
            None => return Err(Stop::Short),
            Some(b'"') => break,
            Some(b'\\') => {
                is_escaped = true;
                at += escape_len(&input[at..])?;
            }
            Some(_) => return Err(Stop::Miss),
        }
    }
    if utf8::is_valid(&input[from..at]) { Ok((at, is_escaped)) } else { Err(Stop::Miss) }
}

/// The length of the escape at the start of `bytes`.
fn escape_len(bytes: &[u8]) -> Result<usize, Stop> {
    match bytes.get(1) {
        None => Err(Stop::Short),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let digits = &bytes[2..bytes.len().min(6)];
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                Err(Stop::Miss)
            } else if digits.len() < 4 {
                Err(Stop::Short)
            } else {
                Ok(6)
            }
        }
        Some(_) => Err(Stop::Miss),
    }
}

/// A number: the index of the first byte behind it.
pub(super) fn number(input: &[u8], from: usize) -> Result<usize, Stop> {
    let rest = input.get(from..).unwrap_or_default();
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    match rest.iter().position(|byte| !is_part(byte)) {
        None => Err(Stop::Short),
        Some(length) if is_number(&rest[..length]) => Ok(from + length),
        Some(_) => Err(Stop::Miss),
    }
}

/// Whether `bytes` are one JSON number.
pub(super) fn is_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let length = digits(exponent);
        if length == 0 {
            return false;
        }
        rest = &exponent[length..];
    }
    rest.is_empty()
}

/// Blanks, perhaps none: the index of the first byte behind them.
pub(super) fn blanks(input: &[u8], from: usize) -> Result<usize, Stop> {
    let rest = input.get(from..).unwrap_or_default();
    rest.iter().position(|&byte| byte != b' ').map_or(Err(Stop::Short), |length| Ok(from + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a naive reading says of a string that is followed by anything.
    fn naive_string(input: &[u8]) -> Result<(usize, bool), Stop> {
        let mut at = 0;
        let mut is_escaped = false;
        loop {
            match input.get(at) {
                None => return Err(Stop::Short),
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    at += match &input[at..] {
                        [_] => return Err(Stop::Short),
                        [_, b'u', rest @ ..] => {
                            if !rest.iter().take(4).all(u8::is_ascii_hexdigit) {
                                return Err(Stop::Miss);
                            }
                            if rest.len() < 4 {
                                return Err(Stop::Short);
                            }
                            6
                        }
                        [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                        _ => return Err(Stop::Miss),
                    };
                }
                Some(..0x20) => return Err(Stop::Miss),
                Some(_) => at += 1,
            }
        }
        if std::str::from_utf8(&input[..at]).is_ok() { Ok((at, is_escaped)) } else { Err(Stop::Miss) }
    }

    #[test]
    fn every_string_of_few_parts_is_read_as_by_the_naive_reading() {
        let parts: [&[u8]; 12] = [
            b"a",
            b"\\n",
            b"\\u00e9",
            b"\\u0",
            b"\\x",
            "\u{e9}".as_bytes(),
            b"\xc3",
            b"\n",
            b"\"",
            b"\\",
            &[b'x'; 31],
            b"\"",
        ];
        let mut inputs = vec![Vec::new()];
        for _ in 0..4 {
            inputs = inputs.iter().flat_map(|start| parts.map(|part| [start.as_slice(), part].concat())).collect();
            for input in &inputs {
                for tail in [&b""[..], b"\"", b"\"}}\n\n and what comes next, for longer than a block"] {
                    let input = [input.as_slice(), tail].concat();
                    assert_eq!(string(&input, 0), naive_string(&input), "{input:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_what_json_says() {
        for (text, is_one) in [
            ("0", true),
            ("7", true),
            ("10", true),
            ("-1", true),
            ("1.5", true),
            ("1e9", true),
            ("-0.0E-7", true),
            ("", false),
            ("-", false),
            ("01", false),
            ("1.", false),
            (".5", false),
            ("1e", false),
            ("1e+", false),
            ("+1", false),
            ("1-2", false),
            ("1e5.0", false),
            ("--1", false),
        ] {
            assert_eq!(is_number(text.as_bytes()), is_one, "{text}");
            for behind in [",", "}", " ,", ",\"and something that is longer than a block of 32 bytes\":1"] {
                let input = format!("{text}{behind}");
                let expected = if is_one { Ok(text.len()) } else { Err(Stop::Miss) };
                assert_eq!(number(input.as_bytes(), 0), expected, "{input}");
            }
            let expected = Err(Stop::Short);
            assert_eq!(number(text.as_bytes(), 0), expected, "{text} may go on");
        }
    }

    #[test]
    fn blanks_end_at_the_first_other_byte() {
        for length in 0..100 {
            let mut input = vec![b' '; length];
            assert_eq!(blanks(&input, 0), Err(Stop::Short));
            input.push(b'}');
            assert_eq!(blanks(&input, 0), Ok(length));
            input.extend([b' '; 40]);
            assert_eq!(blanks(&input, 0), Ok(length));
        }
    }
}
