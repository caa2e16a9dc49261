//! The seam between framing and dialects: how the engine asks any codec for events.

use crate::types::{Error, FrameRef, StreamEvent};

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
    /// # Errors
    /// Only when the codec itself is broken; what the wire says wrong is an event.
    fn decode<'f>(
        &mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Error>;

    /// The body has ended: appends what the codec still holds back.
    ///
    /// # Errors
    /// As [`Decode::decode`].
    fn finish<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Error>;

    /// Forgets the reply read so far.
    fn reset(&mut self);
}

/// A caller-owned array that a codec fills.
#[derive(Debug)]
pub struct Events<'b, 'f> {
    buffer: &'b mut Vec<StreamEvent<'f>>,
    capacity: usize,
}

impl<'b, 'f> Events<'b, 'f> {
    /// Appends to `buffer` until it holds `capacity` events.
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
