//! Sans-IO stream parsing: chunks to frames to events.
//!
//! Bytes come in as the socket gave them, cut anywhere; the same events come out wherever the cuts are. Nothing here
//! opens a socket, starts a thread or looks at a clock, and nothing allocates per event once the buffers have grown.
#![deny(unsafe_code)]

mod channels;
pub mod escape;
pub mod event_stream;
pub mod json;
pub mod limits;
pub mod ndjson;
pub mod pipeline;
pub mod provider_error;
#[expect(unsafe_code, reason = "the instructions for many bytes at a time have no safe form yet")]
#[allow(dead_code, reason = "kernels come before their users, and each user takes some")]
mod simd;
mod span;
pub mod sse;
pub mod utf8;
