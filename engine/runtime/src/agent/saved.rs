//! Conversations that outlive their process, also amid a tool call that waits for a person.

use thalweg_agent::approval::{Approval, Saved};
use thalweg_agent::machine::{Config, Machine};
use thalweg_agent::message::{Message, ToolCall};

use super::{Agent, State, messages_of};
use crate::drive::Session;
use crate::error::Error;
use crate::run::Run;
use crate::waiting::Queues;

impl Agent {
    /// The tool calls that wait for a person, after a run that ended with
    /// [`EndReason::WaitingForApproval`](crate::machine::EndReason::WaitingForApproval).
    #[must_use]
    pub fn pending(&self) -> Vec<ToolCall> {
        let State::Idle(session) = &*self.inner.lock() else { return Vec::new() };
        let machine = &session.machine;
        let (Some(pending), Some(last)) = (machine.pending(), machine.history().entries().last()) else {
            return Vec::new();
        };
        let Message::Assistant(reply) = &*last.message else { return Vec::new() };
        reply.tool_calls().filter(|call| pending.waiting.contains(&call.id)).cloned().collect()
    }

    /// Goes on with the run that waits for a person: runs, denies or answers its calls, by their ids. A call that nothing is
    /// said about goes on waiting, and the run ends again once the others are done. Hooks before a tool are not asked about
    /// a call that is approved.
    ///
    /// # Errors
    /// [`Error::Busy`] during a run, [`Error::Prompt`] when nothing waits or a decision is about another call.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn answer<I: Into<String>>(&self, decisions: impl IntoIterator<Item = (I, Approval)>) -> Result<Run, Error> {
        let decisions = decisions.into_iter().map(|(id, decision)| (id.into(), decision)).collect();
        self.start(|machine| machine.handle_approvals(decisions, 0))
    }

    /// The conversation with all that waits in it, to be kept as JSON and given to
    /// [`AgentBuilder::saved`](crate::AgentBuilder::saved) in another process. It holds what was said and no key.
    ///
    /// # Errors
    /// [`Error::Busy`] during a run.
    pub fn save(&self) -> Result<Saved, Error> {
        let state = self.inner.lock();
        let State::Idle(session) = &*state else { return Err(Error::Busy) };
        let queues = self.inner.setup.waiting.lock().clone();
        let pending = session.machine.pending().cloned();
        let (steering, follow_ups) = (queues.steering.into(), queues.follow_ups.into());
        Ok(Saved { pending, steering, follow_ups, ..Saved::new(session.machine.history().clone().into_messages()) })
    }

    /// Puts a conversation that [`Agent::save`] gave in the place of this one, with all that waits in it.
    ///
    /// # Errors
    /// [`Error::Busy`] during a run, [`Error::Saved`] for a form that this library does not read; or the codec does not open
    /// a stream again.
    pub fn restore(&self, saved: Saved) -> Result<(), Error> {
        let mut state = self.inner.lock();
        let State::Idle(session) = &mut *state else { return Err(Error::Busy) };
        let setup = &self.inner.setup;
        let (machine, queues) = machine_of(saved, setup.machine_config())?;
        **session = Session::open(setup, machine)?;
        *setup.waiting.lock() = queues;
        *self.inner.mirror() = messages_of(&session.machine);
        Ok(())
    }
}

/// The machine of a saved conversation, and what waits to come in.
pub(super) fn machine_of(saved: Saved, config: Config) -> Result<(Machine, Queues), Error> {
    let Saved { schema, messages, pending, steering, follow_ups } = saved;
    if schema != Saved::SCHEMA {
        return Err(Error::Saved { schema });
    }
    let machine = match pending {
        Some(pending) => Machine::with_pending(config, messages, pending),
        None => Machine::new(config, messages),
    };
    Ok((machine, Queues { steering: steering.into(), follow_ups: follow_ups.into() }))
}
