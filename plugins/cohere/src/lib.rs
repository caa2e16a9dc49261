//! The dialect of the second Cohere API.
//!
//! Content and tool calls are numbered apart on the wire, so their blocks get numbers of their own, in order of appearance.
//! The plan that a model makes before it calls tools comes in pieces and is told whole.
#![forbid(unsafe_code)]

mod codec;
mod message;
mod reply;
mod request;
mod whole;

pub use codec::{Cohere, Stream};

thalweg_abi::plugin! { id: "thalweg.cohere", version: env!("CARGO_PKG_VERSION"), codec: Cohere }
