//! The named members of an object, found in one walk: what codecs read most.
//!
//! The walk is one function for all lists of names. It guesses that keys come in the order of the list, so a key costs a
//! comparison, and most values are short strings, which cost another one.

use super::names::List;
use super::scan::find_special;
use super::value::leading_digits;
use super::{Cursor, Error, Names, Raw, Reason, Text};

/// Where the values of an object stand in a payload, in the order of a list of [`Names`].
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a, const N: usize> {
    pub(super) data: &'a [u8],
    pub(super) marks: [Mark; N],
}

/// Where a value stands. Small, since an event has many that nobody reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) start: u32,
    /// The end, and in the highest bit whether the value is a string with an escape. 0 when there is no value.
    pub(super) end: u32,
}

/// Payloads beyond this cannot be read into fields.
pub(super) const PAYLOAD_BYTES_MAX: usize = i32::MAX as usize;

impl Mark {
    pub(super) const ESCAPED: u32 = 1 << 31;

    /// `end` is at most [`PAYLOAD_BYTES_MAX`].
    #[inline(always)]
    const fn new(start: usize, end: usize, is_escaped: bool) -> Self {
        Self { start: start as u32, end: end as u32 | if is_escaped { Self::ESCAPED } else { 0 } }
    }
}

impl<const N: usize> Default for Fields<'_, N> {
    fn default() -> Self {
        Self { data: &[], marks: [Mark { start: 0, end: 0 }; N] }
    }
}

impl<'a, const N: usize> Fields<'a, N> {
    /// The value at `place`, [`Raw::ABSENT`] if the object had none. The last of two equal keys counts.
    #[inline]
    #[must_use]
    pub fn get(&self, place: usize) -> Raw<'a> {
        let mark = self.marks[place];
        let bytes = self.data.get(mark.start as usize..(mark.end & !Mark::ESCAPED) as usize).unwrap_or_default();
        Raw::new_text(bytes, mark.end & Mark::ESCAPED != 0)
    }

    /// Whether the object had no value at `place`.
    #[inline]
    #[must_use]
    pub const fn is_absent(&self, place: usize) -> bool {
        self.marks[place].end == 0
    }

    /// The key of the value at `place`, as it stands in the payload; empty if the object had none.
    #[must_use]
    pub fn key(&self, place: usize) -> Text<'a> {
        // Names of fields have no quote in them, so the key begins at the second quote before the value.
        let before = self.data.get(..self.marks[place].start as usize).unwrap_or_default();
        let mut quotes = memchr::memrchr_iter(b'"', before);
        match (quotes.next(), quotes.next()) {
            (Some(end), Some(start)) => {
                let raw = &before[start + 1..end];
                Text::new(raw, raw.contains(&b'\\'))
            }
            _ => Text::default(),
        }
    }
}

impl<'a> Cursor<'a> {
    /// Reads the object that begins here and hands out the named fields, absent ones as [`Raw::ABSENT`]. The last of two
    /// equal keys counts.
    ///
    /// # Errors
    /// When no object begins here, or it is no JSON.
    #[inline]
    pub fn fields<const N: usize>(&mut self, names: &Names<N>) -> Result<[Raw<'a>; N], Error> {
        let mut fields = Fields::default();
        self.read_fields(names, &mut fields)?;
        Ok(std::array::from_fn(|place| fields.get(place)))
    }

    /// Reads the object that begins here into `fields`, which are of this payload or empty. Fastest for keys in the order
    /// of the list, so it pays to list keys that are not read.
    ///
    /// # Errors
    /// When no object begins here, or it is no JSON.
    #[inline(always)]
    pub fn read_fields<const N: usize>(&mut self, names: &Names<N>, fields: &mut Fields<'a, N>) -> Result<(), Error> {
        self.read_fields_but(names, NONE, fields, |cursor| cursor.skip().map(|_| ()))
    }

    /// As [`Cursor::read_fields`], but that `read` reads the value at place `inner` from the cursor, as often as the key
    /// occurs. Where the value stands is noted as well.
    ///
    /// # Errors
    /// As [`Cursor::read_fields`], or when `read` fails.
    #[inline(always)]
    pub fn read_fields_but<const N: usize>(
        &mut self,
        names: &Names<N>,
        inner: usize,
        fields: &mut Fields<'a, N>,
        read: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.data.len() > PAYLOAD_BYTES_MAX {
            return Err(self.error(Reason::TooLong));
        }
        fields.data = self.data;
        if self.open_usual_object() || self.open_object()? {
            self.read_members(names, inner, 0, fields, read)?;
        }
        Ok(())
    }

    /// Reads members to the end of the object, of which there is at least one more.
    #[inline(always)]
    pub(super) fn read_members<const N: usize>(
        &mut self,
        names: &Names<N>,
        inner: usize,
        mut hint: usize,
        fields: &mut Fields<'a, N>,
        mut read: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Some(next) = self.members_until(names.list(), inner, hint, &mut fields.marks)? {
            hint = next;
            if !self.read_inner(inner, fields, &mut read)? {
                break;
            }
        }
        Ok(())
    }

    /// Has `read` read the value at `inner`. Whether another member follows.
    #[inline(always)]
    pub(super) fn read_inner<const N: usize>(
        &mut self,
        inner: usize,
        fields: &mut Fields<'a, N>,
        read: &mut impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        self.peek();
        let start = self.at;
        read(self)?;
        if let Some(mark) = fields.marks.get_mut(inner) {
            *mark = Mark::new(start, self.at, false);
        }
        self.more_members()
    }

    /// Reads members from a key on. Stops before the value at place `inner`, and tells the place behind; or at the end of
    /// the object.
    #[inline(always)]
    pub(super) fn members_until(
        &mut self,
        names: List<'_>,
        inner: usize,
        mut hint: usize,
        marks: &mut [Mark],
    ) -> Result<Option<usize>, Error> {
        let data = self.data;
        let mut at = self.at;
        loop {
            let place = if let Some(behind) = names.behind(data, at, hint) {
                at = behind;
                hint
            } else if let Some(behind) = names.behind(data, at, hint + 1) {
                // One was left out, as often happens.
                at = behind;
                hint + 1
            } else {
                self.at = at;
                let place = self.other_key(names, hint)?;
                at = self.at;
                place
            };
            if place != NONE {
                hint = place + 1;
                if place == inner {
                    self.at = at;
                    return Ok(Some(hint));
                }
            }
            let mark = match usual_value(data, at) {
                Some(end) => {
                    let start = std::mem::replace(&mut at, end);
                    Mark::new(start, end, false)
                }
                None => {
                    self.at = at;
                    let mark = self.other_value()?;
                    at = self.at;
                    mark
                }
            };
            if let Some(slot) = marks.get_mut(place) {
                *slot = mark;
            }
            if data.get(at) == Some(&b',') {
                at += 1;
                continue;
            }
            self.at = at;
            if !self.more_members()? {
                return Ok(None);
            }
            at = self.at;
        }
    }

    /// Enters the object that begins here if it has a member, no blanks, and is not nested too deep.
    #[inline(always)]
    pub(super) fn open_usual_object(&mut self) -> bool {
        let is_usual = self.nesting_left > 0 && self.data.get(self.at..self.at + 2) == Some(b"{\"");
        if is_usual {
            self.at += 1;
            self.nesting_left -= 1;
        }
        is_usual
    }

    /// Reads a key that is not the expected one, and tells its place, [`NONE`] if it is not in the list.
    #[inline(never)]
    fn other_key(&mut self, names: List<'_>, hint: usize) -> Result<usize, Error> {
        let key = self.key()?;
        Ok(names.find(key, hint).unwrap_or(NONE))
    }

    /// Skips a value of any kind and notes where it stands.
    #[inline(never)]
    fn other_value(&mut self) -> Result<Mark, Error> {
        self.peek();
        let start = self.at;
        let value = self.skip()?;
        Ok(Mark::new(start, self.at, value.text().is_some_and(|text| text.is_escaped())))
    }
}

/// The end of the value at `at`, if it is of the most usual ones: a string without escapes, `null`,
/// or a number of a few digits.
#[inline(always)]
fn usual_value(data: &[u8], at: usize) -> Option<usize> {
    match data.get(at)? {
        b'"' => {
            let end = find_special(data, at + 1);
            (data.get(end) == Some(&b'"')).then_some(end + 1)
        }
        b'n' => (data.get(at..at + 4) == Some(b"null")).then_some(at + 4),
        b'0' => matches!(data.get(at + 1), Some(b',' | b'}' | b']')).then_some(at + 1),
        b'1'..=b'9' => {
            let end = digits_end(data, at)?;
            matches!(data.get(end), Some(b',' | b'}' | b']')).then_some(end)
        }
        _ => None,
    }
}

/// The end of a few digits.
#[inline(always)]
fn digits_end(data: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..2 {
        let count = leading_digits(u64::from_le_bytes(*data.get(end..)?.first_chunk()?));
        end += count;
        if count < 8 {
            return Some(end);
        }
    }
    None
}

/// No place in any list.
const NONE: usize = usize::MAX;
