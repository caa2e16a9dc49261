//! The models that a plugin lists.

use serde::{Deserialize, Serialize};
use thalweg_abi::host;

use crate::error::Error;

/// A model as its plugin lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// What a request names.
    pub id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tokens of prompt and reply together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Tokens of the longest reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_max: Option<u64>,
    /// What it can do beyond text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// Asks a plugin for its models. It may block.
///
/// # Errors
/// When the plugin fails, or gives something else than a list of models.
pub fn list_models(models: &host::Models) -> Result<Vec<Model>, Error> {
    let json = models.list().map_err(Error::codec)?;
    let wrong = |why: &str| Error::Describe { message: format!("the models of plugin `{}`: {why}", models.plugin()) };
    let list: Vec<Model> = serde_json::from_str(&json).map_err(|error| wrong(&error.to_string()))?;
    if list.iter().any(|model| model.id.is_empty()) {
        return Err(wrong("one has no id"));
    }
    Ok(list)
}
