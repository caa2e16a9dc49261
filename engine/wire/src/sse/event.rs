//! What a decoder gives, and what it says of its work.

/// A dispatched event. The slices are valid UTF-8 and live until the decoder is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Name of the event; empty stands for `message`.
    pub event_type: &'a [u8],
    /// Lines of data, joined by LF.
    pub data: &'a [u8],
    /// The last id that the stream has set, by this event or an earlier one.
    pub last_event_id: &'a [u8],
    /// The last `retry` that the stream has set.
    pub reconnection_time_ms: Option<u64>,
}

/// What a decoder has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes fed.
    pub bytes: u64,
    /// Comment lines.
    pub comments: u64,
    /// Bytes that were copied: events across two chunks, joined lines, replaced bytes, ids.
    pub copied_bytes: u64,
    /// Bytes looked at, each search counted: a small multiple of `bytes`, however the stream is cut.
    pub scanned_bytes: u64,
}
