//! How things end: what an actor failed with, why it stopped, and the crash that is kept.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::path::{Id, Path};

/// Why a message could not be handled: an error that was returned, or a panic that was caught. Cheap to clone.
#[derive(Clone)]
pub struct Failure(Arc<Cause>);

enum Cause {
    Error(Box<dyn Error + Send + Sync>),
    Panic(String),
}

impl Failure {
    /// A failure that is only a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Cause::Error(text.into().into())))
    }

    /// A panic that was caught, by what it was raised with.
    #[must_use]
    pub fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "a value that is not text".to_owned(),
        };
        Self(Arc::new(Cause::Panic(text)))
    }

    /// Whether a panic was caught.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(*self.0, Cause::Panic(_))
    }

    /// The error behind it, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match &*self.0 {
            Cause::Error(error) => error.downcast_ref(),
            Cause::Panic(_) => None,
        }
    }
}

/// Not an [`Error`] itself, so that `?` turns every error into one.
impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Arc::new(Cause::Error(Box::new(error))))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Error(error) => error.fmt(f),
            Cause::Panic(text) => write!(f, "panicked: {text}"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

/// Why an actor is no more.
#[derive(Clone, Debug)]
pub enum Reason {
    /// It was stopped, or drained, or its parent or system was.
    Stopped,
    /// It was killed in the midst of a message.
    Killed,
    /// Its supervisor gave up.
    Failed(Failure),
}

impl Reason {
    /// What it failed with; nothing if it ended in peace.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Stopped | Self::Killed => None,
        }
    }
}

/// What those who watch an actor get, once.
#[derive(Clone, Debug)]
pub struct Terminated {
    /// Who.
    pub id: Id,
    /// Its path.
    pub path: Path,
    /// Why.
    pub reason: Reason,
}

/// The last crash of an actor, kept until it is taken.
#[derive(Debug)]
pub struct Crashed<M> {
    /// The message that it crashed on; nothing if the handler had taken it, or if no message was involved.
    pub message: Option<M>,
    /// What happened.
    pub failure: Failure,
    /// When, since the system was started.
    pub at: Duration,
    /// The how manieth failure in a row it was.
    pub failures: u32,
}
