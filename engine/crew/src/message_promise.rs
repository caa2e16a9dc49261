//! A message that is on its way, token by token.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use thalweg_actor::Failure;
use thalweg_log::Entry;

use crate::crew::Crew;
use crate::field::Frozen;
use crate::message::Message;
use crate::message_writer::MessageWriter;
use crate::pieces::{Appender, Piece, Reader, pieces};
use crate::promise::Promise;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(pub String);

impl Piece for Token {
    type Store = ();

    #[inline]
    fn write(self, kind: u32, (): &(), append: &mut dyn FnMut(&Entry<'_>)) {
        append(&Entry::new(kind).with_text(self.0.as_bytes()));
    }

    #[inline]
    fn read(entry: &Entry<'_>, (): &()) -> Self {
        // Only texts are written, and the log keeps them as they are.
        Self(String::from_utf8_lossy(entry.text).into_owned())
    }
}

/// A message that streams: tokens, and the message that they make. Cheap to clone.
#[derive(Clone)]
pub struct MessagePromise(Kind);

#[derive(Clone)]
enum Kind {
    /// It is there, so there is nothing to wait for and nothing to keep besides.
    Made(Message),
    Streams {
        promise: Promise<Token, Message>,
        known: Arc<Frozen>,
    },
}

impl MessagePromise {
    /// A message of the tokens that `producer` writes. `known` is known before the first of them, and part of the
    /// message: who speaks, which model.
    pub fn stream<A>(crew: &Crew, known: Frozen, producer: impl FnOnce(Appender<Token>) -> A + Send + 'static) -> Self
    where
        A: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        Self::stream_as(crew, "TextMessage", known, async move |pieces: Appender<Token>| {
            producer(pieces).await.map(|()| Frozen::new())
        })
    }

    /// As [`MessagePromise::stream`], of a class of its own. What the producer returns is part of the message, too: what
    /// turned out while it was written. What was known before counts more.
    pub fn stream_as<A>(
        crew: &Crew,
        class: impl Into<String>,
        known: Frozen,
        producer: impl FnOnce(Appender<Token>) -> A + Send + 'static,
    ) -> Self
    where
        A: Future<Output = Result<Frozen, Failure>> + Send + 'static,
    {
        let (class, known, found) = (class.into(), Arc::new(known), Arc::new(OnceLock::new()));
        let (fields, finding) = (known.clone(), found.clone());
        let producer = async move |pieces: Appender<Token>| {
            // The producer runs once.
            let _ = finding.set(producer(pieces).await?);
            Ok(())
        };
        let resolver = async move |reader| {
            let message = Message::of_text(&class, text(reader).await?);
            Ok(found.get().into_iter().fold(message, Message::with_all).with_all(&fields))
        };
        Self(Kind::Streams { promise: Promise::new(crew, producer, resolver), known })
    }

    /// A message whose tokens are written from outside, and the writer. It is of `class`, such as `AssistantMessage`; `known`
    /// is known before the first token.
    #[must_use]
    pub fn channel(class: impl Into<String>, known: Frozen) -> (MessageWriter, Self) {
        let known = Arc::new(known);
        let (settle, promise) = Promise::open();
        (MessageWriter::new(class.into(), known.clone(), settle), Self(Kind::Streams { promise, known }))
    }

    /// The same message, but where it fails it goes on with what `tell` says of that, and is an error message.
    pub(crate) fn with_errors_as_text(
        self,
        crew: &Crew,
        tell: &Arc<impl Fn(&Failure) -> String + Send + Sync + 'static>,
    ) -> Self {
        let Kind::Streams { promise, known } = self.0 else { return self };
        let (tokens, fields, tell) = (promise.clone(), known.clone(), tell.clone());
        let producer = async move |pieces: Appender<Token>| {
            let mut reader = tokens.reader();
            while let Some(token) = reader.next().await {
                pieces.append(token.unwrap_or_else(|failure| Token(format!("\n{}", tell(&failure)))))?;
            }
            Ok(())
        };
        let resolver = async move |reader| match promise.value().await {
            Ok(message) => Ok(message),
            Err(_) => Ok(Message::error(text(reader).await?)),
        };
        Self(Kind::Streams { promise: Promise::new(crew, producer, resolver), known: fields })
    }

    /// A message that is there. It streams as a single token.
    #[must_use]
    pub const fn made(message: Message) -> Self {
        Self(Kind::Made(message))
    }

    /// What was known before the message is there; all of it if it always was.
    #[must_use]
    pub fn known(&self) -> &Frozen {
        match &self.0 {
            Kind::Made(message) => message.fields(),
            Kind::Streams { known, .. } => known,
        }
    }

    /// A reader of its tokens, from the first one on.
    #[must_use]
    pub fn tokens(&self) -> Reader<Token> {
        match &self.0 {
            Kind::Streams { promise, .. } => promise.reader(),
            Kind::Made(message) => {
                let pieces = pieces(0);
                // It was just opened.
                let _ = pieces.append(Token(message.to_string()));
                pieces.close();
                pieces.reader()
            }
        }
    }

    /// The whole message, the same for all.
    ///
    /// # Errors
    /// What its producer failed with, the same for all.
    pub async fn value(&self) -> Result<Message, Failure> {
        match &self.0 {
            Kind::Made(message) => Ok(message.clone()),
            Kind::Streams { promise, .. } => promise.value().await,
        }
    }

    /// The whole message if it is there by now.
    #[must_use]
    pub fn try_value(&self) -> Option<Result<Message, Failure>> {
        match &self.0 {
            Kind::Made(message) => Some(Ok(message.clone())),
            Kind::Streams { promise, .. } => promise.try_value(),
        }
    }

    /// See [`Promise::cancel`].
    pub fn cancel(&self) {
        if let Kind::Streams { promise, .. } = &self.0 {
            promise.cancel();
        }
    }
}

/// All tokens, or the first error among them.
async fn text(mut reader: Reader<Token>) -> Result<String, Failure> {
    let mut text = String::new();
    while let Some(token) = reader.next().await {
        text.push_str(&token?.0);
    }
    Ok(text)
}

impl From<Message> for MessagePromise {
    fn from(message: Message) -> Self {
        Self::made(message)
    }
}
