//! A claim to a segment. The last one to let go of it gives the segment back to its pool.

use crate::slots::segment::Segment;
use crate::sync::Arc;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// One count of a segment.
#[derive(Debug)]
pub(crate) struct Held(
    /// INVARIANT: taken out only by `drop`.
    ManuallyDrop<Arc<Segment>>,
);

impl Held {
    pub(crate) const fn new(segment: Arc<Segment>) -> Self {
        Self(ManuallyDrop::new(segment))
    }

    fn into_inner(self) -> Arc<Segment> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped and not used again.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl Clone for Held {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Deref for Held {
    type Target = Segment;

    #[inline]
    fn deref(&self) -> &Segment {
        &self.0
    }
}

impl Drop for Held {
    /// Goes on to the rest of the chain in a loop: dropping link by link would recurse once a segment and overflow the stack.
    fn drop(&mut self) {
        // SAFETY: the value is never touched again.
        let mut segment = unsafe { ManuallyDrop::take(&mut self.0) };
        // Where somebody else holds it, they let go of it and of what follows. Two who let go at the same time may both find
        // the other one here: then the segment is freed, and its link brings us here again.
        while let Some(unique) = Arc::get_mut(&mut segment) {
            let next = unique.next.take();
            match unique.pool.take() {
                Some(pool) => pool.give(segment),
                None => drop(segment),
            }
            match next.and_then(|next| next.segment) {
                Some(held) => segment = held.into_inner(),
                None => return,
            }
        }
    }
}
