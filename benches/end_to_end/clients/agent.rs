//! The engine as a program uses it: an agent, the dialect's plugin from its file, the event log, and a reader of that.

use std::sync::Arc;

use serde_json::Value;
use thalweg::event::{BlockKind, EventView, UpdateView};
use thalweg::plugin::{Loader, Registry};
use thalweg::{Agent, AgentBuilder, Tool, http};
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink, TOOL, TOOL_DESCRIPTION, TOOL_PARAMETERS};
use thalweg_end_to_end::turns;

use super::thalweg::http_client;

/// A whole agent.
#[derive(Clone)]
pub(super) struct WholeAgent {
    url: Arc<str>,
    client: http::Client,
    plugins: Arc<Registry>,
}

impl Client for WholeAgent {
    fn new(arguments: &Arguments) -> Self {
        let loaded = Loader::new().load_named("openai").expect("the plugin lies beside this program");
        let mut plugins = Registry::new();
        plugins.add(loaded).expect("the plugin of a dialect");
        Self { url: arguments.url().into(), client: http_client(arguments), plugins: Arc::new(plugins) }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        let agent = self.agent().build().expect("an agent");
        let run = agent.prompt(PROMPT).expect("a prompt");
        let mut events = run.events();
        while let Some(event) = events.next().await {
            if let EventView::MessageUpdate(UpdateView::Delta { block: BlockKind::Text, delta, .. }) = event.view {
                sink.text(delta.as_bytes());
            }
        }
        run.message().await.expect("a reply");
    }

    async fn run_turns(&self, turns: usize) {
        let parameters: Value = serde_json::from_str(TOOL_PARAMETERS).expect("a schema");
        let add_one = Tool::new(TOOL, TOOL_DESCRIPTION, parameters, |arguments, _| async move {
            turns::mark();
            let number = arguments["n"].as_i64().ok_or("n is missing")?;
            Ok((number + 1).to_string())
        });
        let turns_max = u32::try_from(turns).expect("not so many turns") + 1;
        let agent = self.agent().tool(add_one).max_turns(turns_max).build().expect("an agent");
        let run = agent.prompt(PROMPT).expect("a prompt");
        let mut events = run.events();
        while events.next().await.is_some() {}
        run.message().await.expect("a reply");
    }
}

impl WholeAgent {
    fn agent(&self) -> AgentBuilder {
        Agent::builder()
            .model(MODEL)
            .base_url(&*self.url)
            .api_key(KEY)
            .client(self.client.clone())
            .plugins(&self.plugins)
    }
}
