//! The walk through a payload.

use super::scan::find_special;
use super::{Error, NESTING_MAX, Names, Raw, Reason, Text};

/// A place in a payload. It is always before a value, or before what follows one.
///
/// Objects and arrays are walked so:
///
/// ```
/// use thalweg_wire::json::Cursor;
///
/// let mut cursor = Cursor::new(br#"{"a": [1, 2], "b": "x"}"#, 128);
/// let mut more = cursor.open_object()?;
/// while more {
///     let key = cursor.key()?;
///     let value = cursor.skip()?;
///     assert!(key.is(b"a") && value.is_array() || key.is(b"b") && value.text().is_some());
///     more = cursor.more_members()?;
/// }
/// cursor.end()?;
/// # Ok::<(), thalweg_wire::json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    nesting_left: u16,
}

impl<'a> Cursor<'a> {
    /// A cursor at the beginning of `data`, which is valid UTF-8; otherwise nothing is promised of what is inside of
    /// strings. Nesting beyond `nesting_max`, at most [`NESTING_MAX`], is an error.
    #[must_use]
    pub const fn new(data: &'a [u8], nesting_max: u16) -> Self {
        let nesting_left = if nesting_max < NESTING_MAX { nesting_max } else { NESTING_MAX };
        Self { data, at: 0, nesting_left }
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The byte with which the next value begins.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        match self.data.get(self.at) {
            Some(&byte) if byte > b' ' => Some(byte),
            _ => self.peek_behind_blanks(),
        }
    }

    fn peek_behind_blanks(&mut self) -> Option<u8> {
        loop {
            match self.data.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Enters the object that begins here. Whether it has a member.
    ///
    /// # Errors
    /// When no object begins here, or it is nested too deep.
    #[inline]
    pub fn open_object(&mut self) -> Result<bool, Error> {
        self.open(b'{', b'}')
    }

    /// Enters the array that begins here. Whether it has an element.
    ///
    /// # Errors
    /// When no array begins here, or it is nested too deep.
    #[inline]
    pub fn open_array(&mut self) -> Result<bool, Error> {
        self.open(b'[', b']')
    }

    /// Reads the key of the next member and its colon.
    ///
    /// # Errors
    /// When there is none.
    #[inline]
    pub fn key(&mut self) -> Result<Text<'a>, Error> {
        if self.peek() == Some(b'"') {
            let start = self.at + 1;
            let end = find_special(self.data, start);
            if let Some([b'"', b':', ..]) = self.data.get(end..) {
                self.at = end + 2;
                return Ok(Text::new(&self.data[start..end], false));
            }
        }
        self.unusual_key()
    }

    /// A key that has an escape, or a blank before its colon, or is none.
    fn unusual_key(&mut self) -> Result<Text<'a>, Error> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        let is_escaped = self.string()?;
        let key = Text::new(&self.data[start..self.at - 1], is_escaped);
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(key)
    }

    /// Walks the object that begins here: `read` gets each key, and reads its value from the cursor.
    ///
    /// # Errors
    /// When no object begins here, it is no JSON, or `read` fails.
    #[inline]
    pub fn members(&mut self, mut read: impl FnMut(&mut Self, Text<'a>) -> Result<(), Error>) -> Result<(), Error> {
        let mut more = self.open_object()?;
        while more {
            let key = self.key()?;
            read(self, key)?;
            more = self.more_members()?;
        }
        Ok(())
    }

    /// Hands out the value that begins here and that `read` reads from the cursor, neither more nor less.
    ///
    /// # Errors
    /// When `read` fails.
    #[inline]
    pub fn capture(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<Raw<'a>, Error> {
        self.peek();
        let start = self.at;
        read(self)?;
        Ok(Raw::new(&self.data[start..self.at]))
    }

    /// Goes on behind a member's value. Whether there is another member; if not, the object is left.
    ///
    /// # Errors
    /// When neither a comma nor the end of the object follows.
    #[inline]
    pub fn more_members(&mut self) -> Result<bool, Error> {
        self.more(b'}')
    }

    /// Goes on behind an element. Whether there is another one; if not, the array is left.
    ///
    /// # Errors
    /// When neither a comma nor the end of the array follows.
    #[inline]
    pub fn more_elements(&mut self) -> Result<bool, Error> {
        self.more(b']')
    }

    /// Reads the value that begins here, of any kind, and checks it whole.
    ///
    /// # Errors
    /// When it is no JSON.
    #[inline]
    pub fn skip(&mut self) -> Result<Raw<'a>, Error> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => self.skip_container()?,
            _ => self.skip_scalar(first)?,
        }
        Ok(Raw::new(&self.data[start..self.at]))
    }

    /// Reads the object that begins here and hands out the named fields, absent ones as [`Raw::ABSENT`]. The last of two
    /// equal keys counts.
    ///
    /// # Errors
    /// When no object begins here, or it is no JSON.
    #[inline]
    pub fn fields<const N: usize>(&mut self, names: &Names<N>) -> Result<[Raw<'a>; N], Error> {
        let mut fields = [Raw::ABSENT; N];
        let mut hint = 0;
        let mut more = self.open_object()?;
        while more {
            let key = self.key()?;
            let value = self.skip()?;
            if let Some(found) = names.find(key, hint)
                && let Some(field) = fields.get_mut(found)
            {
                *field = value;
                hint = found + 1;
            }
            more = self.more_members()?;
        }
        Ok(fields)
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    #[inline]
    pub fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(Reason::Trailing)),
        }
    }

    #[inline]
    fn open(&mut self, open: u8, close: u8) -> Result<bool, Error> {
        if self.peek() != Some(open) {
            return Err(self.unexpected());
        }
        self.nesting_left = self.nesting_left.checked_sub(1).ok_or_else(|| self.error(Reason::TooDeep))?;
        self.at += 1;
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.nesting_left += 1;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    #[inline]
    fn more(&mut self, close: u8) -> Result<bool, Error> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.nesting_left += 1;
                Ok(false)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Skips the string whose quote is here. Whether it has an escape.
    #[inline]
    fn string(&mut self) -> Result<bool, Error> {
        let end = find_special(self.data, self.at + 1);
        if self.data.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(false);
        }
        self.escaped_string(end)
    }

    /// The rest of a string, from its first backslash or what else is no plain character.
    fn escaped_string(&mut self, mut at: usize) -> Result<bool, Error> {
        loop {
            let Some(byte) = self.data.get(at) else {
                return Err(Error { offset: self.data.len(), reason: Reason::Truncated });
            };
            match byte {
                b'"' => break,
                b'\\' => at = self.escape(at)?,
                _ => return Err(Error { offset: at, reason: Reason::Control }),
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
                        Some(_) => return Err(Error { offset, reason: Reason::Escape }),
                        None => return Err(Error { offset, reason: Reason::Truncated }),
                    }
                }
                Ok(at + 6)
            }
            Some(_) => Err(Error { offset: at + 1, reason: Reason::Escape }),
            None => Err(Error { offset: at + 1, reason: Reason::Truncated }),
        }
    }

    #[inline]
    fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), Error> {
        match first {
            Some(b'n') => self.literal(b"null"),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected()),
        }
    }

    #[inline]
    fn literal(&mut self, word: &[u8]) -> Result<(), Error> {
        let rest = &self.data[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        let same = rest.iter().zip(word).take_while(|(byte, expected)| byte == expected).count();
        self.at += same;
        Err(self.unexpected())
    }

    #[inline]
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
    fn skip_container(&mut self) -> Result<(), Error> {
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

    #[cold]
    fn unexpected(&self) -> Error {
        self.error(if self.at >= self.data.len() { Reason::Truncated } else { Reason::Unexpected })
    }

    #[cold]
    const fn error(&self, reason: Reason) -> Error {
        Error { offset: self.at, reason }
    }
}
