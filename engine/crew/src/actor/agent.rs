//! An agent behind a mailbox.

use std::fmt;

use thalweg::machine::EndReason;
use thalweg::{Agent, Fork, Run};
use thalweg_actor::{Actor, Context, Delivery, Failure};

use super::memory::Memory;
use super::policy::Policy;
use super::prompt::{Prompt, Refused, Response};
use super::recent::Recent;

/// An agent behind a mailbox: it answers one [`Prompt`] after the other. What goes wrong with one is told to the one who asked; the
/// actor itself fails only when it panics, and its supervisor decides then.
pub struct AgentActor {
    agent: Agent,
    policy: Policy,
    memory: Box<dyn Memory>,
}

impl AgentActor {
    /// An agent that remembers the last 64 messages until it is restarted. It has the model, tools, settings and budgets of `agent`, whose
    /// own conversation it leaves alone.
    #[must_use]
    pub fn new(agent: Agent, policy: Policy) -> Self {
        Self { agent, policy, memory: Box::new(Recent::default()) }
    }

    /// The same with another memory, such as one that outlives it.
    #[must_use]
    pub fn remembering(mut self, memory: impl Memory) -> Self {
        self.memory = Box::new(memory);
        self
    }

    async fn answer(&mut self, prompt: Prompt) -> Result<Response, Refused> {
        self.memory.append(&prompt.messages).await?;
        // All or a window of what was said, which ends with the question.
        let messages = self.memory.recent(self.policy.window).await?;
        let fork = Fork::new(messages).max_turns(self.policy.max_turns);
        let agent = self.agent.fork(self.policy.budget.iter().cloned().fold(fork, Fork::budget))?;
        agent.configure(|request| {
            request.temperature = self.policy.temperature.or(request.temperature);
            request.max_tokens = self.policy.max_tokens.or(request.max_tokens);
        });
        let run = Stopping(agent.go_on()?);
        if let Some(watcher) = prompt.watcher {
            // Nobody may be left who wants to see it.
            let _ = watcher.send(run.0.clone());
        }
        let outcome = run.0.finished().await;
        // Also what came before a failure: the calls in it have their results.
        self.memory.append(&outcome.messages).await?;
        match (outcome.error, outcome.message, outcome.reason) {
            (Some(error), ..) => Err(error.into()),
            (None, Some(message), Some(EndReason::Complete | EndReason::Length | EndReason::ContentFilter)) => {
                Ok(Response { message, usage: outcome.usage, cost: outcome.cost })
            }
            (None, _, reason) => Err(Refused::NoAnswer { reason: reason.map_or("lost", EndReason::as_str) }),
        }
    }
}

impl Actor for AgentActor {
    type Message = Prompt;

    async fn receive(&mut self, prompt: Delivery<'_, Prompt>, context: &mut Context<Prompt>) -> Result<(), Failure> {
        let answer = self.answer(prompt.take()).await;
        context.respond(answer);
        Ok(())
    }
}

impl fmt::Debug for AgentActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentActor").field("agent", &self.agent).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A run that is stopped when its actor is.
struct Stopping(Run);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.abort();
    }
}
