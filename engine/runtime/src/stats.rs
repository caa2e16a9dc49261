//! What a run cost: time to the first delta, bytes, events, and the CPU time of decoding alone.

use std::time::Duration;

/// Figures of a run, of all its turns together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// From the start of the run to the first text, thinking or tool-call delta.
    pub first_delta: Option<Duration>,
    /// Requests sent.
    pub requests: u32,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Frames (server-sent events) received.
    pub frames: u64,
    /// Events that the codec made of them.
    pub events: u64,
    /// CPU time from chunk to events: framing, UTF-8, JSON, unescaping; without socket, assembly and log. Only measured
    /// when the agent was built with `measure_decode`.
    pub decode_cpu: Duration,
    /// The same bytes decoded again at the end of the run, with warm caches: CPU time for one frame, the best of several
    /// passes. `None` when not measured.
    pub decode_warm: Option<Duration>,
    /// From the start of the run to its end, or to now.
    pub total: Duration,
}

impl Stats {
    /// CPU nanoseconds of decoding for one frame; `None` when nothing was decoded or measured.
    #[must_use]
    pub fn decode_ns_per_event(&self) -> Option<f64> {
        let measured = self.frames > 0 && self.decode_cpu > Duration::ZERO;
        measured.then(|| self.decode_cpu.as_nanos() as f64 / self.frames as f64)
    }
}
