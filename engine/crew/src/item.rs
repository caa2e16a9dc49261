//! Whatever can stand for messages: what a sequence flattens.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;
use thalweg_actor::Failure;

use crate::message::Message;
use crate::message_promise::MessagePromise;
use crate::sequence::Sequence;

/// Zero or more messages, now or later.
pub enum Item {
    /// One that is there.
    Message(Message),
    /// One that is on its way.
    Promise(MessagePromise),
    /// All of another sequence.
    Sequence(Sequence),
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

impl Item {
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
        Self::Message(message)
    }
}

impl From<&Message> for Item {
    fn from(message: &Message) -> Self {
        Self::Message(message.clone())
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Message(Message::text(text))
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Message(Message::text(text))
    }
}

impl From<MessagePromise> for Item {
    fn from(promise: MessagePromise) -> Self {
        Self::Promise(promise)
    }
}

impl From<Sequence> for Item {
    fn from(sequence: Sequence) -> Self {
        Self::Sequence(sequence)
    }
}

impl From<Failure> for Item {
    fn from(failure: Failure) -> Self {
        Self::Error(failure)
    }
}

impl From<()> for Item {
    fn from((): ()) -> Self {
        Self::nothing()
    }
}

impl<T: Into<Self>> From<Vec<T>> for Item {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Item {
    fn from(list: [T; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Item {
    fn from(item: Option<T>) -> Self {
        item.map_or_else(Self::nothing, Into::into)
    }
}

impl<T: Into<Self>> From<Result<T, Failure>> for Item {
    fn from(item: Result<T, Failure>) -> Self {
        item.map_or_else(Self::Error, Into::into)
    }
}
