//! An agent of a description: the usual options, by their usual names.

use serde::Deserialize;
use serde_json::{Map, Value};
use thalweg::AgentBuilder;
use thalweg::request::{Output, Thinking, ToolChoice};

/// What a file says of an agent: the options that a program gives to an [`AgentBuilder`], by the same names. An unknown
/// one is an error that names it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentOptions {
    /// `provider/model`; with `provider` or `base_url` the model's id as it stands.
    pub model: Option<String>,
    /// The provider, by its name in the table.
    pub provider: Option<String>,
    /// Where the model is served.
    pub base_url: Option<String>,
    /// The dialect, where it is not the provider's usual one.
    pub dialect: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
    /// Names of the tools that it has; none unless said.
    pub tools: Vec<String>,
    /// Whether tools may or must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Turns of one question at most.
    pub max_turns: Option<u32>,
    /// Tokens of one reply at most.
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// The same seed gives the same reply, as far as the provider can.
    pub seed: Option<i64>,
    /// How much to think.
    pub thinking: Option<Thinking>,
    /// The form that a reply has to have.
    pub output: Option<Output>,
    /// Texts that end a reply.
    pub stop: Vec<String>,
    /// Fields of the request's body that the engine has no word for.
    pub extra: Map<String, Value>,
}

impl AgentOptions {
    /// Says all of it to `builder` but the tools, which are the program's to find.
    #[must_use]
    pub fn apply(self, mut builder: AgentBuilder) -> AgentBuilder {
        macro_rules! set {
            ($($option:ident),*) => {$(if let Some(value) = self.$option {
                builder = builder.$option(value);
            })*};
        }
        set!(model, provider, base_url, dialect, system, tool_choice, max_turns, max_tokens, temperature, top_p, seed);
        set!(thinking, output);
        if !self.stop.is_empty() {
            builder = builder.stop(self.stop);
        }
        self.extra.into_iter().fold(builder, |builder, (name, value)| builder.extra(name, value))
    }
}
