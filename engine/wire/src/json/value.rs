//! What a value may look like: the grammar of strings, numbers and literals, and the way over a whole object or array.

use super::scan::find_special;
use super::{Cursor, Error, Reason};

impl Cursor<'_> {
    /// Skips the string whose quote is here. Whether it has an escape.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Error> {
        let end = find_special(self.data, self.at + 1);
        if self.data.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(false);
        }
        self.escaped_string(end)
    }

    /// The rest of a string, from its first backslash or what else is no plain character.
    #[inline(never)]
    fn escaped_string(&mut self, mut at: usize) -> Result<bool, Error> {
        loop {
            let Some(byte) = self.data.get(at) else {
                return Err(Error::new(self.data.len(), Reason::Truncated));
            };
            match byte {
                b'"' => break,
                b'\\' => at = self.escape(at)?,
                _ => return Err(Error::new(at, Reason::Control)),
            }
            at = find_special(self.data, at);
        }
        self.at = at + 1;
        Ok(true)
    }

    /// The end of the escape whose backslash is at `at`.
    #[inline]
    fn escape(&self, at: usize) -> Result<usize, Error> {
        match self.data.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for offset in at + 2..at + 6 {
                    match self.data.get(offset) {
                        Some(byte) if byte.is_ascii_hexdigit() => {}
                        Some(_) => return Err(Error::new(offset, Reason::Escape)),
                        None => return Err(Error::new(offset, Reason::Truncated)),
                    }
                }
                Ok(at + 6)
            }
            Some(_) => Err(Error::new(at + 1, Reason::Escape)),
            None => Err(Error::new(at + 1, Reason::Truncated)),
        }
    }

    /// Skips the number or literal that begins here with `first`.
    #[inline]
    pub(super) fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), Error> {
        match first {
            Some(b'n') => self.literal(*b"null"),
            Some(b'0'..=b'9') if matches!(self.data.get(self.at + 1), Some(b',' | b'}' | b']')) => {
                // Most numbers of a stream are indices.
                self.at += 1;
                Ok(())
            }
            Some(b't') => self.literal(*b"true"),
            Some(b'f') => self.false_literal(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected()),
        }
    }

    /// A literal of four letters.
    #[inline]
    fn literal(&mut self, word: [u8; 4]) -> Result<(), Error> {
        if self.data.get(self.at..).and_then(|rest| rest.first_chunk()) == Some(&word) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.wrong_literal(&word))
    }

    #[inline(never)]
    fn false_literal(&mut self) -> Result<(), Error> {
        if self.data[self.at..].starts_with(b"false") {
            self.at += b"false".len();
            return Ok(());
        }
        Err(self.wrong_literal(b"false"))
    }

    #[cold]
    #[inline(never)]
    fn wrong_literal(&mut self, word: &[u8]) -> Error {
        let rest = &self.data[self.at..];
        self.at += rest.iter().zip(word).take_while(|(byte, expected)| byte == expected).count();
        self.unexpected()
    }

    #[inline(never)]
    fn number(&mut self) -> Result<(), Error> {
        if self.data.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.data.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.data.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.data.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.data.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    #[inline]
    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while let Some(block) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let count = leading_digits(u64::from_le_bytes(*block));
            self.at += count;
            if count < 8 {
                break;
            }
        }
        while let Some(b'0'..=b'9') = self.data.get(self.at) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false if self.at == self.data.len() => Err(self.error(Reason::Truncated)),
            false => Err(self.error(Reason::Number)),
        }
    }

    /// Skips the object or array that begins here, without recursion: one bit a level says which of both it is.
    #[inline(never)]
    pub(super) fn skip_container(&mut self) -> Result<(), Error> {
        let mut levels: u128 = 0;
        let mut depth: u16 = 0;
        loop {
            // Before a value.
            let first = self.peek();
            match first {
                Some(b'"') => {
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    if depth >= self.nesting_left {
                        return Err(self.error(Reason::TooDeep));
                    }
                    depth += 1;
                    let is_object = open == b'{';
                    levels = levels << 1 | u128::from(is_object);
                    self.at += 1;
                    let close = if is_object { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.skip_scalar(first)?,
            }
            // Behind a value: out of all levels that end here.
            loop {
                let is_object = levels & 1 == 1;
                match self.peek() {
                    Some(b',') if depth > 0 => {
                        self.at += 1;
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if is_object => {}
                    Some(b']') if !is_object => {}
                    _ => return Err(self.unexpected()),
                }
                self.at += 1;
                levels >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// How many of the eight bytes are digits before one is none; the first byte is the lowest.
#[inline(always)]
pub(super) const fn leading_digits(word: u64) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Digits become 0 to 9, and only what is above reaches the high bit.
    let values = word ^ (ONES * b'0' as u64);
    let others = (((values & !HIGH) + ONES * (0x80 - 10)) | values) & HIGH;
    (others.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::leading_digits;

    #[test]
    fn every_byte_at_every_place_ends_the_digits_unless_it_is_one() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                for digit in [b'0', b'9'] {
                    let mut word = [digit; 8];
                    word[place] = byte;
                    let expected = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    assert_eq!(leading_digits(u64::from_le_bytes(word)), expected, "{word:?}");
                }
            }
        }
    }
}
