//! An actor whatever it understands: what can be done with it without speaking its language.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cell::{Cell, Control, Signal, Watcher};
use crate::envelope::Message;
use crate::failure::{Reason, Terminated};
use crate::path::{Id, Path};
use crate::reference::Ref;

/// An actor of any type. Cheap to clone; does not keep the actor alive.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<dyn Control>);

impl Handle {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.id()
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// How many messages wait for it.
    #[must_use]
    pub fn load(&self) -> usize {
        self.0.load()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.ended().is_some()
    }

    /// It stops after the message in hand. What waits in its mailbox goes to the dead letters.
    pub fn stop(&self) {
        self.0.signal(Signal::Stop);
    }

    /// It takes no more messages, handles those that wait, and stops.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// It stops at once: a handler that waits for something is dropped there.
    pub fn kill(&self) {
        self.0.signal(Signal::Kill);
    }

    /// Waits until the actor has ended, and says why. Answers at once if it has.
    pub async fn terminated(&self) -> Terminated {
        let (sender, receiver) = oneshot::channel();
        self.0.watch(Watcher::Task(sender));
        receiver.await.unwrap_or_else(|_| Terminated {
            id: self.id(),
            path: self.path().clone(),
            reason: self.0.ended().unwrap_or(Reason::Killed),
        })
    }

    /// The actor as one that understands `M`; nothing if it does not.
    #[must_use]
    pub fn typed<M: Message>(&self) -> Option<Ref<M>> {
        let any: Arc<dyn Any + Send + Sync> = self.0.clone();
        Some(Ref(any.downcast::<Cell<M>>().ok()?))
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Handle {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.path())
    }
}

impl<M: Message> From<&Ref<M>> for Handle {
    fn from(actor: &Ref<M>) -> Self {
        Self(actor.0.clone())
    }
}

impl From<&Self> for Handle {
    fn from(handle: &Self) -> Self {
        handle.clone()
    }
}
