//! A reader.

use crate::batch::Batch;
use crate::entry::Entry;
use crate::slots::{Place, Sleeper};
use crate::sync;
use crate::unpark::unpark_this_thread;
use core::future::poll_fn;
use core::task::{Context, Poll};

/// A reader with its own place in the log. Independent of all other readers and of the writer; clones go their own way
/// from here.
#[derive(Debug)]
pub struct Cursor {
    place: Place,
    sleeper: Sleeper,
}

impl Cursor {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, sleeper: Sleeper::default() }
    }

    /// Has a writer that asks for [room](crate::Writer::poll_room) wait for this reader, as long as it lives: it then misses
    /// nothing, not even of a window. Clones of it do the same. It must go on reading, or nothing more is written.
    #[must_use]
    pub fn hold_back(mut self) -> Self {
        self.place.hold_back();
        self
    }

    /// The next entry that is published, or `None` when all were read. Never waits.
    ///
    /// An entry of the kind [`LAGGED`](crate::LAGGED) stands for what a window has dropped before this reader came to it.
    #[expect(clippy::should_implement_trait, reason = "the entry borrows from the cursor, which no iterator can say")]
    #[inline]
    pub fn next(&mut self) -> Option<Entry<'_>> {
        self.place.step()
    }

    /// As [`Cursor::next`], but stays where it is.
    #[inline]
    pub fn peek(&mut self) -> Option<Entry<'_>> {
        self.place.peek()
    }

    /// The published entries up to the end of a segment, to be read together; empty when all were read. Never waits.
    /// Call again until it is empty.
    #[inline]
    pub fn batch(&mut self) -> Batch<'_> {
        Batch::new(self.place.rest())
    }

    /// Ready with `true` when there are entries to read, with `false` when the log is closed and all were read; else
    /// the waker is called once when that changes. A dropped future loses nothing.
    ///
    /// A task whose log is always full should yield now and then by itself: this does not count against a runtime's
    /// budget.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Some(answer) = self.try_ready() {
            return Poll::Ready(answer);
        }
        if self.place.park(&mut self.sleeper, cx.waker()) {
            return Poll::Pending;
        }
        // Something came while we went to sleep. Our node stays queued: at worst one wake for nothing.
        Poll::Ready(self.try_ready().unwrap_or(true))
    }

    /// Waits until there are entries (`true`), or the log is closed and all were read (`false`).
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// As [`Cursor::ready`], but blocks the thread. Not for async code.
    pub fn wait(&mut self) -> bool {
        if let Some(answer) = self.try_ready() {
            return answer;
        }
        let waker = unpark_this_thread();
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.poll_ready(&mut cx) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => sync::park(),
            }
        }
    }

    /// As [`Cursor::wait`], but gives up with `None` after `timeout`.
    #[cfg(not(loom))]
    pub fn wait_timeout(&mut self, timeout: core::time::Duration) -> Option<bool> {
        let start = std::time::Instant::now();
        let waker = unpark_this_thread();
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(answer) = self.poll_ready(&mut cx) {
                return Some(answer);
            }
            let left = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())?;
            std::thread::park_timeout(left);
        }
    }

    fn try_ready(&self) -> Option<bool> {
        if self.place.has_unread() {
            return Some(true);
        }
        self.place.is_drained().then_some(false)
    }

    /// Number of the next entry.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.place.next_seq()
    }

    /// Whether no more will come; some may still be unread.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.place.is_closed()
    }

    /// Whether no more will come and all were read.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.place.is_drained()
    }
}

impl Clone for Cursor {
    fn clone(&self) -> Self {
        Self::new(self.place.clone())
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.place.leave(&mut self.sleeper);
    }
}
