//! What the author of a plugin implements that lists its models.

use crate::failure::Failure;

/// Which models a plugin serves.
pub trait Models: Send + Sync + 'static {
    /// All of them, in the order in which people should see them. It may take its time.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn list(&self) -> Result<Vec<Model>, Failure>;

    /// The same as it crosses the boundary: a JSON array. For what has it as JSON already.
    ///
    /// # Errors
    /// As [`Models::list`].
    fn list_json(&self) -> Result<String, Failure> {
        self.list().map(|models| json(&models))
    }
}

/// A model as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// What a request names.
    pub id: String,
    /// What people call it; empty where that is the id.
    pub name: String,
    /// Tokens of prompt and reply together.
    pub context_tokens: Option<u64>,
    /// Tokens of the longest reply.
    pub output_tokens_max: Option<u64>,
    /// What it can do beyond text: `tools`, `thinking`, `image`, `document`, `audio`, `json_schema`, `embed`.
    pub capabilities: Vec<&'static str>,
}

impl Model {
    /// A model of which nothing is known but its id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// The same model, called so by people.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same model with the tokens of its context, and of its longest reply.
    #[must_use]
    pub const fn with_tokens(mut self, context: u64, output_max: u64) -> Self {
        (self.context_tokens, self.output_tokens_max) = (Some(context), Some(output_max));
        self
    }

    /// The same model, which can do this too.
    #[must_use]
    pub fn with(mut self, capabilities: &[&'static str]) -> Self {
        self.capabilities.extend_from_slice(capabilities);
        self
    }

    fn write(&self, out: &mut String) {
        out.push_str("{\"id\":");
        string(&self.id, out);
        if !self.name.is_empty() {
            out.push_str(",\"name\":");
            string(&self.name, out);
        }
        for (key, tokens) in [("context_tokens", self.context_tokens), ("output_tokens_max", self.output_tokens_max)] {
            if let Some(tokens) = tokens {
                out.push_str(&format!(",\"{key}\":{tokens}"));
            }
        }
        if !self.capabilities.is_empty() {
            out.push_str(",\"capabilities\":[");
            for (index, capability) in self.capabilities.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(capability, out);
            }
            out.push(']');
        }
        out.push('}');
    }
}

/// The list as it crosses the boundary.
pub(crate) fn json(models: &[Model]) -> String {
    let mut out = String::from("[");
    for (index, model) in models.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        model.write(&mut out);
    }
    out.push(']');
    out
}

/// Appends a JSON string.
fn string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_json_whatever_the_names_are() {
        let models =
            [Model::new("a"), Model::new("b\"\\\n").named("é").with_tokens(8192, 512).with(&["tools", "image"])];
        assert_eq!(
            json(&models),
            r#"[{"id":"a"},{"id":"b\"\\\u000a","name":"é","context_tokens":8192,"output_tokens_max":512,"capabilities":["tools","image"]}]"#
        );
        assert_eq!(json(&[]), "[]");
    }
}
