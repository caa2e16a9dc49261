//! Actors that belong together: their names, state, dead letters and clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::actor::Actor;
use crate::cell::{Cell, Control, Signal};
use crate::context::Context;
use crate::dead_letters::{DeadLetters, LastDeadLetters};
use crate::envelope::Message;
use crate::handle::Handle;
use crate::names::Names;
use crate::path::{Id, Path};
use crate::random::Random;
use crate::reference::Ref;
use crate::runner::run;
use crate::spec::Spec;
use crate::state::SharedState;
use crate::supervisor::{Restart, Supervisor};

/// A world of actors. Cheap to clone. Two of them in one process know nothing of each other.
#[derive(Clone)]
pub struct System(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    name: String,
    runtime: Runtime,
    pub(crate) names: Names,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) supervisor: Arc<dyn Supervisor>,
    pub(crate) random: Random,
    state: SharedState,
    started: Instant,
    next: AtomicU64,
    live: AtomicUsize,
    nobody_lives: Notify,
    stopping: AtomicBool,
}

impl Shared {
    /// Since the system was started.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn one_less(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.nobody_lives.notify_waiters();
        }
    }
}

impl System {
    /// A system on the current tokio runtime, with the defaults.
    ///
    /// # Panics
    /// Outside of a tokio runtime; see [`Builder::runtime`].
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::builder(name).build()
    }

    /// A system with choices.
    #[must_use]
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder { name: name.into(), runtime: None, dead_letters: None, supervisor: None, seed: 0 }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Spawns an actor without parent; its path is `/user/` and its name.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub fn spawn<A: Actor>(
        &self,
        spec: Spec<A, impl FnMut() -> A + Send + 'static>,
    ) -> Result<Ref<A::Message>, SpawnError> {
        self.start(spec, None)
    }

    /// The actor with this path, whatever it understands.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Handle> {
        self.0.names.find(path).map(Handle)
    }

    /// The actor with this path, if it understands `M`.
    #[must_use]
    pub fn lookup<M: Message>(&self, path: &str) -> Option<Ref<M>> {
        let any: Arc<dyn std::any::Any + Send + Sync> = self.0.names.find(path)?;
        Some(Ref(any.downcast::<Cell<M>>().ok()?))
    }

    /// All actors, in the order of their paths.
    #[must_use]
    pub fn list(&self) -> Vec<Handle> {
        let mut all: Vec<_> = self.0.names.all().into_iter().map(Handle).collect();
        all.sort_by(|one, other| one.path().cmp(other.path()));
        all
    }

    /// How many actors live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.live.load(Ordering::Acquire)
    }

    /// What all its actors share.
    #[must_use]
    pub fn state(&self) -> &SharedState {
        &self.0.state
    }

    /// Where messages end that nobody handles.
    #[must_use]
    pub fn dead_letters(&self) -> &dyn DeadLetters {
        &*self.0.dead_letters
    }

    /// The time since it was started.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.now()
    }

    /// Stops all actors, children before parents, each after the message in hand, and waits until the last has ended.
    /// No actor is spawned any more.
    pub async fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        loop {
            // Registered before the count is read, so that the last end is not missed.
            let mut nobody_lives = std::pin::pin!(self.0.nobody_lives.notified());
            nobody_lives.as_mut().enable();
            self.signal_all(|| Signal::Stop);
            if self.live() == 0 {
                return;
            }
            nobody_lives.await;
        }
    }

    /// As [`System::stop`], but those that have not ended within `deadline` are killed, and their number is given back.
    pub async fn stop_within(&self, deadline: Duration) -> usize {
        if tokio::time::timeout(deadline, self.stop()).await.is_ok() {
            return 0;
        }
        let late = self.live();
        for actor in self.0.names.all() {
            actor.signal(Signal::Kill);
        }
        late
    }

    /// To all that have no parent: their children follow them.
    fn signal_all(&self, signal: impl Fn() -> Signal) {
        for actor in self.0.names.all() {
            if actor.parent().is_none() {
                actor.signal(signal());
            }
        }
    }

    pub(crate) fn start<A: Actor>(
        &self,
        spec: Spec<A, impl FnMut() -> A + Send + 'static>,
        parent: Option<Arc<dyn Control>>,
    ) -> Result<Ref<A::Message>, SpawnError> {
        let Spec { factory, name, mailbox, supervisor } = spec;
        let id = Id(self.0.next.fetch_add(1, Ordering::Relaxed));
        let name = match name {
            Some(name) if name.is_empty() || name.contains('/') || name.starts_with('$') => {
                return Err(SpawnError::BadName(name));
            }
            Some(name) => name,
            None => format!("${id}"),
        };
        let path = parent.as_ref().map_or_else(|| Path::top(&name), |parent| parent.path().child(&name));
        let cell = Arc::new(Cell::new(id, path, self.0.clone(), mailbox, parent));
        // Counted before the flag is read: `stop` sets the flag before it reads the count.
        self.0.live.fetch_add(1, Ordering::SeqCst);
        if self.0.stopping.load(Ordering::SeqCst) {
            self.0.one_less();
            return Err(SpawnError::Stopping);
        }
        if !self.0.names.insert(cell.clone()) {
            self.0.one_less();
            return Err(SpawnError::Taken(cell.path.clone()));
        }
        if let Some(parent) = &cell.parent
            && !parent.adopt(cell.clone())
        {
            self.0.names.remove(&cell.path, id);
            self.0.one_less();
            return Err(SpawnError::Stopping);
        }
        drop(self.0.runtime.spawn(run(factory, Context::new(cell.clone()), supervisor)));
        Ok(Ref(cell))
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({}, {} actors)", self.name(), self.live())
    }
}

/// The choices of a system.
pub struct Builder {
    name: String,
    runtime: Option<Runtime>,
    dead_letters: Option<Arc<dyn DeadLetters>>,
    supervisor: Option<Arc<dyn Supervisor>>,
    seed: u64,
}

impl Builder {
    /// The runtime that its actors run on, instead of the current one.
    #[must_use]
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Who gets the dead letters; without, the last 256 are kept.
    #[must_use]
    pub fn dead_letters(mut self, dead_letters: Arc<dyn DeadLetters>) -> Self {
        self.dead_letters = Some(dead_letters);
        self
    }

    /// The supervisor of actors that name none; without, [`Restart::default`].
    #[must_use]
    pub fn supervisor(mut self, supervisor: impl Supervisor + 'static) -> Self {
        self.supervisor = Some(Arc::new(supervisor));
        self
    }

    /// The seed of the jitter.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The system.
    ///
    /// # Panics
    /// Outside of a tokio runtime, unless one was named.
    #[must_use]
    pub fn build(self) -> System {
        System(Arc::new(Shared {
            name: self.name,
            runtime: self.runtime.unwrap_or_else(Runtime::current),
            names: Names::new(),
            dead_letters: self.dead_letters.unwrap_or_else(|| Arc::new(LastDeadLetters::default())),
            supervisor: self.supervisor.unwrap_or_else(|| Arc::new(Restart::default())),
            random: Random::new(self.seed),
            state: SharedState::default(),
            started: Instant::now(),
            next: AtomicU64::new(1),
            live: AtomicUsize::new(0),
            nobody_lives: Notify::new(),
            stopping: AtomicBool::new(false),
        }))
    }
}

/// Why an actor was not spawned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// Another actor lives there.
    #[error("{0} is taken: names are unique among siblings")]
    Taken(Path),
    /// The name is empty, holds a `/` or starts with `$`.
    #[error("{0:?} is no name: it must not be empty, hold a slash or start with a dollar")]
    BadName(String),
    /// The system, or the parent, is stopping.
    #[error("the system or the parent is stopping")]
    Stopping,
}
