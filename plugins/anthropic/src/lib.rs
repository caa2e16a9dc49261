//! The Anthropic messages dialect.
//!
//! The wire has numbered content blocks with a beginning and an end, so the events follow it closely; what has to be
//! remembered of a block is its kind, and what is told only at its end.
#![forbid(unsafe_code)]

mod block;
mod codec;
mod event;
mod message;
mod options;
mod request;
mod serve;
mod usage;

pub use codec::{AnthropicMessages, Stream};
pub use serve::AnthropicServe;

thalweg_abi::plugin! { id: "thalweg.anthropic", version: env!("CARGO_PKG_VERSION"), codec: AnthropicMessages, serve: AnthropicServe }
