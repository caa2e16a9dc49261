//! The engine's side of the tables: safe wrappers that trust a plugin with nothing but its pointers.
//!
//! [`Plugin`] starts a [`Module`](crate::module::Module) and hands out its [`Codec`], [`Provider`],
//! [`Tool`]s, [`Models`], [`Embed`] and [`Serve`]. Whatever comes back is
//! checked: sizes, counts, positions, and every slice against the frames of the call. A plugin that breaks the rules
//! gives an [`Error`] that names it. What cannot be checked is stated once, at `Module::new`: its code runs in this
//! process and may do anything.

mod call;
mod cancel;
mod check;
mod codec;
mod embed;
mod error;
mod manifest;
mod models;
mod plugin;
mod provider;
mod request;
mod room;
mod serve;
mod services;
mod tool;

pub use call::RunningCall;
pub use cancel::{CancelListener, CancelToken};
pub use codec::{Codec, CodecStream};
pub use embed::{DIMENSIONS_MAX, Embed, EmbedStream, Embeddings};
pub use error::{Error, Misbehaviour};
pub use manifest::{ManifestError, check_manifest};
pub use models::{MODELS_BYTES_MAX, Models};
pub use plugin::Plugin;
pub use provider::{Batch, Provider, REPLY_BYTES_MARK, REPLY_BYTES_MAX, Reply, Start};
pub use request::Request;
pub use serve::{Serve, ServeStream};
pub use services::{Host, LogLine, offer_extensions, services};
pub use tool::{Invocation, TOOL_ANSWER_BYTES_MAX, Tool, ToolEvent};
