//! The walk through a payload.

use super::scan::find_special;
use super::{Error, NESTING_MAX, Raw, Reason, Text};

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
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    pub(super) nesting_left: u16,
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

    #[inline(never)]
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
    #[inline(never)]
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
    #[inline(always)]
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
        if first == Some(b'"') {
            let is_escaped = self.string()?;
            return Ok(Raw::new_text(&self.data[start..self.at], is_escaped));
        }
        match first {
            Some(b'{' | b'[') => self.skip_container()?,
            _ => self.skip_scalar(first)?,
        }
        Ok(Raw::new(&self.data[start..self.at]))
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

    #[cold]
    #[inline(never)]
    pub(super) fn unexpected(&self) -> Error {
        self.error(if self.at >= self.data.len() { Reason::Truncated } else { Reason::Unexpected })
    }

    #[cold]
    #[inline(never)]
    pub(super) fn error(&self, reason: Reason) -> Error {
        Error::new(self.at, reason)
    }
}
