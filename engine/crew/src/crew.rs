//! What a group of promises and agents has in common. Nothing is global: a process may have many crews.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thalweg_actor::Failure;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::keeper::Keeper;
use crate::message::Message;
use crate::task::Task;
use crate::turns::Turns;

/// Where promises and agents run, and their defaults. Cheap to clone.
///
/// Everything that is started through a crew is counted, so that [`Crew::finish`] can wait for all of it.
#[derive(Clone)]
pub struct Crew {
    shared: Arc<Shared>,
    starts_soon: bool,
    errors_as_messages: bool,
    traces_in_errors: bool,
    keeper: Option<Arc<Keeper>>,
}

struct Shared {
    place: Place,
    running: AtomicUsize,
    nothing_runs: Notify,
}

/// Where tasks run.
enum Place {
    Runtime(Handle),
    Turns(Turns),
}

impl Crew {
    /// A crew on the current tokio runtime: promises start soon, errors are errors.
    ///
    /// # Panics
    /// Outside of a tokio runtime; see [`Crew::on`].
    #[must_use]
    pub fn new() -> Self {
        Self::on(Handle::current())
    }

    /// A crew on a runtime.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self::at(Place::Runtime(runtime))
    }

    /// A crew without a runtime, that runs when the owner of `turns` says so.
    #[must_use]
    pub fn in_turns(turns: &Turns) -> Self {
        Self::at(Place::Turns(turns.clone()))
    }

    fn at(place: Place) -> Self {
        let shared = Shared { place, running: AtomicUsize::new(0), nothing_runs: Notify::new() };
        Self {
            shared: Arc::new(shared),
            starts_soon: true,
            errors_as_messages: false,
            traces_in_errors: false,
            keeper: None,
        }
    }

    /// Runs `main` with a crew on a runtime of one thread, and returns when all that was started through it is done.
    ///
    /// # Errors
    /// What `main` failed with, or the runtime could not be made.
    pub fn run<T, F: Future<Output = Result<T, Failure>>>(main: impl FnOnce(Self) -> F) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(Self::scope(main))
    }

    /// Runs `main` with a crew on the current runtime, and returns when all that was started through it is done.
    pub async fn scope<T, F: Future<Output = T>>(main: impl FnOnce(Self) -> F) -> T {
        let crew = Self::new();
        let outcome = main(crew.clone()).await;
        crew.finish().await;
        outcome
    }

    /// The same crew, whose promises and agents start when somebody reads them first.
    #[must_use]
    pub fn on_request(mut self) -> Self {
        self.starts_soon = false;
        self
    }

    /// The same crew, whose agents reply with an error message where they fail.
    #[must_use]
    pub fn with_errors_as_messages(mut self) -> Self {
        self.errors_as_messages = true;
        self
    }

    /// The same crew, whose error messages end with who called whom, the agent that failed first: `A <- B <- C`.
    #[must_use]
    pub fn with_traces_in_errors(mut self) -> Self {
        self.traces_in_errors = true;
        self
    }

    /// The same crew, which hands every message that an agent is sent or replies to `handler`: each once, by its hash key, and
    /// those within it before it. Behind the messages of a call that did not fail come two that say who was called with
    /// what, `AgentCallNode`, and what it replied, `AgentReplyNode`: they make a graph of all that was said.
    ///
    /// Handlers work behind the agents; [`Crew::finish`] waits for them. Several are called in their order. Who keeps messages
    /// reads them: one that starts on request starts once an agent has replied with it.
    #[must_use]
    pub fn keeping<F>(mut self, handler: impl Fn(Vec<Message>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.keeper = Some(Arc::new(self.keeper.unwrap_or_default().and(handler)));
        self
    }

    /// Keeps messages now and waits until that is done. Gives those that were new, with those within them.
    ///
    /// # Errors
    /// What a handler failed with; the messages count as not kept then.
    pub async fn keep(&self, messages: &[Message]) -> Result<Vec<Message>, Failure> {
        match &self.keeper {
            Some(keeper) => keeper.keep(messages).await,
            None => Ok(Vec::new()),
        }
    }

    /// Counts messages as kept, so that no handler gets them.
    pub async fn pass_over(&self, messages: &[Message]) {
        if let Some(keeper) = &self.keeper {
            keeper.pass_over(messages).await;
        }
    }

    /// What handlers failed with while nobody waited for them, since this was asked last.
    #[must_use]
    pub fn take_failures(&self) -> Vec<Failure> {
        self.keeper.as_ref().map_or_else(Vec::new, |keeper| keeper.take_failures())
    }

    pub(crate) const fn keeper(&self) -> Option<&Arc<Keeper>> {
        self.keeper.as_ref()
    }

    /// Whether promises start before somebody reads them.
    #[must_use]
    pub fn starts_soon(&self) -> bool {
        self.starts_soon
    }

    pub(crate) fn errors_as_messages(&self) -> bool {
        self.errors_as_messages
    }

    pub(crate) fn traces_in_errors(&self) -> bool {
        self.traces_in_errors
    }

    /// The defaults of a crew for those that an agent calls: errors as messages are not handed down.
    pub(crate) fn for_calls(&self) -> Self {
        Self { errors_as_messages: false, ..self.clone() }
    }

    /// How much is running.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.running.load(Ordering::Acquire)
    }

    /// Waits until nothing is running any more.
    pub async fn finish(&self) {
        loop {
            let mut nothing_runs = std::pin::pin!(self.shared.nothing_runs.notified());
            nothing_runs.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            nothing_runs.await;
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        self.shared.running.fetch_add(1, Ordering::AcqRel);
        let counted = Counted(self.shared.clone());
        let task = async move {
            let _counted = counted;
            task.await;
        };
        match &self.shared.place {
            Place::Runtime(runtime) => Task::Runtime(runtime.spawn(task).abort_handle()),
            Place::Turns(turns) => Task::Turns(turns.spawn(task)),
        }
    }
}

impl Default for Crew {
    fn default() -> Self {
        Self::new()
    }
}

/// One that runs, until it is dropped.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.nothing_runs.notify_waiters();
        }
    }
}
