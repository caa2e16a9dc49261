//! A message on its way: what it is, who wants the answer, and how the handler gets to see it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::path::Id;
use crate::sync::lock;

/// Something to tell an actor, and the type of the answer that an ask gets.
pub trait Message: Send + 'static {
    /// What the actor answers; `()` if nothing.
    type Reply: Send + 'static;
}

/// A message with its return address.
pub struct Envelope<M: Message> {
    /// What is said.
    pub message: M,
    /// Who gets the answer.
    pub reply_to: ReplyTo<M::Reply>,
}

/// The message in the hand of a handler.
///
/// It can be read in place, and is then kept if the handler fails; or taken out, and is then the handler's own.
pub struct Delivery<'a, M>(pub(crate) &'a mut Option<M>);

impl<M> Delivery<'_, M> {
    /// Takes the message out.
    #[must_use]
    pub fn take(self) -> M {
        self.0.take().expect("a delivery holds its message until `take`, which consumes it")
    }
}

impl<M> Deref for Delivery<'_, M> {
    type Target = M;

    fn deref(&self) -> &M {
        self.0.as_ref().expect("a delivery holds its message until `take`, which consumes it")
    }
}

/// Where the answer to a message goes. Dropped without an answer, the asker learns that there will be none.
pub struct ReplyTo<R>(Destination<R>);

enum Destination<R> {
    Nobody,
    Asker(oneshot::Sender<R>),
    /// One ask that went to several actors: the first answer counts.
    First(Arc<Mutex<Option<oneshot::Sender<R>>>>),
    Sender(Arc<dyn Accept<R>>),
    Answered,
}

/// An actor that takes the replies of another one as messages.
pub(crate) trait Accept<R>: Send + Sync {
    fn accept(&self, reply: R) -> Responded;
    fn id(&self) -> Id;
}

impl<R> ReplyTo<R> {
    pub(crate) fn asker(sender: oneshot::Sender<R>) -> Self {
        Self(Destination::Asker(sender))
    }

    pub(crate) fn sender(sender: Arc<dyn Accept<R>>) -> Self {
        Self(Destination::Sender(sender))
    }

    /// Takes the place of the one before, which is nobody as a rule: then there is nothing to drop.
    #[inline(always)]
    pub(crate) fn put(&mut self, next: Self) {
        let before = std::mem::replace(self, next);
        if let Destination::Nobody = before.0 {
            std::mem::forget(before);
        }
    }

    /// Answers, and says what came of it. That nobody waits is no failure of who answers.
    pub fn respond(&mut self, reply: R) -> Responded {
        let sent = |asker: oneshot::Sender<R>, reply| match asker.send(reply) {
            Ok(()) => Responded::Sent,
            Err(_) => Responded::Gone,
        };
        match std::mem::replace(&mut self.0, Destination::Answered) {
            Destination::Nobody => {
                self.0 = Destination::Nobody;
                Responded::Nobody
            }
            Destination::Asker(asker) => sent(asker, reply),
            Destination::First(asker) => match lock(&asker).take() {
                Some(asker) => sent(asker, reply),
                None => Responded::Twice,
            },
            Destination::Sender(sender) => sender.accept(reply),
            Destination::Answered => Responded::Twice,
        }
    }

    /// The actor that sent the message, if it said so.
    #[must_use]
    pub fn sender_id(&self) -> Option<Id> {
        match &self.0 {
            Destination::Sender(sender) => Some(sender.id()),
            _ => None,
        }
    }

    /// Whether somebody waits for an answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        match &self.0 {
            Destination::Nobody | Destination::Answered => false,
            Destination::Asker(asker) => !asker.is_closed(),
            Destination::First(asker) => lock(asker).as_ref().is_some_and(|asker| !asker.is_closed()),
            Destination::Sender(_) => true,
        }
    }

    /// A second address for the same answer.
    pub(crate) fn share(&mut self) -> Self {
        if let Destination::Asker(_) = self.0
            && let Destination::Asker(asker) = std::mem::replace(&mut self.0, Destination::Nobody)
        {
            self.0 = Destination::First(Arc::new(Mutex::new(Some(asker))));
        }
        Self(match &self.0 {
            Destination::First(asker) => Destination::First(asker.clone()),
            Destination::Sender(sender) => Destination::Sender(sender.clone()),
            _ => Destination::Nobody,
        })
    }
}

impl<R> Default for ReplyTo<R> {
    fn default() -> Self {
        Self(Destination::Nobody)
    }
}

impl<R> fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Destination::Nobody => "ReplyTo(nobody)",
            Destination::Asker(_) => "ReplyTo(asker)",
            Destination::First(_) => "ReplyTo(asker of several)",
            Destination::Sender(_) => "ReplyTo(actor)",
            Destination::Answered => "ReplyTo(answered)",
        })
    }
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responded {
    /// It is on its way.
    Sent,
    /// Nobody asked: the message was told, and its sender is not known.
    Nobody,
    /// The message was answered before.
    Twice,
    /// Who asked waits no more.
    Gone,
}
