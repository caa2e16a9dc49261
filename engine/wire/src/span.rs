//! Where the parts of an event lie, as plain numbers, and one walk over one chunk.
//!
//! An event's slices come from three places: the caller's chunk, the copy of the one event that straddled two chunks,
//! and the scratch for text that had to be put together. Offsets are noted first and turned into slices once nothing
//! grows any more, so no slice can dangle and a batch of events can be handed on in one go.

/// What a slice is cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The chunk of the current call.
    Chunk,
    /// The event that began in an earlier chunk.
    Joined,
    /// Text that exists on the wire in no such form: joined lines, replaced bytes, ids of this batch.
    Scratch,
    /// The last event id as it was when the batch began.
    Id,
}

/// A range of one of the places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) place: Place,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Slice {
    pub(crate) const EMPTY: Self = Self { place: Place::Scratch, start: 0, end: 0 };
}

/// One framed event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) data: Slice,
    pub(crate) event_type: Slice,
}

/// One walk from the first to the last byte of a chunk.
#[derive(Debug)]
pub(crate) struct Walk<'c> {
    pub(crate) chunk: &'c [u8],
    /// The first byte that is not read yet; always at the start of a line once `entered`.
    pub(crate) at: usize,
    /// Whether what earlier chunks left over was taken care of.
    pub(crate) entered: bool,
}

impl<'c> Walk<'c> {
    #[inline]
    pub(crate) const fn new(chunk: &'c [u8]) -> Self {
        Self { chunk, at: 0, entered: false }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'c [u8] {
        &self.chunk[self.at..]
    }
}

/// Longest buffer that is kept from one batch to the next.
pub(crate) const KEPT_BYTES: usize = 1 << 20;
