//! Events of the responses dialect.

use ::jiter::{Jiter, JiterResult};
use ::serde_json::Value;
use serde::Deserialize;
use thalweg_wire::pipeline::Framing;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::dialect::text::Text;
use crate::rivals::reader::jiter::{fields, integer, string};

pub(crate) struct Responses;

#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    delta: Option<Text<'a>>,
    response: Option<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    output_tokens: Option<i64>,
}

const TEXT: &str = "response.output_text.delta";
const ARGUMENTS: &str = "response.function_call_arguments.delta";
const CUSTOM: &str = "response.custom_tool_call_input.delta";
const COMPLETED: &str = "response.completed";

fn say_delta<A: Answer>(kind: &str, delta: &str, answer: &mut A) {
    match kind {
        TEXT => answer.text(delta.as_bytes()),
        ARGUMENTS | CUSTOM => answer.arguments(delta.as_bytes()),
        _ => {}
    }
}

impl Dialect for Responses {
    type Package = thalweg_openai_responses::Package;
    const FRAMING: Framing = Framing::Sse;
    type Event<'a> = Event<'a>;

    fn say<A: Answer>(event: &Event<'_>, answer: &mut A) {
        let kind = event.kind.as_str();
        if let Some(delta) = &event.delta {
            say_delta(kind, delta.as_str(), answer);
        }
        if kind == COMPLETED {
            answer.stop();
            let usage = event.response.as_ref().and_then(|response| response.usage.as_ref());
            if let Some(tokens) = usage.and_then(|usage| usage.output_tokens) {
                answer.output_tokens(tokens);
            }
        }
    }

    fn say_tree<A: Answer>(event: &Value, answer: &mut A) {
        let kind = event["type"].as_str().unwrap_or_default();
        if let Some(delta) = event["delta"].as_str() {
            say_delta(kind, delta, answer);
        }
        if kind == COMPLETED {
            answer.stop();
            if let Some(tokens) = event["response"]["usage"]["output_tokens"].as_i64() {
                answer.output_tokens(tokens);
            }
        }
    }

    fn walk<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()> {
        // The type comes first, as the server writes it.
        let mut kind = Kind::Other;
        fields(json, ["type", "delta", "response"], |json, at| match (at, kind) {
            (0, _) => string(json, |name| {
                kind = match name {
                    TEXT => Kind::Text,
                    ARGUMENTS | CUSTOM => Kind::Arguments,
                    COMPLETED => Kind::Completed,
                    _ => Kind::Other,
                };
            }),
            (1, Kind::Text) => string(json, |delta| answer.text(delta.as_bytes())),
            (1, Kind::Arguments) => string(json, |delta| answer.arguments(delta.as_bytes())),
            (2, Kind::Completed) => {
                answer.stop();
                fields(json, ["usage"], |json, _| {
                    fields(json, ["output_tokens"], |json, _| integer(json, |tokens| answer.output_tokens(tokens)))
                })
            }
            _ => json.next_skip(),
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Arguments,
    Completed,
    Other,
}
