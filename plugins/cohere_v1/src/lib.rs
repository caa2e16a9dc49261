//! The dialect of the first Cohere API, one JSON object a line. It is read only: its requests have the last message apart
//! from the others, so they do not grow by appending; the second API takes the same models.
#![forbid(unsafe_code)]

mod codec;
mod reply;

pub use codec::{CohereV1, Stream};

thalweg_abi::plugin! { id: "thalweg.cohere_v1", version: env!("CARGO_PKG_VERSION"), codec: CohereV1 }
