//! Agents made of agents: a chain, a loop, a dialog, a prompt.

use thalweg_actor::Failure;

use crate::agent::{Agent, Interaction};
use crate::item::Item;
use crate::message::Message;
use crate::sequence::Sequence;

/// A step of a chain or a loop.
#[derive(Clone, Debug)]
pub enum Step {
    /// Gets what the step before it gave.
    Agent(Agent),
    /// Waits until all of that is there.
    Await,
    /// Throws it away.
    Clear,
    /// Nothing: a step that is left out.
    Skip,
}

impl From<Agent> for Step {
    fn from(agent: Agent) -> Self {
        Self::Agent(agent)
    }
}

impl From<Option<Agent>> for Step {
    fn from(agent: Option<Agent>) -> Self {
        agent.map_or(Self::Skip, Self::Agent)
    }
}

/// What an agent fails with to end a loop or a dialog in peace: the user had enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// A loop that would never wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a loop needs at least one agent and one step that awaits: it would start turns for ever without running them")]
pub struct NeverWaits;

impl Agent {
    /// An agent that hands its messages from step to step and replies with what the last one gives.
    pub fn chain<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Self {
        let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
        Self::new("chain", move |interaction: Interaction| {
            let steps = steps.clone();
            async move {
                let sent = interaction.sent();
                let last = run(&interaction, &steps, sent).await?;
                interaction.reply(last);
                Ok(())
            }
        })
    }

    /// An agent that goes through the steps again and again, each turn with what the last one gave, until one of them
    /// fails. It replies nothing. [`Interrupted`] ends it without an error.
    ///
    /// # Errors
    /// [`NeverWaits`].
    pub fn repeat<S: Into<Step>>(steps: impl IntoIterator<Item = S>) -> Result<Self, NeverWaits> {
        let steps: Vec<Step> = steps.into_iter().map(Into::into).collect();
        let waits = steps.iter().any(|step| matches!(step, Step::Await));
        if !waits || !steps.iter().any(|step| matches!(step, Step::Agent(_))) {
            return Err(NeverWaits);
        }
        Ok(Self::new("loop", move |interaction: Interaction| {
            let steps = steps.clone();
            async move {
                let mut messages = interaction.sent();
                loop {
                    match run(&interaction, &steps, messages).await {
                        Ok(next) => messages = next,
                        Err(failure) if failure.downcast_ref::<Interrupted>().is_some() => return Ok(()),
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }))
    }

    /// An agent that lets a user and an assistant talk. What it is sent itself is a prompt for the assistant, before or
    /// behind what the user says; the user does not see it.
    #[must_use]
    pub fn dialog(user: Self, assistant: Self, prompt: Prompt) -> Self {
        Self::new("dialog", move |interaction: Interaction| {
            let (user, assistant) = (user.clone(), assistant.clone());
            async move {
                let words = interaction.sent().value().await?;
                let assistant = match prompt {
                    _ if words.is_empty() => assistant,
                    Prompt::First => assistant.prompted(words, Vec::new()),
                    Prompt::Last => assistant.prompted(Vec::new(), words),
                };
                let turns = Self::repeat([Step::Agent(user), Step::Await, Step::Agent(assistant)])?;
                interaction.reply(interaction.trigger(&turns, ()));
                Ok(())
            }
        })
    }

    /// An agent that calls this one with more messages before and behind its own.
    #[must_use]
    pub fn prompted(&self, before: Vec<Message>, behind: Vec<Message>) -> Self {
        let target = self.clone();
        Self::new("prompt", move |interaction: Interaction| {
            let messages: Item =
                vec![Item::from(before.clone()), interaction.sent().into(), Item::from(behind.clone())].into();
            let replies = interaction.trigger(&target, messages);
            async move {
                interaction.reply(replies);
                Ok(())
            }
        })
    }
}

/// Where the prompt of a dialog stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// Before what was said.
    First,
    /// Behind what was said.
    #[default]
    Last,
}

async fn run(interaction: &Interaction, steps: &[Step], mut messages: Sequence) -> Result<Sequence, Failure> {
    for step in steps {
        match step {
            Step::Agent(agent) => messages = interaction.trigger(agent, messages),
            Step::Await => drop(messages.value().await?),
            Step::Clear => messages = Sequence::of(interaction.crew(), ()),
            Step::Skip => {}
        }
    }
    Ok(messages)
}
