//! Lines of Ollama.

use ::jiter::{Jiter, JiterResult};
use ::serde_json::Value;
use serde::Deserialize;
use thalweg_wire::pipeline::Framing;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::dialect::text::Text;
use crate::rivals::reader::jiter::{fields, integer, items, string};

pub(crate) struct Ollama;

#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    /// The text of the older `/api/generate`.
    #[serde(borrow)]
    response: Option<Text<'a>>,
    #[serde(borrow)]
    done_reason: Option<Text<'a>>,
    eval_count: Option<i64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    arguments: Option<Value>,
}

impl Dialect for Ollama {
    type Package = thalweg_ollama::Package;
    const FRAMING: Framing = Framing::NdJson;
    type Event<'a> = Line<'a>;

    fn say<A: Answer>(line: &Line<'_>, answer: &mut A) {
        if let Some(message) = &line.message {
            if let Some(text) = &message.content {
                answer.text(text.as_bytes());
            }
            for call in message.tool_calls.iter().flatten() {
                if let Some(arguments) = call.function.as_ref().and_then(|function| function.arguments.as_ref()) {
                    answer.arguments(arguments.to_string().as_bytes());
                }
            }
        }
        if let Some(text) = &line.response {
            answer.text(text.as_bytes());
        }
        if line.done_reason.is_some() {
            answer.stop();
        }
        if let Some(tokens) = line.eval_count {
            answer.output_tokens(tokens);
        }
    }

    fn say_tree<A: Answer>(line: &Value, answer: &mut A) {
        let message = &line["message"];
        if let Some(text) = message["content"].as_str() {
            answer.text(text.as_bytes());
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            answer.arguments(call["function"]["arguments"].to_string().as_bytes());
        }
        if let Some(text) = line["response"].as_str() {
            answer.text(text.as_bytes());
        }
        if line["done_reason"].is_string() {
            answer.stop();
        }
        if let Some(tokens) = line["eval_count"].as_i64() {
            answer.output_tokens(tokens);
        }
    }

    fn walk<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()> {
        fields(json, ["message", "done_reason", "eval_count", "response"], |json, at| match at {
            0 => fields(json, ["content", "tool_calls"], |json, at| match at {
                0 => string(json, |text| answer.text(text.as_bytes())),
                _ => items(json, |json| {
                    fields(json, ["function"], |json, _| {
                        fields(json, ["arguments"], |json, _| {
                            json.peek()?;
                            let start = json.current_index();
                            json.next_skip()?;
                            answer.arguments(json.slice_to_current(start));
                            Ok(())
                        })
                    })
                }),
            }),
            1 => string(json, |_| answer.stop()),
            2 => integer(json, |tokens| answer.output_tokens(tokens)),
            _ => string(json, |text| answer.text(text.as_bytes())),
        })
    }
}
