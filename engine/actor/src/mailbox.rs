//! What a mailbox must do, and the words for it. The one that comes with the crate is [`crate::Queue`].

use std::task::{Context, Poll};

/// Where messages wait for their one actor, in the order in which they came.
///
/// Many threads push, one task pops. Signals of the system (stop, watch) never lie in a mailbox: they have a lane of
/// their own that is looked at first, and [`Mailbox::wake`] is how it gets the consumer's attention.
pub trait Mailbox<T>: Send + Sync {
    /// Puts `item` at the end, or says at once why not.
    ///
    /// # Errors
    /// [`Refused`] with the item: the mailbox is full and would have waited or is set to fail, or it is closed.
    fn push(&self, item: T) -> Result<Push<T>, Refused<T>>;

    /// Whether a sender may wait when it is full. The same for its whole life.
    fn blocks(&self) -> bool;

    /// As [`Mailbox::push`], but a full mailbox that blocks registers the task under `ticket` and is asked again.
    /// `item` is taken unless the answer is `Pending`.
    fn poll_push(
        &self,
        cx: &mut Context<'_>,
        item: &mut Option<T>,
        ticket: &mut Ticket,
    ) -> Poll<Result<Push<T>, Refused<T>>>;

    /// The producer with this ticket waits no more, whether or not it was served.
    fn give_up(&self, ticket: &mut Ticket);

    /// The first item, if there is one. A closed mailbox still hands out what it holds.
    fn pop(&self) -> Option<T>;

    /// The first item; `Ready(None)` once the mailbox is closed and empty.
    fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<T>>;

    /// Wakes the consumer though there may be no message.
    fn wake(&self);

    /// From now on every push is refused. Waiting producers are told.
    fn close(&self);

    /// How many messages wait.
    fn len(&self) -> usize;

    /// Whether no message waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was dropped and refused so far.
    fn counters(&self) -> Counters;
}

/// What a full mailbox does with one more message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The sender waits for room.
    #[default]
    Block,
    /// The new message is dropped and counted.
    DropNewest,
    /// The oldest waiting message is dropped and counted.
    DropOldest,
    /// The sender is told.
    Fail,
}

/// A push that went well.
#[derive(Debug, PartialEq, Eq)]
pub enum Push<T> {
    /// The item waits.
    Queued,
    /// The mailbox was full, and dropped the new item.
    DroppedNewest(T),
    /// The mailbox was full, and dropped the one that had waited longest.
    DroppedOldest(T),
}

/// A push that did not happen; the item comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// There is no room.
    Full(T),
    /// The actor has stopped or is about to.
    Closed(T),
}

impl<T> Refused<T> {
    /// The item that was not accepted.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }
}

/// What a mailbox did besides queueing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// New messages dropped because the mailbox was full.
    pub dropped_newest: u64,
    /// Waiting messages dropped because the mailbox was full.
    pub dropped_oldest: u64,
    /// Messages given back because the mailbox was full and set to fail.
    pub refused: u64,
}

/// A producer's place among those that wait for room.
#[derive(Debug, Default)]
pub struct Ticket(pub(crate) Option<u64>);
