//! The dialect of completions as OpenAI had it before chat, which servers of models without a chat form still speak.
//!
//! A request has prompts, not a conversation: each message is a prompt of its own, and choice `n` completes message `n`.
#![forbid(unsafe_code)]

mod codec;
mod reply;
mod request;
mod usage;

pub use codec::{OpenAiCompletions, Stream};

thalweg_abi::plugin! { id: "thalweg.openai-completions", version: env!("CARGO_PKG_VERSION"), codec: OpenAiCompletions }
