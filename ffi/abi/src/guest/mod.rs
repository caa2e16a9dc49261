//! The SDK for plugins written in Rust: safe traits, and the tables made from them.
//!
//! An author implements [`Codec`] and [`CodecStream`], or [`Tool`]; no line of a plugin needs `unsafe`. The same code is
//! linked in by [`Direct`] or goes through the C tables.

mod codec;
mod direct;
mod out;

pub use crate::failure::Failure;
pub use codec::{Codec, CodecStream, Request};
pub use direct::Direct;
pub use out::Out;
