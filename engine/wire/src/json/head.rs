//! How payloads begin: those of one reply mostly begin alike, up to the value that differs.

use super::fields::{Fields, Mark, PAYLOAD_BYTES_MAX};
use super::{Cursor, Error, NESTING_MAX, Names};

/// The beginning of a payload, and what stands in it. Payloads of one reply mostly begin alike.
#[derive(Clone, Debug)]
pub struct Head<const N: usize> {
    bytes: Vec<u8>,
    /// Starts and ends: small, since a stream that waits should be.
    marks: [(u16, u16); N],
    /// The place behind that of the value which comes next.
    next: u16,
}

/// Longest beginning that is kept.
const HEAD_BYTES_MAX: usize = 320;

impl<const N: usize> Default for Head<N> {
    fn default() -> Self {
        Self { bytes: Vec::new(), marks: [(0, 0); N], next: 0 }
    }
}

impl<const N: usize> Head<N> {
    fn keep(&mut self, bytes: &[u8], marks: &[Mark; N], next: usize) {
        self.bytes.clear();
        if bytes.len() <= HEAD_BYTES_MAX && marks.iter().all(|mark| mark.end & Mark::ESCAPED == 0) {
            self.bytes.extend_from_slice(bytes);
            self.marks = marks.map(|mark| (mark.start as u16, mark.end as u16));
            self.next = next as u16;
        }
    }

    fn marks(&self) -> [Mark; N] {
        self.marks.map(|(start, end)| Mark { start: start.into(), end: end.into() })
    }
}

impl<'a> Cursor<'a> {
    /// As [`Cursor::read_fields_but`] for a whole payload, whose beginning up to the value at `inner` is kept in `head`: where
    /// the next one begins with the same bytes, they are not read again.
    ///
    /// # Errors
    /// As [`Cursor::read_fields_but`].
    #[inline(always)]
    pub fn read_fields_behind<const N: usize>(
        &mut self,
        names: &Names<N>,
        inner: usize,
        head: &mut Head<N>,
        fields: &mut Fields<'a, N>,
        mut read: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.at > 0 || self.data.len() > PAYLOAD_BYTES_MAX || self.nesting_left != NESTING_MAX {
            return self.read_fields_but(names, inner, fields, read);
        }
        fields.data = self.data;
        let hint = if head.bytes.is_empty() || !self.data.starts_with(&head.bytes) {
            let more = self.open_usual_object() || self.open_object()?;
            let next = if more { self.members_until(names.list(), inner, 0, &mut fields.marks)? } else { None };
            let Some(next) = next else { return Ok(()) };
            head.keep(&self.data[..self.at], &fields.marks, next);
            next
        } else {
            (self.at, fields.marks) = (head.bytes.len(), head.marks());
            self.nesting_left -= 1;
            head.next.into()
        };
        if self.read_inner(inner, fields, &mut read)? {
            self.read_members(names, inner, hint, fields, read)?;
        }
        Ok(())
    }
}
