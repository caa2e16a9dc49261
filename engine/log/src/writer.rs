//! The writer.

use crate::entry::Entry;
use crate::failure::AppendError;
use crate::slots::Tail;
use crate::sync;
use crate::unpark::unpark_this_thread;
use core::future::poll_fn;
use core::task::{Context, Poll};

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
    /// [`AppendError::Full`] and [`AppendError::TooMany`] at the limits of the log, [`AppendError::PoolFull`] at that of all
    /// logs of its pool, [`AppendError::TooLong`] above 4 GiB in one entry, [`AppendError::Closed`] after
    /// [`Writer::close`]. The entry is then not in the log; what is in it stays.
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

    /// Ready when no reader that [holds the writer back](crate::Cursor::hold_back) is more than
    /// [`ahead_bytes_max`](crate::Options::ahead_bytes_max) behind; else publishes, and the waker is called once when that
    /// changes. Only who asks waits: to append goes on in any case, and takes memory. Free without such readers.
    #[inline]
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.has_room(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for [room](Writer::poll_room). A dropped future loses nothing.
    pub async fn room(&mut self) {
        poll_fn(|cx| self.poll_room(cx)).await;
    }

    /// As [`Writer::room`], but blocks the thread. Not for async code.
    pub fn wait_room(&mut self) {
        let waker = unpark_this_thread();
        while self.poll_room(&mut Context::from_waker(&waker)).is_pending() {
            sync::park();
        }
    }

    /// Publishes, and tells the readers that no more will come. Later calls do nothing.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Appends an entry that should be the last one: no limit on bytes or entries holds for it, nor for any that comes
    /// behind, so that a log that is full can still say how it ended.
    ///
    /// # Errors
    /// As [`Writer::append`], but for those limits.
    pub fn append_last(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        self.0.lift_limit();
        self.0.append(entry)
    }

    /// Appends a last entry and closes. No limit on bytes or entries holds for this one: a log that is full can still say
    /// how it ended.
    ///
    /// # Errors
    /// As [`Writer::append`], but for those limits. The log is closed in any case.
    pub fn close_with(&mut self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        let seq = self.append_last(entry);
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

    /// Bytes of all segments made so far, in a window of those that are kept: what
    /// [`Options::bytes_max`](crate::Options::bytes_max) limits.
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
