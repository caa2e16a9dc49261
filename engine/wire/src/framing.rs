//! How a body is cut into frames.

/// How a body is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// Server-sent events: `text/event-stream`.
    Sse,
    /// One JSON value a line.
    NdJson,
    /// Binary messages with checksums: `application/vnd.amazon.eventstream`. An event `chunk` is unwrapped.
    EventStream,
}

impl Framing {
    /// The framing that a codec names in its description: `sse`, `ndjson` or `aws-event-stream`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sse" => Some(Self::Sse),
            "ndjson" => Some(Self::NdJson),
            "aws-event-stream" => Some(Self::EventStream),
            _ => None,
        }
    }
}
