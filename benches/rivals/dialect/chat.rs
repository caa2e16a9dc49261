//! Chunks of chat completions.

use ::jiter::{Jiter, JiterResult};
use ::serde_json::Value;
use serde::Deserialize;
use thalweg_wire::pipeline::Framing;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::dialect::text::Text;
use crate::rivals::reader::jiter::{fields, integer, items, string};

pub(crate) struct Chat;

#[derive(Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Usage {
    completion_tokens: Option<i64>,
}

impl Dialect for Chat {
    type Package = thalweg_openai::Package;
    const FRAMING: Framing = Framing::Sse;
    type Event<'a> = Chunk<'a>;

    fn is_end_mark(payload: &str) -> bool {
        payload == "[DONE]"
    }

    fn say<A: Answer>(chunk: &Chunk<'_>, answer: &mut A) {
        for choice in &chunk.choices {
            if let Some(delta) = &choice.delta {
                if let Some(text) = &delta.content {
                    answer.text(text.as_bytes());
                }
                for call in delta.tool_calls.iter().flatten() {
                    if let Some(arguments) = call.function.as_ref().and_then(|function| function.arguments.as_ref()) {
                        answer.arguments(arguments.as_bytes());
                    }
                }
            }
            // Some servers send an empty reason with every chunk.
            if choice.finish_reason.as_ref().is_some_and(|reason| !reason.as_bytes().is_empty()) {
                answer.stop();
            }
        }
        if let Some(tokens) = chunk.usage.as_ref().and_then(|usage| usage.completion_tokens) {
            answer.output_tokens(tokens);
        }
    }

    fn say_tree<A: Answer>(chunk: &Value, answer: &mut A) {
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let delta = &choice["delta"];
            if let Some(text) = delta["content"].as_str() {
                answer.text(text.as_bytes());
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                if let Some(arguments) = call["function"]["arguments"].as_str() {
                    answer.arguments(arguments.as_bytes());
                }
            }
            if choice["finish_reason"].as_str().is_some_and(|reason| !reason.is_empty()) {
                answer.stop();
            }
        }
        if let Some(tokens) = chunk["usage"]["completion_tokens"].as_i64() {
            answer.output_tokens(tokens);
        }
    }

    fn walk<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()> {
        fields(json, ["choices", "usage"], |json, at| match at {
            0 => items(json, |json| {
                fields(json, ["delta", "finish_reason"], |json, at| match at {
                    0 => delta(json, answer),
                    _ => string(json, |reason| {
                        if !reason.is_empty() {
                            answer.stop();
                        }
                    }),
                })
            }),
            _ => fields(json, ["completion_tokens"], |json, _| integer(json, |tokens| answer.output_tokens(tokens))),
        })
    }
}

fn delta<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()> {
    fields(json, ["content", "tool_calls"], |json, at| match at {
        0 => string(json, |text| answer.text(text.as_bytes())),
        _ => items(json, |json| {
            fields(json, ["function"], |json, _| {
                fields(json, ["arguments"], |json, _| string(json, |text| answer.arguments(text.as_bytes())))
            })
        }),
    })
}
