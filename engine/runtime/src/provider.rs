//! The providers that are known by name: base URL, dialect, and the environment variables that may hold a key.

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Name before the slash of `provider/model`.
    pub id: &'static str,
    /// Everything before the path that the dialect's codec writes.
    pub base_url: &'static str,
    /// The dialect it speaks.
    pub dialect: &'static str,
    /// Environment variables that may hold its key, the first one set wins; empty when it takes none.
    pub key_names: &'static [&'static str],
    /// The model used when none is named.
    pub default_model: &'static str,
}

/// The table. Base URLs and key names are those of the providers' own documentation.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        id: "openai",
        base_url: "https://api.openai.com/v1",
        dialect: "openai-chat",
        key_names: &["OPENAI_API_KEY"],
        default_model: "gpt-4o-mini",
    },
    Provider {
        id: "anthropic",
        base_url: "https://api.anthropic.com",
        dialect: "anthropic",
        key_names: &["ANTHROPIC_API_KEY"],
        default_model: "claude-haiku-4-5",
    },
    Provider {
        id: "openrouter",
        base_url: "https://openrouter.ai/api/v1",
        dialect: "openai-chat",
        key_names: &["OPENROUTER_API_KEY"],
        default_model: "openai/gpt-4o-mini",
    },
    // Servers on one's own machine, on the ports that they take by themselves.
    Provider {
        id: "ollama",
        base_url: "http://127.0.0.1:11434/v1",
        dialect: "openai-chat",
        key_names: &[],
        default_model: "",
    },
    Provider {
        id: "llama.cpp",
        base_url: "http://127.0.0.1:8080/v1",
        dialect: "openai-chat",
        key_names: &[],
        default_model: "",
    },
    Provider {
        id: "vllm",
        base_url: "http://127.0.0.1:8000/v1",
        dialect: "openai-chat",
        key_names: &[],
        default_model: "",
    },
    Provider {
        id: "lmstudio",
        base_url: "http://127.0.0.1:1234/v1",
        dialect: "openai-chat",
        key_names: &[],
        default_model: "",
    },
];

impl Provider {
    /// The row named `id`.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.id == id)
    }

    /// Whether it is a server on this machine that needs no key.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.key_names.is_empty()
    }

    /// The first of its environment variables that holds something, with its name.
    #[must_use]
    pub fn key_from(&self, variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
        self.key_names.iter().find_map(|name| {
            let value = variable(name)?;
            let value = value.trim();
            (!value.is_empty()).then(|| (*name, value.to_owned()))
        })
    }
}

/// `provider/model` taken apart. A name whose first part is no known provider is a model of `openai`'s dialect and
/// belongs to whatever base URL goes with it.
#[must_use]
pub fn split_model(name: &str) -> (Option<&'static Provider>, &str) {
    match name.split_once('/') {
        Some((id, model)) => match Provider::by_id(id) {
            Some(provider) => (Some(provider), model),
            None => (None, name),
        },
        None => (None, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_may_hold_further_slashes() {
        let (provider, model) = split_model("openrouter/moonshotai/kimi-k2");
        assert_eq!(provider.map(|row| row.id), Some("openrouter"));
        assert_eq!(model, "moonshotai/kimi-k2");
        assert_eq!(split_model("moonshotai/kimi-k2"), (None, "moonshotai/kimi-k2"));
    }

    #[test]
    fn a_blank_key_counts_as_none() {
        let openai = Provider::by_id("openai").expect("in the table");
        assert_eq!(openai.key_from(|_| Some("  ".to_owned())), None);
        assert_eq!(
            openai.key_from(|name| (name == "OPENAI_API_KEY").then(|| " k \n".to_owned())),
            Some(("OPENAI_API_KEY", "k".to_owned()))
        );
    }
}
