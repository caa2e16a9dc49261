//! The SDK for plugins written in Rust: safe traits, and the tables made from them.
//!
//! An author implements [`Codec`] and [`CodecStream`], [`Provider`], [`Tool`], [`Models`], [`Embed`] or [`Serve`], and names them in
//! [`plugin!`](crate::plugin); no line of that crate needs `unsafe`. A second crate of one line, [`export_plugin!`](crate::export_plugin), is the shared
//! object. A program that links the plugin in takes [`module`], which goes through the same tables, or [`Direct`],
//! which goes around them.

#[cfg(feature = "canonical")]
pub mod canonical;
mod codec;
mod direct;
mod embed;
#[doc(hidden)]
pub mod export;
mod http;
mod macros;
mod models;
mod out;
mod package;
mod provider;
mod recycled;
mod serve;
mod services;
mod sink;
mod tool;

pub use crate::failure::Failure;
pub use codec::{Codec, CodecStream, Request};
pub use direct::Direct;
pub use embed::{Embed, EmbedStream, Embeddings};
pub use http::{HttpRequest, HttpResponse};
pub use models::{Model, Models};
pub use out::Out;
pub use package::{NoCodec, Package, Parts, manifest, module};
pub use provider::{Closed, Provider, Reply};
pub use recycled::{Recycle, Recycled};
pub use serve::{ClientRequest, Serve, ServeStream};
pub use sink::{CancelGuard, Sink};
pub use tool::{Tool, ToolCall, ToolInfo};
