//! What the plugins of an engine offer: dialects, providers and tools, each by name.

use crate::backend::describe_provider;
use crate::plugin::{LoadError, LoadedPlugin};
use thalweg_abi::host::{Codec, Embed, Models, Plugin, Provider, Tool};

/// The dialects, providers and tools of a set of plugins. No two of them offer the same.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    loaded: Vec<LoadedPlugin>,
    codecs: Vec<(String, Codec)>,
    providers: Vec<(String, Provider)>,
    models: Vec<Models>,
    embeds: Vec<Embed>,
    tools: Vec<Tool>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a loaded plugin offers.
    ///
    /// # Errors
    /// When another plugin offers the same, or the codec describes itself with something else than it must. Nothing is
    /// added then.
    pub fn add(&mut self, loaded: LoadedPlugin) -> Result<(), LoadError> {
        self.link(loaded.plugin())?;
        self.loaded.push(loaded);
        Ok(())
    }

    /// Adds what a plugin offers that is linked in.
    ///
    /// # Errors
    /// As [`Registry::add`].
    pub fn link(&mut self, plugin: &Plugin) -> Result<(), LoadError> {
        let codec = match plugin.codec() {
            Some(codec) => Some((dialect(&codec)?, codec)),
            None => None,
        };
        if let Some((dialect, codec)) = &codec
            && let Some(other) = self.codec(dialect)
        {
            return Err(duplicate(format!("dialect {dialect}"), other.plugin(), codec.plugin()));
        }
        let provider = match plugin.provider() {
            Some(provider) => Some((provider_id(&provider)?, provider)),
            None => None,
        };
        if let Some((id, provider)) = &provider
            && let Some(other) = self.provider(id)
        {
            return Err(duplicate(format!("provider {id}"), other.plugin(), provider.plugin()));
        }
        let tools = plugin.tools();
        for tool in &tools {
            if let Some(other) = self.tool(tool.name()) {
                return Err(duplicate(format!("tool {}", tool.name()), other.plugin(), tool.plugin()));
            }
        }
        self.codecs.extend(codec);
        self.providers.extend(provider);
        self.models.extend(plugin.models());
        self.embeds.extend(plugin.embed());
        self.tools.extend(tools);
        Ok(())
    }

    /// The plugins that were loaded from files.
    #[must_use]
    pub fn loaded(&self) -> &[LoadedPlugin] {
        &self.loaded
    }

    /// The codec of a dialect.
    #[must_use]
    pub fn codec(&self, dialect: &str) -> Option<&Codec> {
        self.codecs.iter().find(|(name, _)| name == dialect).map(|(_, codec)| codec)
    }

    /// All codecs.
    pub fn codecs(&self) -> impl Iterator<Item = &Codec> {
        self.codecs.iter().map(|(_, codec)| codec)
    }

    /// The provider that drives itself and has that id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|(name, _)| name == id).map(|(_, provider)| provider)
    }

    /// All providers that drive themselves.
    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().map(|(_, provider)| provider)
    }

    /// What lists the models of the plugins that do.
    pub fn models(&self) -> impl Iterator<Item = &Models> {
        self.models.iter()
    }

    /// What makes vectors of texts.
    pub fn embeds(&self) -> impl Iterator<Item = &Embed> {
        self.embeds.iter()
    }

    /// The names of all dialects.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.codecs.iter().map(|(name, _)| name.as_str())
    }

    /// The tool of that name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name() == name)
    }

    /// All tools.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.iter()
    }
}

/// The dialect that a codec says it speaks.
fn dialect(codec: &Codec) -> Result<String, LoadError> {
    let plugin = codec.plugin().to_owned();
    let wrong = |reason: String| LoadError::Describe { plugin: plugin.clone(), reason };
    let json = codec.describe().map_err(|error| wrong(error.to_string()))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|error| wrong(error.to_string()))?;
    match json.get("dialect").and_then(serde_json::Value::as_str) {
        Some(dialect) if !dialect.is_empty() => Ok(dialect.to_owned()),
        _ => Err(wrong("the key `dialect` is missing".to_owned())),
    }
}

/// The id of a provider that drives itself.
fn provider_id(provider: &Provider) -> Result<String, LoadError> {
    let wrong = |reason| LoadError::Describe { plugin: provider.plugin().to_owned(), reason };
    describe_provider(provider).map(|description| description.id).map_err(wrong)
}

fn duplicate(what: String, first: &str, second: &str) -> LoadError {
    LoadError::Duplicate { what, first: first.to_owned(), second: second.to_owned() }
}
