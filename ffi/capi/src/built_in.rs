//! The dialects that are linked in.

use std::sync::LazyLock;

use thalweg::Module;
use thalweg::plugin::Registry;
use thalweg_abi::failure::Failure;
use thalweg_abi::host::{Host, Plugin};
use thalweg_abi::types::E_FAILED;

use crate::fault::Fault;

/// All of them.
const MODULES: &[fn() -> Module] = &[
    thalweg_openai::module,
    thalweg_anthropic::module,
    thalweg_openai_completions::module,
    thalweg_openai_responses::module,
    thalweg_ollama::module,
    thalweg_gemini::module,
    thalweg_bedrock::module,
    thalweg_cohere::module,
    thalweg_cohere_v1::module,
];

/// The built-in dialects, started once in a process: they keep no state outside of their streams.
pub(crate) fn registry() -> Result<Registry, Fault> {
    static REGISTRY: LazyLock<Result<Registry, String>> = LazyLock::new(|| {
        let mut registry = Registry::new();
        for module in MODULES {
            let plugin = Plugin::start(&module(), Host::silent()).map_err(|error| error.to_string())?;
            registry.link(&plugin).map_err(|error| error.to_string())?;
        }
        Ok(registry)
    });
    REGISTRY.clone().map_err(|message| Failure::new(E_FAILED, message).into())
}
