//! The OpenAI chat completions dialect, and the variations of it that other providers and servers speak.
//!
//! Reading is a matter of `chunk` and `delta`, writing of `message` and `request`. Whatever one server does differently is a row
//! of `quirks`, not a dialect of its own; but for thinking in tags, nothing has to be known of the server to read its stream.
#![forbid(unsafe_code)]

mod blocks;
mod chunk;
mod codec;
mod delta;
mod details;
mod embed;
mod emit;
mod message;
mod options;
mod quirks;
mod request;
mod serve;
mod think_tags;
mod usage;

pub use codec::{OpenAiChat, Stream};
pub use embed::OpenAiEmbed;
pub use serve::OpenAiServe;

thalweg_abi::plugin! {
    id: "thalweg.openai",
    version: env!("CARGO_PKG_VERSION"),
    codec: OpenAiChat,
    embed: OpenAiEmbed,
    serve: OpenAiServe,
}
