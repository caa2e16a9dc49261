//! What an actor sees of the world while it handles a message.

use std::sync::Arc;

use crate::actor::Actor;
use crate::cell::{Cell, Control, Signal, Watcher};
use crate::envelope::{Envelope, Message, ReplyTo, Responded};
use crate::handle::Handle;
use crate::path::{Id, Path};
use crate::reference::{Ref, TellError};
use crate::spec::Spec;
use crate::state::State;
use crate::system::{SpawnError, System};

/// The surroundings of an actor that understands `M`.
pub struct Context<M: Message> {
    pub(crate) cell: Arc<Cell<M>>,
    pub(crate) reply_to: ReplyTo<M::Reply>,
    state: State,
}

impl<M: Message> Context<M> {
    pub(crate) fn new(cell: Arc<Cell<M>>) -> Self {
        Self { cell, reply_to: ReplyTo::default(), state: State::default() }
    }

    /// The actor itself.
    #[must_use]
    pub fn me(&self) -> Ref<M> {
        Ref(self.cell.clone())
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> Id {
        self.cell.id
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.cell.path
    }

    /// The system that it belongs to.
    #[must_use]
    pub fn system(&self) -> System {
        System(self.cell.system.clone())
    }

    /// Its own state besides its fields: it survives a restart.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// The actor that sent the message in hand, if it used [`Context::tell`].
    #[must_use]
    pub fn sender_id(&self) -> Option<Id> {
        self.reply_to.sender_id()
    }

    /// Whether somebody waits for an answer to the message in hand.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.reply_to.is_wanted()
    }

    /// Answers the message in hand: the asker gets the reply, or the sender as a message.
    #[inline]
    pub fn respond(&mut self, reply: M::Reply) -> Responded {
        self.reply_to.respond(reply)
    }

    /// Takes the return address of the message in hand, to answer later or from elsewhere.
    #[must_use]
    pub fn defer(&mut self) -> ReplyTo<M::Reply> {
        std::mem::take(&mut self.reply_to)
    }

    /// Tells another actor something in one's own name: what it responds arrives here as a message.
    ///
    /// # Errors
    /// [`TellError`]; the message is then among the dead letters.
    pub async fn tell<T: Message>(&mut self, to: &Ref<T>, message: T) -> Result<(), TellError>
    where
        M: From<T::Reply>,
    {
        to.send(Envelope { message, reply_to: ReplyTo::sender(self.cell.clone()) }).await
    }

    /// Hands a message on, in the name of whoever sent the one in hand; the answer goes to them.
    ///
    /// # Errors
    /// [`TellError`]; the message is then among the dead letters.
    pub async fn forward<T: Message<Reply = M::Reply>>(&mut self, to: &Ref<T>, message: T) -> Result<(), TellError> {
        let reply_to = self.defer();
        to.send(Envelope { message, reply_to }).await
    }

    /// Spawns a child: it is stopped with this actor, and its failures may escalate to it.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub fn spawn<A: Actor>(
        &self,
        spec: Spec<A, impl FnMut() -> A + Send + 'static>,
    ) -> Result<Ref<A::Message>, SpawnError> {
        self.system().start(spec, Some(self.cell.clone()))
    }

    /// Its children, oldest first.
    #[must_use]
    pub fn children(&self) -> Vec<Handle> {
        self.cell.children().into_iter().map(Handle).collect()
    }

    /// Asks to be told, once, when `other` has ended; at once if it has. Asking twice is asking once.
    pub fn watch(&self, other: impl Into<Handle>) {
        other.into().0.watch(Watcher::Actor(self.cell.clone()));
    }

    /// Asks not to be told.
    pub fn unwatch(&self, other: impl Into<Handle>) {
        other.into().0.unwatch(self.cell.id);
    }

    /// Stops this actor after the message in hand.
    pub fn stop(&self) {
        self.cell.signal(Signal::Stop);
    }
}
