//! Whatever can stand for messages: what a sequence flattens.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;
use thalweg_actor::Failure;

use crate::message::Message;
use crate::message_promise::MessagePromise;
use crate::pieces::Piece;
use crate::sequence::SequenceOf;

/// Zero or more messages, now or later.
pub type Item = ItemOf<MessagePromise>;

/// Zero or more pieces of a sequence, now or later.
pub enum ItemOf<P: Piece> {
    /// One, which may itself be on its way.
    Piece(P),
    /// All of another sequence.
    Sequence(SequenceOf<P>),
    /// An error at this place. What follows it still comes.
    Error(Failure),
    /// Several, in order.
    List(Vec<Self>),
    /// Several, made one after the other.
    Iter(Box<dyn Iterator<Item = Self> + Send>),
    /// Several that come one after the other.
    Stream(Pin<Box<dyn Stream<Item = Self> + Send>>),
    /// What a future gives.
    Future(Pin<Box<dyn Future<Output = Self> + Send>>),
}

impl<P: Piece> ItemOf<P> {
    /// What an iterator makes.
    pub fn iter<T: Into<Self> + 'static>(iter: impl Iterator<Item = T> + Send + 'static) -> Self {
        Self::Iter(Box::new(iter.map(Into::into)))
    }

    /// What a stream gives.
    pub fn stream(stream: impl Stream<Item = Self> + Send + 'static) -> Self {
        Self::Stream(Box::pin(stream))
    }

    /// What a future gives.
    pub fn future<T: Into<Self>>(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Future(Box::pin(async move { future.await.into() }))
    }

    /// No message.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::List(Vec::new())
    }
}

impl From<Message> for Item {
    fn from(message: Message) -> Self {
        Self::Piece(MessagePromise::made(message))
    }
}

impl From<&Message> for Item {
    fn from(message: &Message) -> Self {
        Self::Piece(MessagePromise::made(message.clone()))
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Piece(MessagePromise::made(Message::text(text)))
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Piece(MessagePromise::made(Message::text(text)))
    }
}

impl From<MessagePromise> for Item {
    fn from(promise: MessagePromise) -> Self {
        Self::Piece(promise)
    }
}

impl<P: Piece> From<SequenceOf<P>> for ItemOf<P> {
    fn from(sequence: SequenceOf<P>) -> Self {
        Self::Sequence(sequence)
    }
}

impl<P: Piece> From<Failure> for ItemOf<P> {
    fn from(failure: Failure) -> Self {
        Self::Error(failure)
    }
}

impl<P: Piece> From<()> for ItemOf<P> {
    fn from((): ()) -> Self {
        Self::nothing()
    }
}

impl<P: Piece, T: Into<Self>> From<Vec<T>> for ItemOf<P> {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<P: Piece, T: Into<Self>, const N: usize> From<[T; N]> for ItemOf<P> {
    fn from(list: [T; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<P: Piece, T: Into<Self>> From<Option<T>> for ItemOf<P> {
    fn from(item: Option<T>) -> Self {
        item.map_or_else(Self::nothing, Into::into)
    }
}

impl<P: Piece, T: Into<Self>> From<Result<T, Failure>> for ItemOf<P> {
    fn from(item: Result<T, Failure>) -> Self {
        item.map_or_else(Self::Error, Into::into)
    }
}
