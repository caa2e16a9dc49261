//! Every dialect in the most obvious way: a tree of every payload, read field by field. The twins of the products.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_completions;
mod openai_responses;

use thalweg_abi::types::*;

use crate::naive_json::{self, Json};
use crate::step::{Step, joined};
use crate::{naive_event_stream, naive_sse};

/// A dialect that has a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `openai-chat`.
    OpenAiChat,
    /// `anthropic`.
    Anthropic,
    /// `gemini`.
    Gemini,
    /// `openai-completions`.
    OpenAiCompletions,
    /// `openai-responses`.
    OpenAiResponses,
    /// `ollama`.
    Ollama,
    /// `bedrock`.
    Bedrock,
    /// `cohere-v2`.
    CohereV2,
    /// `cohere-v1`.
    CohereV1,
}

/// How a body is cut into records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One payload a line.
    Lines,
    /// AWS event streams.
    EventStream,
}

impl Dialect {
    /// By the name that the corpus and the codecs have for it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "openai-chat" => Some(Self::OpenAiChat),
            "anthropic" => Some(Self::Anthropic),
            "gemini" => Some(Self::Gemini),
            "openai-completions" => Some(Self::OpenAiCompletions),
            "openai-responses" => Some(Self::OpenAiResponses),
            "ollama" => Some(Self::Ollama),
            "bedrock" => Some(Self::Bedrock),
            "cohere-v2" => Some(Self::CohereV2),
            "cohere-v1" => Some(Self::CohereV1),
            _ => None,
        }
    }

    /// How its bodies are cut.
    #[must_use]
    pub const fn framing(self) -> Framing {
        match self {
            Self::Ollama | Self::CohereV1 => Framing::Lines,
            Self::Bedrock => Framing::EventStream,
            _ => Framing::Sse,
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
        Dialect::Gemini => {
            let mut twin = gemini::Gemini::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
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
        Dialect::Bedrock => {
            let mut twin = bedrock::Bedrock::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.end_of_stream();
            twin.steps
        }
        Dialect::CohereV2 => {
            let mut twin = cohere::CohereV2::default();
            records.into_iter().for_each(|(event, data)| twin.record(event, data));
            twin.end_of_stream();
            twin.steps
        }
        Dialect::CohereV1 => {
            let mut twin = cohere::CohereV1::default();
            records.into_iter().for_each(|(_, data)| twin.record(data));
            twin.steps
        }
        Dialect::Ollama => {
            let mut twin = ollama::Ollama::default();
            records.into_iter().for_each(|(_, data)| twin.record(data));
            twin.steps
        }
    };
    joined(steps)
}

/// All steps of a body. A last record without its end counts if it is certainly complete.
#[must_use]
pub fn steps_of_body(dialect: Dialect, body: &[u8]) -> Vec<Step> {
    let records = records(dialect.framing(), body);
    steps(dialect, records.iter().map(|(event, data)| (event.as_str(), data.as_str())))
}

/// All records of a body: name of the event and payload.
#[must_use]
pub fn records(framing: Framing, body: &[u8]) -> Vec<(String, String)> {
    let is_complete =
        |data: &str| data == "[DONE]" || (data.starts_with(['{', '[']) && naive_json::parse(data).is_some());
    match framing {
        Framing::Sse => {
            let is_bare = |text: &str| text.starts_with(['{', '[']) && naive_json::parse(text).is_some();
            let whole = naive_sse::read(body, is_bare).events;
            let closed = naive_sse::read(&[body, b"\n\n"].concat(), is_bare).events;
            let events = match closed.get(whole.len()) {
                Some(last) if is_complete(&last.data) => closed,
                _ => whole,
            };
            events.into_iter().map(|event| (event.event_type, event.data)).collect()
        }
        Framing::Lines => {
            let line = |line: &[u8]| {
                let text = String::from_utf8_lossy(line).into_owned();
                text.trim_matches([' ', '\t', '\r']).to_owned()
            };
            let mut lines: Vec<String> = body.split(|byte| *byte == b'\n').map(line).collect();
            let last = lines.pop().filter(|last| is_complete(last));
            let whole = lines.into_iter().filter(|line| !line.is_empty());
            whole.chain(last).map(|line| (String::new(), line)).collect()
        }
        // A last message without its end has no checksum, so it never counts.
        Framing::EventStream => {
            let messages = naive_event_stream::decode(body, usize::MAX).messages;
            let unwrapped = messages.iter().map(naive_event_stream::unwrapped);
            unwrapped.map(|message| (message.event_type, message.data)).collect()
        }
    }
}

/// A body of these records, each payload without a line end.
#[must_use]
pub fn body(framing: Framing, records: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (event, data) in records {
        match framing {
            Framing::Sse => {
                if !event.is_empty() {
                    body.extend_from_slice(format!("event: {event}\n").as_bytes());
                }
                for line in data.split('\n') {
                    body.extend_from_slice(format!("data: {line}\n").as_bytes());
                }
                body.push(b'\n');
            }
            Framing::Lines => body.extend_from_slice(format!("{}\n", data.replace('\n', " ")).as_bytes()),
            Framing::EventStream => body.extend_from_slice(&naive_event_stream::event(event, data)),
        }
    }
    body
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
