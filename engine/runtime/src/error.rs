//! What can go wrong before and during a run.

use std::sync::Arc;

use thalweg_abi::host;
use thalweg_agent::failure::Failure;
use thalweg_agent::message::AssistantMessage;

use crate::http;
use crate::plugin;
use crate::provider;
use thalweg_schema::SchemaError;

/// Why an agent could not be built, a run not started, or a run not finished.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The agent is in the middle of a run.
    #[error("the agent is already running; wait for the run or abort it")]
    Busy,
    /// The engine has as many runs as it may have.
    #[error("the engine has {runs_max} runs already; wait for one to end, or raise runs_max")]
    TooManyRuns {
        /// The limit.
        runs_max: usize,
    },
    /// No model was named.
    #[error("no model; name one as provider/model, for example openai/gpt-4o-mini")]
    NoModel,
    /// The table of providers cannot be read, or the model's name leads to no server.
    #[error(transparent)]
    Provider(#[from] provider::Error),
    /// No codec for the dialect was given.
    #[error("no codec for dialect {dialect:?}; hand one to the builder or load its plugin{}", there_is(.known))]
    NoCodec {
        /// The dialect.
        dialect: String,
        /// The dialects that there are codecs for.
        known: Vec<String>,
    },
    /// No plugin makes vectors in this dialect.
    #[error("no plugin makes vectors in dialect {dialect:?}; hand one to the builder or load it{}", there_is(.known))]
    NoEmbed {
        /// The dialect.
        dialect: String,
        /// The dialects in which there are vectors.
        known: Vec<String>,
    },
    /// Nobody can be asked for a list of models.
    #[error("{name} has no list of models that could be asked for")]
    NoModelList {
        /// The provider or its address.
        name: String,
    },
    /// The engine does not know where the key goes.
    #[error(
        "{provider} wants the key as {auth}, which this engine cannot do; give the row in providers.toml another auth"
    )]
    Auth {
        /// What the table or the codec asks for, as JSON.
        auth: String,
        /// The provider or its address.
        provider: String,
    },
    /// Two tools have the same name.
    #[error("two tools are named {name:?}; a model could not tell them apart")]
    DuplicateTool {
        /// The name.
        name: String,
    },
    /// The schema of a tool's arguments is no JSON Schema.
    #[error("the parameters of tool {tool:?} are no JSON Schema: {error}")]
    ToolSchema {
        /// The tool.
        tool: String,
        /// What is wrong.
        error: SchemaError,
    },
    /// A field of the request cannot have this value.
    #[error("the request's field {name:?} cannot be that: {reason}")]
    Parameter {
        /// The field.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A saved conversation has a form that this library does not read.
    #[error(
        "the saved conversation has schema {schema}; this library reads {}",
        thalweg_agent::approval::Saved::SCHEMA
    )]
    Saved {
        /// Its schema.
        schema: u32,
    },
    /// A codec failed or broke the rules of the ABI.
    #[error("codec: {0}")]
    Codec(Arc<host::Error>),
    /// A codec was asked to read what the engine reads by itself, and read it otherwise.
    #[error(
        "plugin `{plugin}` marked a frame as repeatable and read one like it otherwise; `thalweg plugin check` with the \
         recorded reply shows which"
    )]
    Marks {
        /// Id of the plugin.
        plugin: String,
    },
    /// A plugin could not be loaded.
    #[error(transparent)]
    Plugin(#[from] Arc<plugin::LoadError>),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Http(Arc<http::Error>),
    /// A plugin's description of itself cannot be read.
    #[error("a plugin's description of itself is wrong: {message}")]
    Describe {
        /// Where and why.
        message: String,
    },
    /// The codec wants a framing that the engine does not have.
    #[error("the codec asks for framing {framing}; this engine has sse, ndjson and aws-event-stream")]
    Framing {
        /// What it asks for, as JSON.
        framing: String,
    },
    /// The prompt was not taken.
    #[error(transparent)]
    Prompt(thalweg_agent::machine::Error),
    /// The run ended without a complete reply; what was received is kept.
    #[error("{failure}")]
    Run {
        /// What happened.
        failure: Box<Failure>,
        /// The reply as far as it came.
        partial: Option<Box<AssistantMessage>>,
    },
}

fn there_is(dialects: &[String]) -> String {
    if dialects.is_empty() { String::new() } else { format!(" (there is {})", dialects.join(", ")) }
}

impl Error {
    pub(crate) fn codec(error: host::Error) -> Self {
        Self::Codec(Arc::new(error))
    }
}
