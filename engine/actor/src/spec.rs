//! How an actor is to be made.

use std::sync::Arc;

use crate::actor::Actor;
use crate::envelope::Envelope;
use crate::mailbox::{Mailbox, Overflow};
use crate::queue::Queue;
use crate::supervisor::Supervisor;

/// A description of an actor: how to make it (called again at each restart), its name, mailbox and supervisor.
pub struct Spec<A: Actor, F: FnMut() -> A + Send + 'static> {
    pub(crate) factory: F,
    pub(crate) name: Option<String>,
    pub(crate) mailbox: Box<dyn Mailbox<Envelope<A::Message>>>,
    pub(crate) supervisor: Option<Arc<dyn Supervisor>>,
}

impl<A: Actor, F: FnMut() -> A + Send + 'static> Spec<A, F> {
    /// An actor with a name of the system's choice, an unbounded mailbox and the system's supervisor.
    #[must_use]
    pub fn new(factory: F) -> Self {
        Self { factory, name: None, mailbox: Box::new(Queue::unbounded()), supervisor: None }
    }

    /// Names it. The name must not be taken among its siblings, nor hold a `/`, nor start with `$`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives it a bounded mailbox.
    #[must_use]
    pub fn bounded(self, capacity: usize, overflow: Overflow) -> Self {
        self.with_mailbox(Queue::bounded(capacity, overflow))
    }

    /// Gives it a mailbox of the caller's own.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: impl Mailbox<Envelope<A::Message>> + 'static) -> Self {
        self.mailbox = Box::new(mailbox);
        self
    }

    /// Gives it a supervisor.
    #[must_use]
    pub fn supervised(self, supervisor: impl Supervisor + 'static) -> Self {
        self.supervised_by(Arc::new(supervisor))
    }

    /// Gives it a supervisor that it shares with others.
    #[must_use]
    pub fn supervised_by(mut self, supervisor: Arc<dyn Supervisor>) -> Self {
        self.supervisor = Some(supervisor);
        self
    }
}
