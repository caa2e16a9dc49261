//! What one server wants written differently. Reading needs none of it.

use serde::Deserialize;
use thalweg_abi::guest::{Failure, canonical};

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether the provider is to keep the reply, so that its items can be named later.
    pub(crate) store: bool,
    /// Whether thinking is asked for in the form in which it can be sent back.
    pub(crate) encrypted_reasoning: bool,
    /// Whether a summary of the thinking is asked for.
    pub(crate) summary: bool,
    /// Whether the server takes sequences that end a reply, which the provider itself does not.
    pub(crate) stop: bool,
    /// Whether the server keeps prompts for a day when asked.
    pub(crate) long_cache: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    provider: Option<String>,
    base_url: Option<String>,
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    store: Option<bool>,
    encrypted_reasoning: Option<bool>,
    reasoning_summary: Option<bool>,
    stop: Option<bool>,
    long_cache: Option<bool>,
}

/// A server, and what it has of the things that only some servers have.
struct Row {
    provider: &'static str,
    host: &'static str,
    encrypted_reasoning: bool,
    summary: bool,
    long_cache: bool,
}

const ROWS: &[Row] = &[
    Row { provider: "openai", host: "api.openai.com", encrypted_reasoning: true, summary: true, long_cache: true },
    Row { provider: "azure", host: ".azure.com", encrypted_reasoning: true, summary: true, long_cache: false },
    Row { provider: "chatgpt", host: "chatgpt.com", encrypted_reasoning: true, summary: true, long_cache: false },
    Row {
        provider: "github-copilot",
        host: "githubcopilot.com",
        encrypted_reasoning: true,
        summary: true,
        long_cache: false,
    },
    Row { provider: "xai", host: "api.x.ai", encrypted_reasoning: true, summary: false, long_cache: false },
    Row { provider: "openrouter", host: "openrouter.ai", encrypted_reasoning: true, summary: true, long_cache: false },
];

const OTHER: Row = Row { provider: "", host: "", encrypted_reasoning: false, summary: false, long_cache: false };

impl Options {
    /// Reads the JSON options of a stream: what the provider's name or address tells, and flags that go over it.
    pub(crate) fn read(json: &str) -> Result<Self, Failure> {
        let Given { provider, base_url, flags } = canonical::options(json)?;
        let flags = flags.unwrap_or_default();
        let is_it = |row: &&Row| {
            provider.as_deref() == Some(row.provider) || base_url.as_deref().is_some_and(|url| url.contains(row.host))
        };
        let row = match (&provider, &base_url) {
            (None, None) => &ROWS[0],
            _ => ROWS.iter().find(is_it).unwrap_or(&OTHER),
        };
        Ok(Self {
            store: flags.store.unwrap_or(false),
            encrypted_reasoning: flags.encrypted_reasoning.unwrap_or(row.encrypted_reasoning),
            summary: flags.reasoning_summary.unwrap_or(row.summary),
            stop: flags.stop.unwrap_or(false),
            long_cache: flags.long_cache.unwrap_or(row.long_cache),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_and_address_choose_what_flags_do_not() {
        let read = |json: &str| Options::read(json).unwrap();
        let openai = read("");
        assert!(openai.encrypted_reasoning && openai.summary && openai.long_cache && !openai.store && !openai.stop);
        assert_eq!(read(r#"{"base_url":"https://api.openai.com/v1"}"#), openai);
        let local = read(r#"{"base_url":"http://127.0.0.1:8080/v1"}"#);
        assert!(!local.encrypted_reasoning && !local.summary && !local.long_cache);
        assert!(read(r#"{"provider":"xai"}"#).encrypted_reasoning && !read(r#"{"provider":"xai"}"#).summary);
        let flagged = read(
            r#"{"provider":"local","flags":{"store":true,"encrypted_reasoning":true,"reasoning_summary":true,"stop":true,
                "long_cache":true,"unknown":1}}"#,
        );
        assert!(flagged.store && flagged.encrypted_reasoning && flagged.summary && flagged.stop && flagged.long_cache);
    }

    #[test]
    fn options_that_are_no_json_are_refused() {
        assert!(Options::read("{").is_err());
        assert!(Options::read(r#"{"flags":{"store":"yes"}}"#).is_err());
    }
}
