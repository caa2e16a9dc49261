//! The dialect of Ollama's own API: `/api/chat` and `/api/generate`, one JSON object a line.
//!
//! The wire knows no content blocks, so they are numbered as they appear; what has to be remembered of a reply is which
//! one is open. Arguments of tool calls come whole, as objects.
#![forbid(unsafe_code)]

mod codec;
mod message;
mod reply;
mod request;

pub use codec::{Ollama, Stream};

thalweg_abi::plugin! { id: "thalweg.ollama", version: env!("CARGO_PKG_VERSION"), codec: Ollama }
