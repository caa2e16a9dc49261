//! An agent: a model, its tools, and the conversation with it.

mod builder;
mod fork;
mod listen;
mod partial;
mod prompt;
mod saved;
mod settings;
mod task;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use thalweg_agent::failure::Failure;
use thalweg_agent::machine::{self, Machine};
use thalweg_agent::message::Message;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use builder::AgentBuilder;
pub use fork::Fork;
pub use listen::Subscription;
pub use prompt::Prompt;

use crate::drive::{Driver, Session, Setup};
use crate::error::Error;
use crate::run::{Events, Run, Shared, Text};
use listen::Listeners;
use task::Task;

/// A model, its tools, and the conversation with it. Clones are the same agent, and all of it may be called from any thread.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Arc<Setup>,
    state: Mutex<State>,
    listeners: Listeners,
}

enum State {
    Idle(Box<Session>),
    /// A run has taken the session.
    Running(Run),
}

impl Agent {
    /// Starts to describe an agent.
    #[must_use]
    pub fn builder() -> AgentBuilder {
        crate::plugin::offer();
        AgentBuilder::default()
    }

    /// Starts a run that answers `prompt`. It goes on by itself on the current tokio runtime; watch it through the
    /// [`Run`]. Tool calls that wait for a person are answered with an error.
    ///
    /// # Errors
    /// [`Error::Busy`] while another run of this agent is going on, [`Error::TooManyRuns`] at the limit of its engine,
    /// [`Error::Prompt`] when there is nothing to answer.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn prompt(&self, prompt: impl Into<Prompt>) -> Result<Run, Error> {
        let messages = prompt.into().messages;
        self.start(|machine| machine.handle_prompt(messages, 0))
    }

    /// Answers `prompt` and gives the text of the last reply.
    ///
    /// # Errors
    /// As [`Agent::prompt`] and [`Run::message`].
    pub async fn prompt_text(&self, prompt: impl Into<Prompt>) -> Result<String, Error> {
        let run = self.prompt(prompt)?;
        Ok(run.message().await?.text())
    }

    /// Answers `prompt` and gives the events of the run.
    ///
    /// # Errors
    /// As [`Agent::prompt`]; what goes wrong later stands in the last event.
    pub fn stream(&self, prompt: impl Into<Prompt>) -> Result<Events, Error> {
        Ok(self.prompt(prompt)?.events())
    }

    /// Answers `prompt` and gives the text of its replies as it comes.
    ///
    /// # Errors
    /// As [`Agent::prompt`].
    pub fn stream_text(&self, prompt: impl Into<Prompt>) -> Result<Text, Error> {
        Ok(self.prompt(prompt)?.text())
    }

    /// Answers what the conversation ends with. Where that is a reply, messages that wait come in: those that steer, or else
    /// those that follow up.
    ///
    /// # Errors
    /// As [`Agent::prompt`].
    pub fn go_on(&self) -> Result<Run, Error> {
        self.prompt(Prompt::go_on())
    }

    fn start(&self, begin: impl FnOnce(&mut Machine) -> Result<(), machine::Error>) -> Result<Run, Error> {
        // First, since it panics where there is none.
        let runtime = Handle::current();
        let mut state = self.inner.lock();
        let State::Idle(session) = &mut *state else { return Err(Error::Busy) };
        let place = self.inner.setup.engine.enter()?;
        self.inner.setup.waiting.lend(&mut session.machine, begin).map_err(Error::Prompt)?;
        let (writer, log) = self.inner.setup.engine.channel(self.inner.setup.log);
        let run = Run {
            shared: Arc::new(Shared {
                log,
                abort: watch::Sender::new(false),
                outcome: OnceLock::new(),
                finished: watch::Sender::new(false),
            }),
        };
        let State::Idle(session) = std::mem::replace(&mut *state, State::Running(run.clone())) else {
            return Err(Error::Busy);
        };
        // Under the lock, as in `subscribe`: each listener is told once.
        self.inner.listeners.follow(&run, &runtime);
        drop(state);
        let driver = Driver::new(Arc::clone(&self.inner.setup), session, writer, run.shared.abort.subscribe());
        let task = Task::new(driver, Arc::clone(&self.inner), run.clone(), place);
        // Boxed, since a future that is moved into another one takes its room twice.
        runtime.spawn(Box::pin(task.run()));
        Ok(run)
    }

    /// Says something while a run goes on: it comes in before the next request, behind the tools that run now unless
    /// [`AgentBuilder::steering`] says otherwise; a run that would end goes on with it. One message a turn, or all at once, as
    /// [`AgentBuilder::steering_mode`] says. Without a run it goes in front of the next one's first reply; so does what is
    /// left when a run fails or is stopped.
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

    /// Forgets what was said by [`Agent::steer`] and has not come in.
    pub fn clear_steering(&self) {
        self.inner.setup.waiting.lock().steering.clear();
    }

    /// Forgets what was said by [`Agent::follow_up`] and has not come in.
    pub fn clear_follow_ups(&self) {
        self.inner.setup.waiting.lock().follow_ups.clear();
    }

    /// What was said and has not come in: messages that steer, and those that follow up.
    #[must_use]
    pub fn queued(&self) -> (Vec<Message>, Vec<Message>) {
        let queues = self.inner.setup.waiting.lock().clone();
        (queues.steering.into(), queues.follow_ups.into())
    }

    /// Stops the run that is going on, if any.
    pub fn abort(&self) {
        if let Some(run) = self.running() {
            run.abort();
        }
    }

    /// Whether a run is going on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// The run that is going on.
    #[must_use]
    pub fn running(&self) -> Option<Run> {
        match &*self.inner.lock() {
            State::Running(run) => Some(run.clone()),
            State::Idle(_) => None,
        }
    }

    /// Waits until no run is going on and every listener has seen the last one's end. Not to be awaited by a listener.
    pub async fn wait_for_idle(&self) {
        while let Some(run) = self.running() {
            run.finished().await;
        }
        self.inner.listeners.wait().await;
    }

    /// The conversation so far; during a run with those of its messages that are complete.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.inner.mirror().iter().map(|message| Message::clone(message)).collect()
    }

    /// Sets the conversation, for example to go on with an earlier one. Tool calls without results get an error result.
    ///
    /// # Errors
    /// [`Error::Busy`] during a run; or the codec does not open a stream again.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), Error> {
        let mut state = self.inner.lock();
        let State::Idle(session) = &mut *state else { return Err(Error::Busy) };
        // A stream of its own for each conversation: a codec may remember what it has encoded.
        session.source = self.inner.setup.open(&session.backend)?;
        session.machine.replace_history(messages);
        *self.inner.mirror() = messages_of(&session.machine);
        Ok(())
    }

    /// Adds messages at the end of the conversation, for example those of the program's own.
    ///
    /// # Errors
    /// As [`Agent::set_messages`].
    pub fn append_messages(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), Error> {
        let mut all = self.messages();
        all.extend(messages);
        self.set_messages(all)
    }

    /// Forgets the conversation and all that waits; the model, its tools and the system prompt stay.
    ///
    /// # Errors
    /// As [`Agent::set_messages`].
    pub fn reset(&self) -> Result<(), Error> {
        self.set_messages(Vec::new())?;
        self.clear_steering();
        self.clear_follow_ups();
        Ok(())
    }

    /// What went wrong with the last run, if anything did; none while a run goes on.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match &*self.inner.lock() {
            State::Idle(session) => session.machine.failure().cloned(),
            State::Running(_) => None,
        }
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.inner.setup.settings();
        f.debug_struct("Agent")
            .field("endpoint", &self.endpoint())
            .field("model", &settings.request.model)
            .field("tools", &settings.tools)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mirror(&self) -> MutexGuard<'_, Vec<Arc<Message>>> {
        self.setup.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent is idle again.
    fn rest(&self, session: Box<Session>) {
        *self.lock() = State::Idle(session);
    }
}

/// The messages of a machine, shared with it.
fn messages_of(machine: &Machine) -> Vec<Arc<Message>> {
    machine.history().entries().iter().map(|entry| Arc::clone(&entry.message)).collect()
}
