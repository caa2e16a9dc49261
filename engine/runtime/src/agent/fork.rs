//! Agents like another, with conversations of their own.

use std::sync::{Arc, Mutex, RwLock};

use thalweg_agent::machine::{Config, Machine};
use thalweg_agent::message::Message;

use super::{Agent, Inner, Listeners, State, messages_of};
use crate::budget::Budget;
use crate::drive::{Session, Setup};
use crate::error::Error;
use crate::waiting::{Queues, Waiting};

/// In what a fork differs from the agent that it is of.
#[derive(Clone, Debug, Default)]
pub struct Fork {
    messages: Vec<Message>,
    max_turns: Option<u32>,
    budgets: Vec<Budget>,
}

impl Fork {
    /// One with this conversation.
    #[must_use]
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// With another limit on the turns of a run.
    #[must_use]
    pub const fn max_turns(mut self, turns: u32) -> Self {
        self.max_turns = Some(if turns == 0 { 1 } else { turns });
        self
    }

    /// With a further budget.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }
}

impl From<Vec<Message>> for Fork {
    fn from(messages: Vec<Message>) -> Self {
        Self::new(messages)
    }
}

impl Agent {
    /// An agent with the same model, tools, settings, hooks, budgets and engine, and with a conversation of its own: messages, or
    /// a [`Fork`]. What is changed of one later leaves the other as it is; budgets, and what else counts, are shared. Opens no
    /// connection.
    ///
    /// # Errors
    /// When the codec does not open a stream again.
    pub fn fork(&self, fork: impl Into<Fork>) -> Result<Self, Error> {
        let Fork { messages, max_turns, budgets } = fork.into();
        let from = &self.inner.setup;
        let mut settings = from.settings();
        let config = Config { max_turns: max_turns.unwrap_or(from.config.max_turns), ..from.config.clone() };
        Arc::make_mut(&mut settings.account).budgets.extend(budgets);
        let machine = Machine::new(settings.configure(&config), messages);
        let setup = Setup {
            settings: RwLock::new(settings),
            hooks: from.hooks.clone(),
            retry: from.retry.clone(),
            config,
            validation: from.validation,
            tool_timeout: from.tool_timeout,
            measure_decode: from.measure_decode,
            engine: from.engine.clone(),
            log: from.log,
            waiting: Waiting::new(Queues::default()),
            mirror: Mutex::new(messages_of(&machine)),
        };
        let state = Mutex::new(State::Idle(Box::new(Session::open(&setup, machine)?)));
        Ok(Self { inner: Arc::new(Inner { setup: Arc::new(setup), state, listeners: Listeners::default() }) })
    }
}
