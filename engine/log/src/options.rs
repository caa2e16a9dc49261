//! Sizes of a log.

/// How much a log may hold and how it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of segments that the writer ever asks for, freed ones included; [`AppendError::Full`] beyond it.
    /// Default 256 MiB: about five million deltas.
    ///
    /// [`AppendError::Full`]: crate::AppendError::Full
    pub bytes_max: usize,
    /// Bytes of the first segment, which is made when the first entry comes. Each next one is twice as large. Default 512.
    pub segment_bytes_first: usize,
    /// Bytes at which segments stop growing. A single entry that needs more gets a segment of its own size.
    /// Default 64 KiB.
    pub segment_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes_max: 256 << 20, segment_bytes_first: 512, segment_bytes_max: 64 << 10 }
    }
}
