//! A frame across two chunks, held back while a template may still take it.
//!
//! The end of a chunk that fits a template as far as it goes is copied here, and with the next chunk as much as the frame
//! needs; so no terminator is searched. What fits none after all goes to the framer, which has not seen it yet.

use crate::limits::Limits;
use crate::simd::Level;
use crate::template::{Ended, Fit, Templates};

/// The beginning of a frame whose end has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Seam {
    bytes: Vec<u8>,
    /// Before so many have come it is of no use to look.
    bytes_min: usize,
    /// Bytes of the frame that was put together last: the next one has about as many.
    bytes_usual: usize,
    pub(crate) copied_bytes: u64,
}

/// What the next chunk has made of it.
#[derive(Debug)]
pub(crate) enum Completed {
    /// The frame fits the template at `position` of the list, and lies in [`Seam::bytes`]. The chunk goes on at `at`.
    Fits { at: usize, position: usize, fit: Fit },
    /// All of the chunk was taken, and the end is still missing.
    Short,
    /// It fits none. What came with this chunk was given back.
    Misses,
}

/// Bytes that are held back at most; a longer frame is the framer's.
const BYTES_MAX: usize = 8 << 10;

/// Bytes beyond those that a frame needs which are taken at once, for its holes.
const BYTES_MORE: usize = 64;

/// Whether the beginning of a frame may be held back.
#[inline]
pub(crate) fn takes(bytes: usize, limits: Limits) -> bool {
    bytes <= BYTES_MAX.min(limits.event_bytes_max.saturating_sub(2))
}

impl Seam {
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frame was read, or forgotten. The memory is kept.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Back to the start of a stream.
    pub(crate) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes_usual = 0;
        self.copied_bytes = 0;
    }

    /// Takes the bytes away, to be given back for their memory.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn give_back(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        self.bytes.clear();
    }

    /// Keeps the rest of a chunk.
    pub(crate) fn begin(&mut self, rest: &[u8], bytes_min: usize) {
        self.bytes_min = bytes_min;
        self.push(rest);
    }

    /// Goes on with the next chunk, which is not read yet.
    pub(crate) fn complete(
        &mut self,
        templates: &mut Templates,
        level: Level,
        chunk: &[u8],
        limits: Limits,
    ) -> Completed {
        let before = self.bytes.len();
        let mut taken = 0;
        let mut wanted = self.bytes_min.max(self.bytes_usual);
        loop {
            let more = wanted.saturating_sub(self.bytes.len()) + BYTES_MORE;
            let end = chunk.len().min(taken + more);
            self.push(&chunk[taken..end]);
            taken = end;
            let ended = if self.bytes.len() < self.bytes_min {
                Ended::Short
            } else {
                match templates.one(level, &self.bytes, limits.event_bytes_max) {
                    Ok((position, fit)) if fit.end > before => {
                        self.bytes_usual = fit.end;
                        return Completed::Fits { at: fit.end - before, position, fit };
                    }
                    Ok(_) => Ended::Miss,
                    Err(ended) => ended,
                }
            };
            match ended {
                Ended::Short if taken < chunk.len() => {
                    self.bytes_min = self.bytes_min.max(self.bytes.len() + 1);
                    wanted = self.bytes_min + self.bytes.len() / 2;
                }
                Ended::Short if takes(self.bytes.len(), limits) => {
                    self.bytes_min = self.bytes_min.max(self.bytes.len() + 1);
                    return Completed::Short;
                }
                _ => {
                    self.bytes.truncate(before);
                    return Completed::Misses;
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.copied_bytes += bytes.len() as u64;
    }
}
