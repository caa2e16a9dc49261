//! The C ABI of thalweg plugins, and the only source of `thalweg_plugin.h`.
//!
//! Rules that hold everywhere: text is UTF-8 as pointer and length; what is passed to a call is valid until it returns
//! unless the function says otherwise; each side frees only what it allocated; no panic and no exception crosses;
//! outputs are written only on success; libraries are never unloaded.

pub mod decode;
pub mod failure;
#[cfg(feature = "guest")]
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
pub mod layout;
pub mod module;
pub mod retry_hint;
#[cfg(any(feature = "guest", feature = "host"))]
mod sized;
pub mod table;
pub mod types;

/// The examples of the guide are tested with the documentation.
#[cfg(all(doctest, feature = "guest"))]
#[doc = include_str!("../../../docs/PLUGINS.md")]
struct Guide;
