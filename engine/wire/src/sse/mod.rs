//! Server-sent events, exactly as the WHATWG HTML standard decodes them, from chunks cut anywhere.
//!
//! An event that lies within one chunk is handed out as slices of that chunk. Only one that straddles two chunks is
//! copied, once. The usual shapes take a fast path (`fast`), everything else the general one (`general`).

mod block;
mod decoder;
mod event;
mod fast;
mod general;
mod seam;

pub use decoder::Decoder;
pub use event::{Counters, Event};
