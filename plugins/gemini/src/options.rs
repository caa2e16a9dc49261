//! What one server wants written differently. Reading needs none of it.

use serde::Deserialize;
use thalweg_abi::guest::{Failure, canonical};

/// How requests are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The provider as the conversation names it: signatures of others mean nothing to this one.
    pub(crate) provider: Option<String>,
    /// Whether schemas go where only the provider's own subset of JSON schema is taken.
    pub(crate) openapi_schema: bool,
    /// Whether calls and their results carry an id.
    pub(crate) call_ids: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    provider: Option<String>,
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    openapi_schema: Option<bool>,
    call_ids: Option<bool>,
}

impl Options {
    /// Reads the JSON options of a stream.
    pub(crate) fn read(json: &str) -> Result<Self, Failure> {
        let Given { provider, flags } = canonical::options(json)?;
        let flags = flags.unwrap_or_default();
        Ok(Self {
            provider,
            openapi_schema: flags.openapi_schema.unwrap_or(false),
            call_ids: flags.call_ids.unwrap_or(true),
        })
    }
}
