//! Where a codec puts its events.

use crate::types::{FLAG_SCRATCH, StreamEvent};
use core::mem::MaybeUninit;

/// The events of a call: a fixed array of the caller, and behind it whatever does not fit, so a push never fails.
pub struct Out<'o, 'f> {
    room: &'o mut [MaybeUninit<StreamEvent<'f>>],
    len: usize,
    spill: &'o mut Vec<StreamEvent<'f>>,
    scratch: &'o mut Scratch,
}

/// Copies of texts that are part of no frame. Each keeps its address until [`Scratch::clear`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    // Vectors rather than boxes: a box that is moved would invalidate the slices of its bytes. None ever grows beyond the
    // room it was made with.
    pages: Vec<Vec<u8>>,
}

/// Room of a page, unless one text needs more.
const PAGE_BYTES: usize = 512;
/// Room of a page that is kept.
const PAGE_BYTES_KEPT: usize = 4 << 10;

impl Scratch {
    pub(crate) fn clear(&mut self) {
        // The first page is kept, so that a codec that copies a little with every reply allocates nothing.
        self.pages.truncate(1);
        match self.pages.first_mut() {
            Some(page) if page.capacity() <= PAGE_BYTES_KEPT => page.clear(),
            _ => self.pages.clear(),
        }
    }

    /// A copy of `bytes`.
    ///
    /// # Safety
    /// The scratch must not be cleared or dropped during `'f`.
    unsafe fn keep<'f>(&mut self, bytes: &[u8]) -> &'f [u8] {
        if self.pages.last().is_none_or(|page| page.capacity() - page.len() < bytes.len()) {
            self.pages.push(Vec::with_capacity(bytes.len().max(PAGE_BYTES)));
        }
        let Some(page) = self.pages.last_mut() else { return &[] };
        let start = page.len();
        page.extend_from_slice(bytes);
        let address = &raw const page[start..];
        // SAFETY: neither moving a vector nor adding to one that has room moves its bytes, and the caller promises that they
        // stay.
        unsafe { &*address }
    }
}

impl<'o, 'f> Out<'o, 'f> {
    /// Writes to `room` first, then to `spill`.
    ///
    /// # Safety
    /// `scratch` must not be cleared or dropped as long as an event that was pushed here is read.
    pub(crate) const unsafe fn new(
        room: &'o mut [MaybeUninit<StreamEvent<'f>>],
        spill: &'o mut Vec<StreamEvent<'f>>,
        scratch: &'o mut Scratch,
    ) -> Self {
        Self { room, len: 0, spill, scratch }
    }

    /// Adds one event.
    #[inline]
    pub fn push(&mut self, event: StreamEvent<'f>) {
        match self.room.get_mut(self.len) {
            Some(slot) => {
                slot.write(event);
                self.len += 1;
            }
            None => self.spill.push(event),
        }
    }

    /// Adds one event whose `text` and `aux` are copied, for text that the codec made and that is part of no frame.
    /// The slices that `event` carries are replaced and `FLAG_SCRATCH` is set. Allocates: not for the hot path.
    pub fn push_copied(&mut self, event: StreamEvent<'_>, text: &[u8], aux: &[u8]) {
        let mut raw = *event.as_raw();
        raw.flags |= FLAG_SCRATCH;
        // SAFETY: as promised at `new`, the scratch outlives every event of this array.
        let text = unsafe { self.scratch.keep(text) };
        // SAFETY: as above.
        let aux = unsafe { self.scratch.keep(aux) };
        // SAFETY: the slices of `raw`, which may live shorter than `'f`, are replaced at once.
        let event = unsafe { StreamEvent::from_raw(raw) };
        self.push(event.with_text(text).with_aux(aux));
    }

    /// Number of events in the array; the rest is in the spill.
    pub(crate) const fn written(&self) -> usize {
        self.len
    }
}

impl core::fmt::Debug for Out<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Out").field("len", &(self.len + self.spill.len())).finish_non_exhaustive()
    }
}
