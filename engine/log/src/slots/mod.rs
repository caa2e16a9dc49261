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
//! 4. **Held.** A [`Place`] owns the segment that it stands on; nothing is freed or used again under a reader, so there is
//!    no ABA and nothing to reclaim by epochs. A segment owns the next one; in a window it only knows where that begins,
//!    and a reader that goes on asks the [shelf](shelf::Shelf) which segments are left.

mod held;
mod link;
mod page;
mod parked;
mod place;
mod published;
mod record;
mod segment;
mod shelf;
mod tail;
mod waker;

pub(crate) use parked::Sleeper;
pub(crate) use place::{Place, Rest};
pub(crate) use segment::Segment;
pub(crate) use tail::Tail;

use crate::options::Options;
use crate::pool::Pool;
use crate::slots::held::Held;
use crate::slots::parked::Parked;
use crate::slots::published::Published;
use crate::slots::shelf::Shelf;
use crate::sync::{Arc, AtomicUsize, Mutex};

/// What all parties of one log share.
#[derive(Debug)]
pub(crate) struct Shared {
    published: Published,
    /// On the same cache line as `published` on purpose: the writer needs both together.
    parked: Parked,
    /// How many readers hold the writer back.
    holds: AtomicUsize,
    /// Only where it is needed, so that an idle log stays small.
    shelf: Mutex<Option<Box<Shelf>>>,
}

/// A new log: its writing end, and the place before its first entry.
pub(crate) fn open(options: Options, pool: Option<Pool>) -> (Tail, Place) {
    let shared = Arc::new(Shared {
        published: Published::new(),
        parked: Parked::new(),
        holds: AtomicUsize::new(0),
        shelf: Mutex::new(None),
    });
    // A page without room: the first real one comes with the first entry, so that an idle log stays small.
    let start = Held::from(Segment::new(0, 0));
    (Tail::new(Arc::clone(&shared), start.clone(), options, pool), Place::new(shared, start))
}
