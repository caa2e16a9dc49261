//! What stands between an agent and its provider, as options.

use serde::Deserialize;
use thalweg::AgentBuilder;
use thalweg::middleware::{Cache, RateLimit};
use thalweg_abi::failure::Failure;

use crate::fault::Fault;

/// How much may be asked a minute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    requests_per_minute: u32,
    burst: Option<u32>,
    tokens_per_minute: Option<u32>,
}

impl Rate {
    /// Puts it before the provider.
    pub(crate) fn add(&self, builder: AgentBuilder) -> AgentBuilder {
        let mut limit = RateLimit::per_minute(self.requests_per_minute);
        if let Some(burst) = self.burst {
            limit = limit.burst(burst);
        }
        if let Some(tokens) = self.tokens_per_minute {
            limit = limit.tokens(tokens);
        }
        builder.middleware(limit)
    }
}

/// Where replies are kept: `memory`, or the path of a folder.
pub(crate) fn keep_replies(builder: AgentBuilder, place: &str) -> Result<AgentBuilder, Fault> {
    let cache = match place {
        "memory" => Cache::in_memory(),
        folder => Cache::in_folder(folder)
            .map_err(|error| Failure::invalid(format!("the folder {folder:?} of `reply_cache`: {error}")))?,
    };
    Ok(builder.middleware(cache))
}
