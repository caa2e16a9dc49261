//! rig: its model for a reply, its agent for a run with tools.

use std::convert::Infallible;

use futures_util::StreamExt as _;
use rig::AgentBuilder;
use rig::agent::MultiTurnStreamItem;
use rig::driver::Model;
use rig::providers::openai::OpenAIConfig;
use rig::providers::openai::wire::Chat;
use rig::streaming::{Item, StreamEvent};
use rig::tool::{Tool, ToolContext};
use serde::Deserialize;
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink, TOOL, TOOL_DESCRIPTION, TOOL_PARAMETERS};
use thalweg_end_to_end::turns;

#[derive(Clone)]
pub(crate) struct ByRig {
    model: Model<Chat>,
}

impl Client for ByRig {
    fn new(arguments: &Arguments) -> Self {
        Self { model: OpenAIConfig::new(KEY).with_base_url(arguments.url()).client().chat(MODEL) }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let mut items = self.model.stream(PROMPT).expect("a request");
        while let Some(item) = items.next().await {
            if let Item::Event(StreamEvent::Text { text, .. }) = item.expect("an event") {
                sink.text(text.as_bytes());
            }
        }
    }

    async fn run_turns(&self, turns: usize) {
        let agent = AgentBuilder::new(self.model.clone()).tool(AddOne).build();
        let mut items = agent.prompt(PROMPT).max_turns(turns + 2).stream();
        let mut is_answered = false;
        while let Some(item) = items.next().await {
            is_answered |= matches!(item.expect("a run without errors"), MultiTurnStreamItem::FinalResponse(_));
        }
        assert!(is_answered, "the run has no last answer");
    }
}

struct AddOne;

#[derive(Deserialize)]
struct Number {
    n: i64,
}

impl Tool for AddOne {
    const NAME: &'static str = TOOL;
    type Args = Number;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        TOOL_DESCRIPTION.to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::from_str(TOOL_PARAMETERS).expect("a schema")
    }

    async fn call(&self, _: &mut ToolContext, number: Number) -> Result<String, Infallible> {
        turns::mark();
        Ok((number.n + 1).to_string())
    }
}
