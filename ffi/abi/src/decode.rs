//! The seam between framing and dialects: how the engine asks any codec for events.

use crate::failure::Failure;
use crate::types::{FrameRef, StreamEvent};
use core::mem::ManuallyDrop;

/// Whether a call to [`Decode`] has read everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All frames are read.
    Done,
    /// The array was full; call again with the same frames.
    More,
}

/// A codec as the engine drives it: loaded through the C table, or linked in.
pub trait Decode {
    /// Reads `frames[*next..]`, appends events to `out` until it is full, and moves `next` past the frames read.
    ///
    /// The events live no longer than the borrow of the codec, since some point into its own memory: hand them on,
    /// then [`recycle_events`] the array for the next call.
    ///
    /// # Errors
    /// Only when the codec itself is broken; what the wire says wrong is an event.
    fn decode<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure>;

    /// The body has ended: appends what the codec still holds back.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    fn finish<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Failure>;

    /// Forgets the reply read so far.
    fn reset(&mut self);
}

/// A caller-owned array that a codec fills.
#[derive(Debug)]
pub struct Events<'b, 'f> {
    pub(crate) buffer: &'b mut Vec<StreamEvent<'f>>,
    capacity: usize,
}

impl<'b, 'f> Events<'b, 'f> {
    /// Appends to `buffer` until it holds `capacity` events. A linked-in codec goes beyond by what its last frame gave.
    #[must_use]
    pub const fn new(buffer: &'b mut Vec<StreamEvent<'f>>, capacity: usize) -> Self {
        Self { buffer, capacity }
    }

    /// Room that is left.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(self.buffer.len())
    }

    /// Appends one event, or gives it back when there is no room.
    ///
    /// # Errors
    /// The event, when the array is full.
    pub fn push(&mut self, event: StreamEvent<'f>) -> Result<(), StreamEvent<'f>> {
        if self.room() == 0 {
            return Err(event);
        }
        self.buffer.push(event);
        Ok(())
    }
}

/// Empties an array of events and gives its memory back for events of another lifetime.
#[must_use]
pub fn recycle_events<'b>(events: Vec<StreamEvent<'_>>) -> Vec<StreamEvent<'b>> {
    let mut events = ManuallyDrop::new(events);
    // SAFETY: same allocation and same type but for the lifetime, of which nothing is left at length 0; the old vector
    // is never dropped.
    unsafe { Vec::from_raw_parts(events.as_mut_ptr().cast(), 0, events.capacity()) }
}

/// Empties an array of frames and gives its memory back for frames of another lifetime.
#[must_use]
pub fn recycle_frames<'b>(frames: Vec<FrameRef<'_>>) -> Vec<FrameRef<'b>> {
    let mut frames = ManuallyDrop::new(frames);
    // SAFETY: as in `recycle_events`.
    unsafe { Vec::from_raw_parts(frames.as_mut_ptr().cast(), 0, frames.capacity()) }
}
