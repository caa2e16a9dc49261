//! Every dialect in the most obvious way: a tree of every payload, read field by field. The twins of the products.

mod anthropic;
mod openai_chat;
mod openai_completions;
mod openai_responses;

use thalweg_abi::types::*;

use crate::naive_json::{self, Json};
use crate::naive_sse;
use crate::step::{Step, joined};

/// A dialect that has a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `openai-chat`.
    OpenAiChat,
    /// `anthropic`.
    Anthropic,
    /// `openai-completions`.
    OpenAiCompletions,
    /// `openai-responses`.
    OpenAiResponses,
}

impl Dialect {
    /// By the name that the corpus and the codecs have for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "openai-chat" => Some(Self::OpenAiChat),
            "anthropic" => Some(Self::Anthropic),
            "openai-completions" => Some(Self::OpenAiCompletions),
            "openai-responses" => Some(Self::OpenAiResponses),
            _ => None,
        }
    }
}

/// All steps of a stream of records (name of the SSE event, payload), in their comparable form.
#[must_use]
pub fn steps<'a>(dialect: Dialect, records: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Step> {
    let steps = match dialect {
        Dialect::OpenAiChat => {
            let mut twin = openai_chat::OpenAiChat::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.steps
        }
        Dialect::Anthropic => {
            let mut twin = anthropic::Anthropic::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.end_of_stream();
            twin.steps
        }
        Dialect::OpenAiCompletions => {
            let mut twin = openai_completions::OpenAiCompletions::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.steps
        }
        Dialect::OpenAiResponses => {
            let mut twin = openai_responses::OpenAiResponses::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.steps
        }
    };
    joined(steps)
}

/// All steps of a body of server-sent events. A last event without its end counts if it is certainly complete.
#[must_use]
pub fn steps_of_body(dialect: Dialect, body: &[u8]) -> Vec<Step> {
    let whole = naive_sse::decode(body).events;
    let closed = naive_sse::decode(&[body, b"\n\n"].concat()).events;
    let is_complete =
        |data: &str| data == "[DONE]" || (data.starts_with(['{', '[']) && naive_json::parse(data).is_some());
    let events = match closed.get(whole.len()) {
        Some(last) if is_complete(&last.data) => closed,
        _ => whole,
    };
    steps(dialect, events.iter().map(|event| (event.event_type.as_str(), event.data.as_str())))
}

fn skipped(name: &str) -> Step {
    Step { aux: name.into(), ..Step::new(EVENT_SKIPPED) }
}

fn malformed() -> Step {
    Step { num: FAILURE_MALFORMED, ..Step::new(EVENT_ERROR) }
}

fn counters(counts: &[(u32, Option<&Json>)]) -> Vec<Step> {
    let count = |(block, value): &(u32, Option<&Json>)| {
        value.and_then(Json::int).map(|num| Step { block: *block, num, ..Step::new(EVENT_USAGE) })
    };
    counts.iter().filter_map(count).collect()
}

fn other(content_type: &str, raw: &str, sub: u32) -> Step {
    Step { sub, text: raw.into(), aux: content_type.into(), ..Step::new(EVENT_OTHER_CONTENT) }
}
