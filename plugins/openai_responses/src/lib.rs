//! The OpenAI responses dialect, as OpenAI, Azure, xAI and the servers that follow them speak it.
//!
//! Reading is a matter of `event` and `item`, writing of `message` and `request`. A reply is a list of items, each with its
//! number and mostly with parts of its own; every part becomes a block, numbered as it appears.
#![forbid(unsafe_code)]

mod codec;
mod event;
mod item;
mod message;
mod options;
mod request;
mod usage;

pub use codec::{OpenAiResponses, Stream};

thalweg_abi::plugin! { id: "thalweg.openai-responses", version: env!("CARGO_PKG_VERSION"), codec: OpenAiResponses }
