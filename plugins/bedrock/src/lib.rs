//! The dialects of Amazon Bedrock: the events of Converse, and those of InvokeModel, which are the model's own.
//!
//! The framing says the name of each event; a `chunk` of InvokeModel comes unwrapped. Converse numbers its content blocks,
//! so there is little to remember of a reply.
#![forbid(unsafe_code)]

mod codec;
mod content;
mod converse;
mod failure;
mod invoke;
mod message;
mod request;
mod whole;

pub use codec::{Bedrock, Stream};

thalweg_abi::plugin! { id: "thalweg.bedrock", version: env!("CARGO_PKG_VERSION"), codec: Bedrock }
