//! Several entries in one borrow.

use crate::entry::Entry;
use crate::slots::Rest;

/// The entries that can be read without stepping over to the next segment. All of them live as long as the borrow of the
/// cursor; the cursor moves behind each one as it is given out.
#[derive(Debug)]
pub struct Batch<'a>(Rest<'a>);

impl<'a> Batch<'a> {
    pub(crate) const fn new(rest: Rest<'a>) -> Self {
        Self(rest)
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        self.0.step()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Batch<'_> {}
