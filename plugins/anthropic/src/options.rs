//! What one server or one model wants written differently. Reading needs none of it.

use serde::Deserialize;
use serde_json::{Value, json};
use thalweg_abi::guest::canonical::Cache;
use thalweg_abi::guest::{Failure, canonical};

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where messages are sent, behind the base URL.
    pub(crate) path: &'static str,
    /// Whether thinking is asked for by a level and not by a budget; by the model's name where nothing is said.
    pub(crate) adaptive_thinking: Option<bool>,
    /// Whether the server keeps prompts for an hour when asked.
    pub(crate) long_cache: bool,
    /// Whether it keeps prompts at all.
    pub(crate) cache: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    base_url: Option<String>,
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    adaptive_thinking: Option<bool>,
    long_cache: Option<bool>,
    cache: Option<bool>,
}

impl Options {
    /// Reads the JSON options of a stream.
    pub(crate) fn read(json: &str) -> Result<Self, Failure> {
        let Given { base_url, flags } = canonical::options(json)?;
        let flags = flags.unwrap_or_default();
        // Gateways give their address with the version, the provider itself without.
        let has_version = base_url.is_some_and(|url| url.trim_end_matches('/').ends_with("/v1"));
        Ok(Self {
            path: if has_version { "/messages" } else { "/v1/messages" },
            adaptive_thinking: flags.adaptive_thinking,
            long_cache: flags.long_cache.unwrap_or(true),
            cache: flags.cache.unwrap_or(true),
        })
    }

    /// Whether `model` takes a level of thinking. Those up to the generation 4.5 take budgets only; the later ones
    /// prefer a level, and the latest refuse a budget.
    pub(crate) fn is_adaptive(&self, model: &str) -> bool {
        self.adaptive_thinking.unwrap_or_else(|| {
            // Other servers put a vendor or a region before the name.
            let Some(at) = model.find("claude-") else { return false };
            let name = &model[at + "claude-".len()..];
            !BUDGETS_ONLY.iter().any(|old| name.starts_with(old))
        })
    }

    /// The mark of a breakpoint of the cache.
    pub(crate) fn cache_control(&self, cache: Cache) -> Value {
        match cache {
            Cache::Long if self.long_cache => json!({"type": "ephemeral", "ttl": "1h"}),
            _ => json!({"type": "ephemeral"}),
        }
    }
}

/// The models that know budgets of thinking only, or no thinking: what follows `claude-` in their names.
const BUDGETS_ONLY: &[&str] = &[
    "2",
    "3",
    "instant",
    "opus-4-0",
    "opus-4-1",
    "opus-4-2",
    "opus-4-5",
    "opus-4@",
    "sonnet-4-0",
    "sonnet-4-2",
    "sonnet-4-5",
    "sonnet-4@",
    "haiku-4-5",
    "opus-4.1",
    "opus-4.5",
    "sonnet-4.5",
    "haiku-4.5",
    "opus-4:",
    "sonnet-4:",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_thinking_is_for_the_models_that_know_it() {
        let options = Options::read("").unwrap();
        for (model, is_adaptive) in [
            ("claude-haiku-4-5", false),
            ("claude-3-7-sonnet-latest", false),
            ("claude-opus-4-20250514", false),
            ("anthropic/claude-sonnet-4.5", false),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", false),
            ("claude-opus-4-6", true),
            ("claude-sonnet-5", true),
            ("anthropic.claude-fable-5-1", true),
            ("MiniMax-M2", false),
        ] {
            assert_eq!(options.is_adaptive(model), is_adaptive, "{model}");
        }
        assert!(Options::read(r#"{"flags":{"adaptive_thinking":true}}"#).unwrap().is_adaptive("MiniMax-M2"));
    }

    #[test]
    fn the_path_has_the_version_once() {
        assert_eq!(Options::read("{}").unwrap().path, "/v1/messages");
        assert_eq!(Options::read(r#"{"base_url":"https://h/v1/"}"#).unwrap().path, "/messages");
        assert!(Options::read("{").is_err());
    }
}
