//! What the writer and readers share besides the chain, under a lock: the segments of a window, and the readers that hold
//! the writer back. Looked at once a segment, or not at all.

use crate::slots::Shared;
use crate::slots::held::Held;
use crate::sync::{Arc, MutexGuard, lock};
use core::sync::atomic::Ordering::{AcqRel, Acquire};
use core::task::Waker;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The segments of a window, oldest first. Empty in a log that keeps everything.
    kept: VecDeque<Held>,
    readers: Vec<Reader>,
    next_id: u64,
    /// The writer, when it waits for the slowest of them.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    end: Published,
    ahead_max: u64,
}

/// A reader that holds the writer back.
#[derive(Clone, Copy, Debug)]
struct Reader {
    id: u64,
    /// Number of the entry that it reads next, or an earlier one.
    seq: u64,
    /// Bytes of the segments before the one that it reads.
    bytes: u64,
}

/// The end that the writer has published, against which readers are measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Published {
    pub(super) len: u64,
    /// Bytes of all segments before it, and of this one as far as it is used.
    pub(super) bytes: u64,
}

impl Shelf {
    /// Adds the segment that the writer goes on in.
    pub(super) fn push(&mut self, segment: Held) {
        self.kept.push_back(segment);
    }

    /// Number of the oldest entry kept.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.kept.front().map(|segment| segment.first)
    }

    /// Takes out the oldest segment, but not the last one, nor one with entries from `published` on, nor one that a reader
    /// who holds the writer back has not read.
    pub(super) fn drop_oldest(&mut self, published: u64) -> Option<Held> {
        let end = self.kept.get(1)?.first;
        let is_read = self.readers.iter().all(|reader| reader.seq >= end);
        (end <= published && is_read).then(|| self.kept.pop_front()).flatten()
    }

    /// The segment in which entry `seq` lies, or else the oldest one.
    pub(super) fn find(&self, seq: u64) -> Option<&Held> {
        let after = self.kept.partition_point(|segment| segment.first <= seq);
        self.kept.get(after.saturating_sub(1))
    }

    /// Whether all readers that hold the writer back have read enough; if not, the writer is woken when they have.
    pub(super) fn has_room(&self, end: Published, ahead_max: u64) -> bool {
        // Who has read all is not behind, however long the segment is that it stands on.
        self.readers.iter().all(|reader| reader.seq >= end.len || end.bytes.saturating_sub(reader.bytes) <= ahead_max)
    }

    /// The writer waits for room; gives back the waker of before.
    pub(super) fn await_room(&mut self, end: Published, ahead_max: u64, waker: &Waker) -> Option<Waker> {
        let waker = waker.clone();
        self.waiting.replace(Waiting { waker, end, ahead_max }).map(|before| before.waker)
    }

    /// The writer, if it waits and now has room.
    fn take_writer(&mut self) -> Option<Waker> {
        let Waiting { end, ahead_max, .. } = *self.waiting.as_ref()?;
        self.has_room(end, ahead_max).then(|| self.waiting.take()).flatten().map(|waiting| waiting.waker)
    }
}

/// A reader's part in holding the writer back, until it is dropped.
#[derive(Debug)]
pub(super) struct Hold {
    shared: Arc<Shared>,
    id: u64,
}

impl Hold {
    pub(super) fn new(shared: &Arc<Shared>, seq: u64, bytes: u64) -> Self {
        let mut guard = lock(&shared.shelf);
        let shelf = guard.get_or_insert_default();
        let id = shelf.next_id;
        shelf.next_id += 1;
        shelf.readers.push(Reader { id, seq, bytes });
        shared.holds.fetch_add(1, AcqRel);
        drop(guard);
        Self { shared: Arc::clone(shared), id }
    }

    /// The reader has come to entry `seq`, in a segment with so many bytes before it.
    pub(super) fn move_to(&self, seq: u64, bytes: u64) {
        let mut guard = lock(&self.shared.shelf);
        let Some(shelf) = guard.as_mut() else { return };
        if let Some(reader) = shelf.readers.iter_mut().find(|reader| reader.id == self.id)
            && reader.seq != seq
        {
            (reader.seq, reader.bytes) = (seq, bytes);
            wake_writer(guard);
        }
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        let (seq, bytes) = {
            let guard = lock(&self.shared.shelf);
            let reader = guard.as_ref().and_then(|shelf| shelf.readers.iter().find(|reader| reader.id == self.id));
            reader.map_or((0, 0), |reader| (reader.seq, reader.bytes))
        };
        Self::new(&self.shared, seq, bytes)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut guard = lock(&self.shared.shelf);
        let Some(shelf) = guard.as_mut() else { return };
        shelf.readers.retain(|reader| reader.id != self.id);
        self.shared.holds.fetch_sub(1, AcqRel);
        wake_writer(guard);
    }
}

/// Wakes the writer if it has room now; outside of the lock, since a waker may run anything.
fn wake_writer(mut guard: MutexGuard<'_, Option<Box<Shelf>>>) {
    let writer = guard.as_mut().and_then(|shelf| shelf.take_writer());
    drop(guard);
    if let Some(writer) = writer {
        writer.wake();
    }
}

impl Shared {
    /// Whether readers hold the writer back at all.
    #[inline]
    pub(super) fn has_holds(&self) -> bool {
        self.holds.load(Acquire) > 0
    }
}
