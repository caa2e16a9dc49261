//! One piece of the chain.

use crate::entry::Entry;
use crate::slots::link::Link;
use crate::slots::page::Page;
use crate::slots::record::Texts;
use crate::sync::Arc;

/// A page and the link to the next segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Number of its first entry.
    pub(super) first: u64,
    pub(super) page: Page,
    pub(super) next: Link<Self>,
}

impl Segment {
    pub(super) fn new(first: u64, bytes: usize) -> Self {
        Self { first, page: Page::new(bytes), next: Link::new() }
    }

    /// Entry `seq`.
    ///
    /// # Safety
    /// The entry must lie in this segment, be published, and this thread must have seen that with Acquire.
    #[inline]
    pub(super) unsafe fn entry(&self, seq: u64) -> Entry<'_> {
        // SAFETY: promised by the caller.
        let record = unsafe { self.page.record((seq - self.first) as usize) };
        match record.texts() {
            Texts::Inline(text, aux) => {
                let (text, rest) = record.tail().split_at(text);
                record.entry(seq, text, &rest[..aux])
            }
            Texts::InPage(offset, text, aux) => {
                // SAFETY: where the writer put the texts of this record.
                let bytes = unsafe { self.page.bytes_at(offset, text + aux) };
                let (text, aux) = bytes.split_at(text);
                record.entry(seq, text, aux)
            }
        }
    }
}

impl Drop for Segment {
    /// Frees the rest of the chain in a loop: dropping link by link would recurse once a segment and overflow the stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(segment) = next {
            // Somebody else still holds it: then they free it and what follows.
            let Ok(mut segment) = Arc::try_unwrap(segment) else { break };
            next = segment.next.take();
        }
    }
}
