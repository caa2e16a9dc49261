//! Loading plugins: shared objects that add dialects and tools.
//!
//! ```no_run
//! use thalweg::plugin::{Loader, Registry};
//!
//! let loader = Loader::new();
//! let mut registry = Registry::new();
//! registry.add(loader.load_named("openai")?)?; // libthw_openai.so beside the executable
//! registry.add(loader.allow("/opt/tools/libthw_search.so").load("/opt/tools/libthw_search.so".as_ref())?)?;
//! let codec = registry.codec("openai-chat");
//! # Ok::<(), thalweg::plugin::LoadError>(())
//! ```
//!
//! What is loaded, and why it may be: a file that lies in the folder of the running executable (or in cargo's `deps` folder
//! there), has the same owner and is no more writable than the executable, is trusted as the executable itself. Any other
//! file must be allowed by its absolute path; it and all folders above it must belong to root or to the present user and
//! be writable by nobody else. No search path, no environment variable, no current folder is looked at, but for
//! [`Dropped`]: the user's own folder of plugins, of which each file is allowed once, with the bytes that it has then.
//!
//! A file is opened once; its bytes are hashed, and its manifest is read and checked before any of its code runs. Loaded
//! code shares the process with the engine and can do whatever the engine can; it is never unloaded. One that may crash can
//! be loaded into a process of its own instead: see [`Isolation`].

mod dropped;
mod error;
mod find;
#[cfg(unix)]
mod isolate;
mod load;
mod manifest;
mod models;
mod os;
mod outbound;
mod pins;
mod policy;
mod registry;

pub use dropped::{Dropped, Found, State};
pub use error::LoadError;
#[cfg(unix)]
pub use isolate::{Isolation, serve_isolated};
pub use load::{LoadedPlugin, Loader};
pub use manifest::Inspected;
pub use models::{Model, list_models};
pub use outbound::HttpGrant;
pub(crate) use outbound::offer;
pub use registry::Registry;
