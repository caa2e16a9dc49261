//! Events of the messages dialect.

use ::jiter::{Jiter, JiterResult};
use ::serde_json::Value;
use serde::Deserialize;
use thalweg_wire::pipeline::Framing;

use crate::rivals::answer::{Answer, Block};
use crate::rivals::dialect::Dialect;
use crate::rivals::dialect::text::Text;
use crate::rivals::reader::jiter::{fields, integer, string};

pub(crate) struct Anthropic;

/// No field of one kind of event is named like another's, so that its type need not be read.
#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    content_block: Option<ContentBlock<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ContentBlock<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
}

#[derive(Deserialize)]
struct Usage {
    output_tokens: Option<i64>,
}

fn block_of(kind: &str) -> Block {
    match kind {
        "tool_use" => Block::Call,
        "server_tool_use" | "mcp_tool_use" => Block::Foreign,
        _ => Block::Plain,
    }
}

impl Dialect for Anthropic {
    type Package = thalweg_anthropic::Package;
    const FRAMING: Framing = Framing::Sse;
    type Event<'a> = Event<'a>;

    fn say<A: Answer>(event: &Event<'_>, answer: &mut A) {
        if let Some(delta) = &event.delta {
            if let Some(text) = &delta.text {
                answer.text(text.as_bytes());
            }
            if let Some(arguments) = &delta.partial_json {
                answer.arguments(arguments.as_bytes());
            }
            if delta.stop_reason.is_some() {
                answer.stop();
            }
        }
        if let Some(block) = &event.content_block {
            answer.block(block_of(block.kind.as_str()));
        }
        if let Some(tokens) = event.usage.as_ref().and_then(|usage| usage.output_tokens) {
            answer.output_tokens(tokens);
        }
    }

    fn say_tree<A: Answer>(event: &Value, answer: &mut A) {
        let delta = &event["delta"];
        if let Some(text) = delta["text"].as_str() {
            answer.text(text.as_bytes());
        }
        if let Some(arguments) = delta["partial_json"].as_str() {
            answer.arguments(arguments.as_bytes());
        }
        if delta["stop_reason"].is_string() {
            answer.stop();
        }
        if let Some(kind) = event["content_block"]["type"].as_str() {
            answer.block(block_of(kind));
        }
        if let Some(tokens) = event["usage"]["output_tokens"].as_i64() {
            answer.output_tokens(tokens);
        }
    }

    fn walk<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()> {
        fields(json, ["delta", "usage", "content_block"], |json, at| match at {
            0 => fields(json, ["text", "partial_json", "stop_reason"], |json, at| match at {
                0 => string(json, |text| answer.text(text.as_bytes())),
                1 => string(json, |text| answer.arguments(text.as_bytes())),
                _ => string(json, |_| answer.stop()),
            }),
            1 => fields(json, ["output_tokens"], |json, _| integer(json, |tokens| answer.output_tokens(tokens))),
            _ => fields(json, ["type"], |json, _| string(json, |kind| answer.block(block_of(kind)))),
        })
    }
}
