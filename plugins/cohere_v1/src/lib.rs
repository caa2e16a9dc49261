//! The dialect of the first Cohere API, one JSON object a line.
//!
//! Its requests have the last message apart from the others. So the last one is held back until the next one follows, and
//! stands in what comes behind the history; the history still grows by appending.
#![forbid(unsafe_code)]

mod codec;
mod history;
mod reply;
mod request;

pub use codec::{CohereV1, Stream};

thalweg_abi::plugin! { id: "thalweg.cohere_v1", version: env!("CARGO_PKG_VERSION"), codec: CohereV1 }
