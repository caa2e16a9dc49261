//! The framers: one file a rival.

pub(crate) mod eventsource_stream;
mod feed;
pub(crate) mod lines;
pub(crate) mod naive;
pub(crate) mod sse_core;
pub(crate) mod sse_stream;
pub(crate) mod sseer;
