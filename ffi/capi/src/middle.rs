//! What stands between an agent and its provider, as options.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use thalweg::AgentBuilder;
use thalweg::http::Retry as Rules;
use thalweg::middleware::{Cache, Fallback, MarkdownLog, RateLimit, Retry, WhenFull};
use thalweg::responder::Responder;
use thalweg_abi::failure::Failure;

use crate::agent::{self, Options};
use crate::compact::Compacting;
use crate::engine::Shared;
use crate::fault::Fault;
use crate::observe::Observer;
use crate::program::Given;

/// One of those that requests pass through.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Middle {
    MarkdownLog(PathBuf),
    ReplyCache(String),
    Compact(Threshold),
    Observe(Nothing),
    Fallback(Vec<Options>),
    RateLimit(Rate),
    Retry(Retries),
}

/// From when on a conversation is shortened before the provider says so.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Threshold {
    above_tokens: Option<u64>,
}

/// No keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Functions of the program that are asked on the way; each is used once.
pub(crate) struct Functions {
    pub(crate) compacting: Option<Compacting>,
    pub(crate) observers: VecDeque<Observer>,
}

/// How much may be asked a minute.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rate {
    requests_per_minute: u32,
    burst: Option<u32>,
    tokens_per_minute: Option<u32>,
    wait_ms_max: Option<u64>,
}

/// When a request is sent again.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retries {
    retries: Option<u32>,
    first_delay_ms: Option<u64>,
    delay_ms_max: Option<u64>,
    asked_ms_max: Option<u64>,
}

impl Middle {
    /// Puts it behind those that `builder` has.
    pub(crate) fn add(
        self,
        builder: AgentBuilder,
        engine: &Shared,
        functions: &mut Functions,
    ) -> Result<AgentBuilder, Fault> {
        Ok(match self {
            Self::MarkdownLog(folder) => builder.middleware(MarkdownLog::new(folder)),
            Self::ReplyCache(place) => builder.middleware(replies(&place)?),
            Self::Compact(Threshold { above_tokens }) => {
                let missing = || Failure::invalid("`compact` wants one THW_HOOK_COMPACT, and each is used once");
                builder.middleware(functions.compacting.take().ok_or_else(missing)?.middleware(above_tokens))
            }
            Self::Observe(Nothing {}) => {
                let missing = || Failure::invalid("each `observe` wants a THW_HOOK_OBSERVE of its own");
                builder.middleware(functions.observers.pop_front().ok_or_else(missing)?.middleware(engine)?)
            }
            Self::Fallback(others) => builder.middleware(Fallback::to(clients(engine, others)?)),
            Self::RateLimit(rate) => builder.middleware(rate.limit()),
            Self::Retry(retries) => builder.middleware(Retry::new(retries.rules())),
        })
    }
}

/// Others that are asked where one fails.
fn clients(engine: &Shared, others: Vec<Options>) -> Result<Vec<Arc<dyn Responder>>, Fault> {
    let made = others.into_iter().map(|options| {
        let client = agent::describe(engine, options, Given::default())?.build_client()?;
        Ok(Arc::new(client) as Arc<dyn Responder>)
    });
    made.collect()
}

/// Where replies are kept: `memory`, or the path of a folder.
fn replies(place: &str) -> Result<Cache, Fault> {
    match place {
        "memory" => Ok(Cache::in_memory()),
        folder => Cache::in_folder(folder).map_err(|error| {
            Failure::invalid(format!("the folder {folder:?} of `reply_cache` cannot be made: {error}")).into()
        }),
    }
}

impl Rate {
    fn limit(&self) -> RateLimit {
        let mut limit = RateLimit::per_minute(self.requests_per_minute);
        if let Some(burst) = self.burst {
            limit = limit.burst(burst);
        }
        if let Some(tokens) = self.tokens_per_minute {
            limit = limit.tokens(tokens);
        }
        match self.wait_ms_max {
            None => limit,
            Some(0) => limit.when_full(WhenFull::Fail),
            Some(ms) => limit.when_full(WhenFull::WaitAtMost(Duration::from_millis(ms))),
        }
    }
}

impl Retries {
    fn rules(&self) -> Rules {
        let usual = Rules::default();
        let or = |ms: Option<u64>, usual: Duration| ms.map_or(usual, Duration::from_millis);
        Rules {
            retries: self.retries.unwrap_or(usual.retries),
            first_delay: or(self.first_delay_ms, usual.first_delay),
            delay_max: or(self.delay_ms_max, usual.delay_max),
            asked_max: or(self.asked_ms_max, usual.asked_max),
        }
    }
}
