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
    // Vectors rather than boxes: a box that is moved would invalidate the slices of its bytes.
    texts: Vec<Vec<u8>>,
}

impl Scratch {
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
    }

    /// A copy of `bytes`.
    ///
    /// # Safety
    /// The scratch must not be cleared or dropped during `'f`.
    unsafe fn keep<'f>(&mut self, bytes: &[u8]) -> &'f [u8] {
        let kept = bytes.to_vec();
        let address = &raw const *kept.as_slice();
        self.texts.push(kept);
        // SAFETY: moving a vector does not move its bytes, and the caller promises that they stay.
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
