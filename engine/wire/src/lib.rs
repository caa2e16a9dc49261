//! Sans-IO stream parsing: chunks to frames to events.
//!
//! Bytes come in as the socket gave them, cut anywhere; the same events come out wherever the cuts are. Nothing here
//! opens a socket, starts a thread or looks at a clock, and nothing allocates per event once the buffers have grown.
#![deny(unsafe_code)]

mod channels;
mod error;
pub mod escape;
pub mod event_stream;
mod framer;
mod framing;
pub mod json;
pub mod limits;
pub mod ndjson;
pub mod pipeline;
pub mod provider_error;
mod reader;
mod seam;
#[expect(unsafe_code, reason = "the instructions for many bytes at a time have no safe form yet")]
mod simd;
mod span;
pub mod sse;
mod stage;
mod template;
pub mod utf8;
