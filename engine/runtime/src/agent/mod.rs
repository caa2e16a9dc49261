//! An agent: a model, its tools, and the conversation with it.

mod builder;
mod prompt;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use thalweg_agent::history::History;
use thalweg_agent::machine::{Config, Machine};
use thalweg_agent::message::Message;
use tokio::sync::watch;

pub use builder::AgentBuilder;
pub use prompt::Prompt;

use crate::drive::{Driver, Session, Setup};
use crate::engine::RunPlace;
use crate::error::Error;
use crate::run::{Outcome, Run, Shared};
use crate::tool::Tool;

/// A model, its tools, and the conversation with it. Clones are the same agent.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Arc<Setup>,
    state: Mutex<State>,
}

enum State {
    Idle(Box<Session>),
    /// A run has taken the session; its messages are those of before the run.
    Running {
        run: Run,
        history: History,
    },
}

impl Agent {
    /// Starts to describe an agent.
    #[must_use]
    pub fn builder() -> AgentBuilder {
        crate::plugin::offer();
        AgentBuilder::default()
    }

    /// Starts a run that answers `prompt`. It goes on by itself on the current tokio runtime; watch it through the
    /// [`Run`].
    ///
    /// # Errors
    /// [`Error::Busy`] while another run of this agent is going on, [`Error::TooManyRuns`] at the limit of its engine,
    /// [`Error::Prompt`] when there is nothing to answer.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn prompt(&self, prompt: impl Into<Prompt>) -> Result<Run, Error> {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Idle(session) = &mut *state else { return Err(Error::Busy) };
        let place = self.inner.setup.engine.enter()?;
        self.inner.setup.waiting.hand_over(&mut session.machine);
        session.machine.handle_prompt(prompt.into().messages, 0).map_err(Error::Prompt)?;
        let history = session.machine.history().clone();
        let (writer, log) = self.inner.setup.engine.channel(self.inner.setup.log);
        let run = Run {
            shared: Arc::new(Shared {
                log,
                abort: watch::Sender::new(false),
                outcome: OnceLock::new(),
                finished: watch::Sender::new(false),
            }),
        };
        let running = State::Running { run: run.clone(), history };
        let State::Idle(session) = std::mem::replace(&mut *state, running) else { return Err(Error::Busy) };
        drop(state);
        let driver = Driver::new(Arc::clone(&self.inner.setup), session, writer, run.shared.abort.subscribe());
        let guard = Guard { inner: Arc::clone(&self.inner), run: run.clone(), place: Some(place) };
        // Boxed, since a future that is moved into another one takes its room twice.
        let driving = Box::pin(driver.run());
        tokio::spawn(async move {
            let (session, outcome, writer) = driving.await;
            guard.finish(session, outcome);
            // Last: a reader that has seen the end may prompt the agent again at once.
            drop(writer);
        });
        Ok(run)
    }

    /// Says something while a run goes on: it comes in before the next request, behind the tools that run now; a run that
    /// would end goes on with it. One message a turn. Without a run it goes in front of the next one's first reply; so does
    /// what is left when a run fails or is stopped.
    ///
    /// # Errors
    /// [`Error::Prompt`] for what no user could have said.
    pub fn steer(&self, messages: impl Into<Prompt>) -> Result<(), Error> {
        self.inner.setup.waiting.steer(messages.into().messages).map_err(Error::Prompt)
    }

    /// As [`Agent::steer`], but it comes in only once the run would end otherwise.
    ///
    /// # Errors
    /// As there.
    pub fn follow_up(&self, messages: impl Into<Prompt>) -> Result<(), Error> {
        self.inner.setup.waiting.follow_up(messages.into().messages).map_err(Error::Prompt)
    }

    /// Stops the run that is going on, if any.
    pub fn abort(&self) {
        if let State::Running { run, .. } = &*self.inner.state.lock().unwrap_or_else(PoisonError::into_inner) {
            run.abort();
        }
    }

    /// Whether a run is going on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(*self.inner.state.lock().unwrap_or_else(PoisonError::into_inner), State::Running { .. })
    }

    /// The conversation so far; during a run, as it was when the run began.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        match &*self.inner.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Idle(session) => session.machine.history().clone().into_messages(),
            State::Running { history, .. } => history.clone().into_messages(),
        }
    }

    /// Sets the conversation, for example to go on with an earlier one. Tool calls without results get an error result.
    ///
    /// # Errors
    /// [`Error::Busy`] during a run; or the codec does not open a stream again.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), Error> {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Idle(session) = &mut *state else { return Err(Error::Busy) };
        // A stream of its own for each conversation: a codec may remember what it has encoded.
        session.source = self.inner.setup.open()?;
        session.machine.replace_history(messages);
        Ok(())
    }

    /// The tools on offer.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.inner.setup.tools
    }

    /// Where its requests go: the provider's name or the base URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.inner.setup.backend.name()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("endpoint", &self.endpoint())
            .field("model", &self.inner.setup.request.model)
            .field("tools", &self.inner.setup.tools)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn new_session(&self, machine: Machine) -> Result<Session, Error> {
        open_session(&self.setup, machine)
    }
}

/// Gives the session back to its agent and wakes those who wait, also when the driver panics or its runtime ends.
struct Guard {
    inner: Arc<Inner>,
    run: Run,
    /// `None` once the run is over.
    place: Option<RunPlace>,
}

impl Guard {
    fn finish(mut self, session: Box<Session>, outcome: Outcome) {
        *self.inner.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Idle(session);
        // Only this guard sets it.
        let _ = self.run.shared.outcome.set(outcome);
        // Before anybody is told: who waits for the end may start a run.
        self.place = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.run.shared.outcome.set(Outcome::lost()).is_ok() {
            let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let State::Running { history, .. } = &mut *state {
                let config = machine_config(&self.inner.setup);
                let machine = Machine::new(config, std::mem::take(history).into_messages());
                // Without a session the agent stays busy: its codec cannot be opened any more.
                if let Ok(session) = self.inner.new_session(machine) {
                    *state = State::Idle(Box::new(session));
                }
            }
        }
        self.place = None;
        self.run.shared.finished.send_replace(true);
    }
}

fn machine_config(setup: &Setup) -> Config {
    Config {
        provider: setup.backend.provider_id().map(str::to_owned),
        tools: setup.tools.iter().map(|tool| tool.name().to_owned()).collect(),
        max_turns: setup.max_turns,
        tool_mode: setup.tool_mode,
    }
}

fn open_session(setup: &Setup, machine: Machine) -> Result<Session, Error> {
    Ok(Session { machine, source: setup.open()? })
}
