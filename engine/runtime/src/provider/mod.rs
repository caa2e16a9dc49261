//! Where a model is served: the table of providers, and the way from `provider/model:thinking` to an address, a dialect,
//! a key and the habits of the server.
//!
//! ```
//! use thalweg::provider::{Table, Wish};
//!
//! let key = |name: &str| (name == "GROQ_API_KEY").then(|| "secret".to_owned());
//! let route = Table::built_in().route(&Wish::model("groq/openai/gpt-oss-20b:low"), &key)?;
//! assert_eq!(route.base_url, "https://api.groq.com/openai/v1");
//! assert_eq!((route.model.as_str(), route.thinking), ("openai/gpt-oss-20b", Some("low")));
//! # Ok::<(), thalweg::provider::Error>(())
//! ```
//!
//! The table is data: `providers.toml` beside this file, then the rows of plugins, then those of the user's own
//! `providers.toml`. A later row replaces an earlier one of the same id.

mod address;
mod error;
mod name;
mod near;
mod read;
mod route;
mod row;
mod table;

pub(crate) use address::is_same_origin;
pub use error::Error;
pub use name::{LEVELS, split_thinking};
pub use route::{Key, Route, Wish};
pub(crate) use row::Variables;
pub use row::{KeyName, Provider, Source};
pub use table::Table;
