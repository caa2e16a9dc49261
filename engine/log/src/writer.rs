//! The writer.

use crate::entry::Entry;
use crate::failure::AppendError;
use crate::slots::Tail;

/// The one writer of a log. Dropping it closes the log.
#[derive(Debug)]
pub struct Writer(Tail);

impl Writer {
    pub(crate) const fn new(tail: Tail) -> Self {
        Self(tail)
    }

    /// Appends a copy of `entry`, which readers see from the next [`Writer::publish`] on, and gives its number.
    ///
    /// # Errors
    /// [`AppendError::Full`] at the limit on bytes, [`AppendError::TooLong`] above 4 GiB in one entry,
    /// [`AppendError::Closed`] after [`Writer::close`]. The entry is then not in the log; what is in it stays.
    #[inline]
    pub fn append(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        self.0.append(entry)
    }

    /// Makes all appended entries readable and wakes the readers that sleep: one atomic exchange, however many entries.
    /// Best called once per socket read; a wake costs as much as a thousand appends.
    #[inline]
    pub fn publish(&mut self) {
        self.0.publish();
    }

    /// Publishes, and tells the readers that no more will come. Later calls do nothing.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Appends a last entry and closes. The limit on bytes does not hold for this one: a log that is full can still say
    /// how it ended.
    ///
    /// # Errors
    /// As [`Writer::append`], but for [`AppendError::Full`]. The log is closed in any case.
    pub fn close_with(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        self.0.lift_limit();
        let seq = self.0.append(entry);
        self.0.close();
        seq
    }

    /// Entries appended, published or not; the number of the next one.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was appended yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Entries appended and not yet published.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.0.pending()
    }

    /// Bytes of all segments made so far: what [`Options::bytes_max`](crate::Options::bytes_max) limits.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Whether the log was closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
    }
}
