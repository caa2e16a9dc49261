//! The structure itself, and all unsafe code of the crate.
//!
//! A log is a chain of segments. A segment is a page of memory: fixed records grow from its front, long texts from its
//! back, and it is full when they meet. One word, `len << 2 | PARKED | CLOSED`, publishes everything.
//!
//! Four facts carry all safety arguments:
//!
//! 1. **One writer.** [`Tail`] is not `Clone`, and only it writes to pages and sets links.
//! 2. **Write once.** A record and its text are written before `len` covers them, never after.
//! 3. **Published first.** A reader touches record `n` only after it has loaded `len > n` with Acquire.
//! 4. **Held.** A [`Place`] owns the segment that it stands on, a segment owns the next one; nothing is freed under
//!    a reader, no address is used again, so there is no ABA and nothing to reclaim by epochs.

mod link;
mod page;
mod parked;
mod place;
mod published;
mod record;
mod segment;
mod tail;
mod waker;

pub(crate) use parked::Sleeper;
pub(crate) use place::{Place, Rest};
use segment::Segment;
pub(crate) use tail::Tail;

use crate::options::Options;
use crate::slots::parked::Parked;
use crate::slots::published::Published;
use crate::sync::Arc;

/// What all parties of one log share.
#[derive(Debug)]
pub(crate) struct Shared {
    published: Published,
    /// On the same cache line as `published` on purpose: the writer needs both together.
    parked: Parked,
}

/// A new log: its writing end, and the place before its first entry.
pub(crate) fn open(options: Options) -> (Tail, Place) {
    let shared = Arc::new(Shared { published: Published::new(), parked: Parked::new() });
    // A page without room: the first real one comes with the first entry, so that an idle log stays small.
    let start = Arc::new(Segment::new(0, 0));
    (Tail::new(Arc::clone(&shared), Arc::clone(&start), options), Place::new(shared, start))
}
