//! An agent that asks a model: any `provider/model`, token by token, with tools.

mod conversation;

use serde_json::Value;
use thalweg::event::{BlockKind, EventView, UpdateView};
use thalweg::message::AssistantMessage;
use thalweg::{AgentBuilder, Run};
use thalweg_actor::Failure;

use crate::agent::{Agent, Interaction};
use crate::field::{Field, Frozen};
use crate::message_promise::MessagePromise;
use crate::message_writer::MessageWriter;

impl Agent {
    /// An agent that sends what it hears to a model and replies with what that says, token by token. Its tools, its
    /// server, its middleware and so on are those of `builder`.
    ///
    /// Every value of its configuration goes into the request: `model`, `system`, `temperature`, any other name that the
    /// engine or the provider knows. [`Agent::fork`] sets them. `stream` says whether tokens are shown as they come;
    /// if it is false, each message is a single token.
    ///
    /// A message counts as what its field `role` says: `user` (also if there is none), `assistant` or `system`; system
    /// messages go in front of the others, behind the configured one. The replies have the class `AssistantMessage` and
    /// besides `role`, `model` and `agent_alias` whatever the provider told: `usage`, `stop_reason`, `thinking`. Tools
    /// that were called before a reply was said are listed in its field `tools`.
    ///
    /// # Errors
    /// When no HTTP client can be made. A wrong model or parameter is a failure of the replies.
    pub fn llm(alias: &str, builder: AgentBuilder) -> Result<Self, thalweg::Error> {
        let builder = builder.with_connections()?;
        Ok(Self::new(alias, move |interaction| ask(interaction, builder.clone())))
    }
}

async fn ask(interaction: Interaction, mut builder: AgentBuilder) -> Result<(), Failure> {
    let mut streams = true;
    for (name, value) in interaction.all_configuration().iter() {
        match (name, value) {
            ("stream", Field::Bool(value)) => streams = *value,
            _ => builder = builder.parameter(name, value.to_plain_json()),
        }
    }
    let sent = conversation::read(&interaction.sent().value().await?)?;
    let agent = builder.messages(sent.messages).build()?;
    if !sent.system.is_empty() {
        let all: Vec<String> = agent.system().into_iter().chain(sent.system).collect();
        agent.set_system(Some(all.join("\n\n")));
    }
    let known =
        Frozen::new().with("role", "assistant").with("model", agent.model()).with("agent_alias", interaction.alias());
    let replies = Replies { interaction, known, streams, open: None, tools: Vec::new() };
    replies.follow(agent.go_on()?).await
}

/// The messages of a run. There is one from the start, so that readers know who will speak; it is complete with the first
/// turn that says something, and so on.
struct Replies {
    interaction: Interaction,
    known: Frozen,
    streams: bool,
    open: Option<MessageWriter>,
    /// What was called since the last message.
    tools: Vec<Field>,
}

impl Replies {
    async fn follow(mut self, run: Run) -> Result<(), Failure> {
        // Whoever cancels the replies drops this future, and the request with it.
        let run = Stopped(run);
        let mut events = run.0.events();
        let mut turn = 0;
        while let Some(event) = events.next().await {
            match event.view {
                EventView::TurnStart { turn: number } => {
                    turn = number;
                    self.writer();
                }
                EventView::MessageUpdate(UpdateView::Delta {
                    block: BlockKind::Text | BlockKind::Refusal,
                    delta,
                    ..
                }) if self.streams => self.writer().append(delta)?,
                EventView::MessageEnd { role: "assistant", message } => self.end(&serde_json::from_str(message)?)?,
                EventView::ToolExecutionEnd { payload, .. } => self.tools.extend(tool(turn, payload)?),
                _ => {}
            }
        }
        let failure = run.0.finished().await.error;
        match (failure, self.open) {
            (Some(error), Some(open)) => open.fail(error),
            (Some(error), None) => return Err(error.into()),
            // It called tools to the last, and said nothing behind them.
            (None, Some(open)) => open.finish(tools_of(self.tools)),
            (None, None) => {}
        }
        Ok(())
    }

    fn writer(&mut self) -> &mut MessageWriter {
        self.open.get_or_insert_with(|| {
            let (writer, promise) = MessagePromise::channel("AssistantMessage", self.known.clone());
            self.interaction.reply(promise);
            writer
        })
    }

    /// The model has spoken. What it said is a message if it said anything and came to an end.
    fn end(&mut self, message: &AssistantMessage) -> Result<(), Failure> {
        if message.error.is_some() {
            return Ok(());
        }
        if !self.streams {
            let text = message.text() + &message.refusal();
            if !text.is_empty() {
                self.writer().append(text)?;
            }
        }
        let Some(open) = self.open.take_if(|open| !open.content().is_empty()) else { return Ok(()) };
        let mut found = match Field::from(serde_json::to_value(message)?) {
            Field::Frozen(fields) => fields.without(&["content", "model", "time_us"]),
            _ => Frozen::new(),
        };
        let thinking = message.thinking();
        if !thinking.is_empty() {
            found.set("thinking".to_owned(), thinking.into());
        }
        for (name, value) in tools_of(std::mem::take(&mut self.tools)).0 {
            found.set(name, value);
        }
        open.finish(found);
        Ok(())
    }
}

/// A tool that was called, as it stands in a message; nothing while it waits for a person.
fn tool(turn: u32, payload: &str) -> Result<Option<Field>, Failure> {
    let mut call: Value = serde_json::from_str(payload)?;
    call["turn"] = turn.into();
    Ok(call.get("result").is_some().then(|| call.into()))
}

fn tools_of(tools: Vec<Field>) -> Frozen {
    if tools.is_empty() { Frozen::new() } else { Frozen::new().with("tools", Field::List(tools)) }
}

/// A run that is stopped when nobody follows it.
struct Stopped(Run);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.abort();
    }
}
