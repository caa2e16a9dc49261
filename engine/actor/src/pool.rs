//! A pool: several workers that look like one actor, behind a router. It grows and shrinks.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use crate::actor::{Actor, Notice};
use crate::cell::{Control, Signal, Watcher};
use crate::context::Context;
use crate::dead_letters::Undelivered;
use crate::envelope::{Delivery, Envelope, Message, ReplyTo};
use crate::failure::Failure;
use crate::reference::{AskError, Ref, TellError};
use crate::router::{Route, Router};
use crate::spec::Spec;
use crate::system::{SpawnError, System};

/// Several workers behind a router.
///
/// What is told to the pool goes straight to a worker, without a stop on the way. Where an actor is asked for,
/// [`Pool::actor`] is one. The workers are its children and stopped with it. One whose supervisor gives up is replaced by
/// nobody; one that escalates has all of them made anew.
pub struct Pool<M: Message>(Arc<Inner<M>>);

struct Inner<M: Message> {
    system: System,
    front: Ref<M>,
    crew: Arc<Crew<M>>,
}

/// The workers and the router, which must agree.
struct Crew<M: Message>(RwLock<Desk<M>>);

/// Spawns a worker under a parent with a name.
type Hire<M> = Box<dyn FnMut(&System, Arc<dyn Control>, String) -> Result<Ref<M>, SpawnError> + Send + Sync>;

struct Desk<M: Message> {
    workers: Vec<Ref<M>>,
    router: Box<dyn Router<M>>,
    hire: Hire<M>,
    /// How many there should be.
    size: usize,
    /// How many were ever hired: no name is used twice, so that a key keeps its worker.
    hired: usize,
}

/// The actor that stands before the workers.
struct Front<M: Message>(Arc<Crew<M>>);

impl<M: Message> Pool<M> {
    /// Spawns a pool of `size` workers; `spec` describes one, and is called for each.
    ///
    /// # Errors
    /// [`SpawnError`]; the names of the workers (`w0`, `w1`, …) are the pool's choice.
    pub fn spawn<A, F>(
        system: &System,
        name: impl Into<String>,
        size: usize,
        router: impl Router<M> + 'static,
        mut spec: impl FnMut() -> Spec<A, F> + Send + Sync + 'static,
    ) -> Result<Self, SpawnError>
    where
        A: Actor<Message = M>,
        F: FnMut() -> A + Send + 'static,
    {
        let hire = Box::new(move |system: &System, parent: Arc<dyn Control>, name: String| {
            system.start(spec().named(name), Some(parent))
        });
        let crew = Arc::new(Crew(RwLock::new(Desk {
            workers: Vec::new(),
            router: Box::new(router),
            hire,
            size: 0,
            hired: 0,
        })));
        let front = crew.clone();
        let front = system.spawn(Spec::new(move || Front(front.clone())).named(name))?;
        let pool = Self(Arc::new(Inner { system: system.clone(), front, crew }));
        match pool.resize(size) {
            Ok(()) => Ok(pool),
            Err(error) => {
                pool.0.front.stop();
                Err(error)
            }
        }
    }

    /// Tells a worker, or all of them if the router says so.
    ///
    /// # Errors
    /// [`TellError`] of the first worker that did not take it; `Closed` if there is none.
    pub async fn tell(&self, message: M) -> Result<(), TellError> {
        self.0.crew.hand_on(Envelope { message, reply_to: ReplyTo::default() }, &self.0.front).await
    }

    /// Asks a worker; if the router chooses all, the first answer counts.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, message: M) -> Result<M::Reply, AskError> {
        let (asker, reply) = oneshot::channel();
        self.0.crew.hand_on(Envelope { message, reply_to: ReplyTo::asker(asker) }, &self.0.front).await?;
        reply.await.map_err(|_| AskError::NoReply)
    }

    /// The pool as one actor.
    #[must_use]
    pub fn actor(&self) -> &Ref<M> {
        &self.0.front
    }

    /// The workers.
    #[must_use]
    pub fn workers(&self) -> Vec<Ref<M>> {
        self.0.crew.0.read().unwrap_or_else(PoisonError::into_inner).workers.clone()
    }

    /// How many messages wait for the workers.
    #[must_use]
    pub fn load(&self) -> usize {
        self.workers().iter().map(Ref::load).sum()
    }

    /// Grows, or shrinks: the youngest workers get no more messages, finish theirs and stop.
    ///
    /// # Errors
    /// [`SpawnError`] if the pool cannot grow; those that were hired stay.
    pub fn resize(&self, size: usize) -> Result<(), SpawnError> {
        let mut desk = self.0.crew.0.write().unwrap_or_else(PoisonError::into_inner);
        desk.size = size;
        while desk.workers.len() > size {
            if let Some(worker) = desk.workers.pop() {
                worker.drain();
            }
        }
        desk.fill(&self.0.system, &self.0.front)
    }

    /// Stops the workers and the pool.
    pub fn stop(&self) {
        self.0.front.0.signal(Signal::Stop);
    }
}

impl<M: Message> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Message> Desk<M> {
    /// Hires up to the size that the pool should have.
    fn fill(&mut self, system: &System, front: &Ref<M>) -> Result<(), SpawnError> {
        let mut filled = Ok(());
        while self.workers.len() < self.size && filled.is_ok() {
            match (self.hire)(system, front.0.clone(), format!("w{}", self.hired)) {
                Ok(worker) => {
                    // The front learns when it ends, and takes it off the list.
                    worker.0.watch(Watcher::Actor(front.0.clone()));
                    self.hired += 1;
                    self.workers.push(worker);
                }
                Err(error) => filled = Err(error),
            }
        }
        self.router.changed(&self.workers);
        filled
    }
}

impl<M: Message> Crew<M> {
    async fn hand_on(&self, mut envelope: Envelope<M>, front: &Ref<M>) -> Result<(), TellError> {
        match self.choose(&envelope.message) {
            None => {
                front.0.bury(envelope, Undelivered::NoWorker);
                Err(TellError::Closed)
            }
            Some(Choice::One(worker)) => worker.send(envelope).await,
            Some(Choice::All(workers, copy)) => {
                let mut told = Ok(());
                for worker in &workers {
                    let message = copy(&envelope.message);
                    let reply_to = envelope.reply_to.share();
                    let sent = worker.send(Envelope { message, reply_to }).await;
                    told = told.and(sent);
                }
                told
            }
        }
    }

    fn choose(&self, message: &M) -> Option<Choice<M>> {
        let desk = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if desk.workers.is_empty() {
            return None;
        }
        Some(match desk.router.route(message, &desk.workers) {
            Route::One(place) => Choice::One(desk.workers[place % desk.workers.len()].clone()),
            Route::All(copy) => Choice::All(desk.workers.clone(), copy),
        })
    }
}

enum Choice<M: Message> {
    One(Ref<M>),
    All(Vec<Ref<M>>, fn(&M) -> M),
}

impl<M: Message> Actor for Front<M> {
    type Message = M;

    /// After a failure that a worker handed up, all workers are new.
    async fn started(&mut self, context: &mut Context<M>) -> Result<(), Failure> {
        let mut desk = self.0.0.write().unwrap_or_else(PoisonError::into_inner);
        desk.workers.retain(|worker| !worker.is_stopped());
        Ok(desk.fill(&context.system(), &context.me())?)
    }

    async fn receive(&mut self, message: Delivery<'_, M>, context: &mut Context<M>) -> Result<(), Failure> {
        let envelope = Envelope { message: message.take(), reply_to: context.defer() };
        // A worker that did not take it is no failure of the pool: the message is among the dead letters.
        let _ = self.0.hand_on(envelope, &context.me()).await;
        Ok(())
    }

    async fn notice(&mut self, notice: Notice, _: &mut Context<M>) -> Result<(), Failure> {
        let end = match notice {
            Notice::Terminated(end) => end,
            Notice::Escalated { failure, .. } => return Err(failure),
        };
        let mut desk = self.0.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = desk.workers.len();
        desk.workers.retain(|worker| worker.id() != end.id);
        if desk.workers.len() != before {
            desk.size = desk.size.saturating_sub(before - desk.workers.len());
            let desk = &mut *desk;
            desk.router.changed(&desk.workers);
        }
        Ok(())
    }
}
