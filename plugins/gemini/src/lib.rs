//! The Gemini dialect, as Google's AI Studio and Vertex AI speak it.
//!
//! Reading is a matter of `reply`, `candidate` and `arguments`, writing of `message` and `request`. A reply has no blocks: parts
//! of text are numbered as they appear. Signatures belong to parts of any kind; what that means is told in `candidate`.
#![forbid(unsafe_code)]

mod arguments;
mod candidate;
mod codec;
mod emit;
mod message;
mod options;
mod path;
mod reply;
mod request;
mod usage;

pub use codec::{Gemini, Stream};

thalweg_abi::plugin! { id: "thalweg.gemini", version: env!("CARGO_PKG_VERSION"), codec: Gemini }
