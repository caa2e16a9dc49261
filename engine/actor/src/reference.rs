//! How one reaches an actor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::cell::{Cell, Control};
use crate::envelope::{Envelope, Message, ReplyTo};
use crate::failure::{Crashed, Terminated};
use crate::handle::Handle;
use crate::mailbox::{Counters, Refused};
use crate::path::{Id, Path};

/// An actor that understands `M`. Cheap to clone; does not keep the actor alive.
pub struct Ref<M: Message>(pub(crate) Arc<Cell<M>>);

impl<M: Message> Ref<M> {
    /// Sends a message. Waits for room only if the mailbox is full and set to [`crate::Overflow::Block`].
    ///
    /// # Errors
    /// [`TellError`]; the message is then among the dead letters.
    #[inline]
    pub async fn tell(&self, message: M) -> Result<(), TellError> {
        self.0.send(Envelope { message, reply_to: ReplyTo::default() }).await
    }

    /// Sends a message if that can be done without waiting.
    ///
    /// # Errors
    /// [`Refused`] with the message.
    pub fn try_tell(&self, message: M) -> Result<(), Refused<M>> {
        let envelope = Envelope { message, reply_to: ReplyTo::default() };
        self.0.try_send(envelope).map_err(|refused| match refused {
            Refused::Full(envelope) => Refused::Full(envelope.message),
            Refused::Closed(envelope) => Refused::Closed(envelope.message),
        })
    }

    /// Sends a message and waits for the answer, for as long as it takes.
    ///
    /// # Errors
    /// [`AskError`] if it could not be sent, or the actor will not answer: it never hangs on an actor that is gone.
    #[inline]
    pub async fn ask(&self, message: M) -> Result<M::Reply, AskError> {
        let (asker, reply) = oneshot::channel();
        self.0.send(Envelope { message, reply_to: ReplyTo::asker(asker) }).await?;
        reply.await.map_err(|_| AskError::NoReply)
    }

    /// As [`Ref::ask`], but for `deadline` at most.
    ///
    /// # Errors
    /// [`AskError`]. After [`AskError::Deadline`] the actor may still handle the message; its answer goes nowhere.
    pub async fn ask_within(&self, message: M, deadline: Duration) -> Result<M::Reply, AskError> {
        match tokio::time::timeout(deadline, self.ask(message)).await {
            Ok(answer) => answer,
            Err(_) => Err(AskError::Deadline(deadline)),
        }
    }

    /// Sends a message with a return address of the caller's choice.
    #[inline]
    pub(crate) async fn send(&self, envelope: Envelope<M>) -> Result<(), TellError> {
        self.0.send(envelope).await
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> Id {
        self.0.id
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How many messages wait for it.
    #[must_use]
    pub fn load(&self) -> usize {
        self.0.mailbox.len()
    }

    /// What its mailbox has dropped and refused.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.mailbox.counters()
    }

    /// Takes the last crash, with the message that it happened on.
    #[must_use]
    pub fn take_crash(&self) -> Option<Crashed<M>> {
        self.0.take_crash()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.ended().is_some()
    }

    /// See [`Handle::stop`].
    pub fn stop(&self) {
        self.handle().stop();
    }

    /// See [`Handle::drain`].
    pub fn drain(&self) {
        self.handle().drain();
    }

    /// See [`Handle::kill`].
    pub fn kill(&self) {
        self.handle().kill();
    }

    /// See [`Handle::terminated`].
    pub async fn terminated(&self) -> Terminated {
        self.handle().terminated().await
    }

    /// The actor without its type.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.0.clone())
    }
}

impl<M: Message> Clone for Ref<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Message> PartialEq for Ref<M> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<M: Message> Eq for Ref<M> {}

impl<M: Message> fmt::Debug for Ref<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.path())
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// The mailbox is full and set to fail.
    #[error("the mailbox is full")]
    Full,
    /// The actor has stopped or is about to.
    #[error("the actor has stopped")]
    Closed,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The mailbox is full and set to fail.
    #[error("the mailbox is full")]
    Full,
    /// The actor has stopped or is about to.
    #[error("the actor has stopped")]
    Closed,
    /// The message was handled or dropped without an answer.
    #[error("the actor did not answer: it failed, stopped, dropped the message or had nothing to say")]
    NoReply,
    /// It took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    Deadline(Duration),
}

impl From<TellError> for AskError {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Full => Self::Full,
            TellError::Closed => Self::Closed,
        }
    }
}
