//! Keys, and how they are put on a request.

use serde::Deserialize;

/// A key that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a key. White space around it, as pasting leaves it, is dropped.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.trim().into())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` without the key, should a server repeat it in an error. Keys of a few letters are placeholders ("none",
    /// "ollama") that texts hold by chance, and stay.
    #[must_use]
    pub fn redact(&self, text: String) -> String {
        if self.0.len() >= 8 && text.contains(&*self.0) { text.replace(&*self.0, "…") } else { text }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

/// Where a provider wants its key, as a codec's description says under `auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AuthKind {
    /// Nowhere.
    #[default]
    None,
    /// In `authorization`, after `Bearer`.
    Bearer,
    /// In a header of its own.
    Header {
        /// Name of the header.
        name: String,
    },
    /// In the address.
    Query {
        /// Name of the parameter.
        name: String,
    },
}
