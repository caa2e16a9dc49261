//! Why a table cannot be read, or a name leads nowhere.

use std::path::PathBuf;

/// Why a table of providers cannot be read, or a model's name leads to no server. No message holds a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of providers cannot be read.
    #[error("cannot read the providers in {}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A row, or the file around it, is wrong.
    #[error("{place}: {reason}")]
    Row {
        /// File and line, or the plugin.
        place: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// No model was named.
    #[error("no model after {provider:?}; name one as {provider}/model")]
    NoModel {
        /// The provider.
        provider: String,
    },
    /// Nothing says where the model is served.
    #[error("{}", unknown(.name, .near, .known))]
    Unknown {
        /// The provider or the model as named.
        name: String,
        /// Providers whose names are near to it.
        near: Vec<String>,
        /// All providers.
        known: Vec<String>,
    },
    /// The provider wants a key and none is set.
    #[error("no key for {provider}; set {} or pass one", .variables.join(" or "))]
    NoKey {
        /// The provider.
        provider: String,
        /// The environment variables that are looked at, in order.
        variables: Vec<String>,
    },
    /// The provider's address depends on something that is not set.
    #[error("no address for {provider}; set {} or give a base URL", .variables.join(" and "))]
    NoAddress {
        /// The provider.
        provider: String,
        /// The environment variables that are missing.
        variables: Vec<String>,
    },
    /// The address is not one.
    #[error("{name}: {reason}")]
    Address {
        /// The provider, or `base URL`.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The key would go over a network in the clear.
    #[error(
        "the key is not sent to {host} over http, where others could read it; use https, or a row in providers.toml with \
         key_without_tls = true"
    )]
    Cleartext {
        /// The host.
        host: String,
    },
}

fn unknown(name: &str, near: &[String], known: &[String]) -> String {
    let list = if near.is_empty() {
        format!("write provider/model with one of {}", known.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    format!("no provider for {name:?}; {list}, or give a base URL")
}
