//! Where messages end that no actor will handle.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use crate::path::Path;
use crate::sync::lock;

/// Why a message was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The actor had stopped; the sender got the message back with an error.
    Closed,
    /// The mailbox was full; the sender got the message back with an error.
    Full,
    /// The mailbox was full and drops new messages.
    DroppedNewest,
    /// The mailbox was full and drops old messages.
    DroppedOldest,
    /// It waited in the mailbox when the actor stopped.
    LeftOver,
    /// A router had no worker for it.
    NoWorker,
}

/// A message that no actor will handle.
pub struct DeadLetter {
    /// Whom it was for.
    pub to: Path,
    /// Why it was not handled.
    pub why: Undelivered,
    /// The name of its type.
    pub kind: &'static str,
    /// The message, unless the sender got it back.
    pub message: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}: {:?}", self.kind, self.to, self.why)
    }
}

/// Gets every dead letter of a system. Called by the sender or the dying actor, so it must be quick.
pub trait DeadLetters: Send + Sync {
    /// One more.
    fn receive(&self, letter: DeadLetter);

    /// How many there were.
    fn count(&self) -> u64;
}

/// Counts all dead letters and keeps the last ones.
pub struct LastDeadLetters {
    kept: usize,
    inner: Mutex<(u64, VecDeque<DeadLetter>)>,
}

impl LastDeadLetters {
    /// Keeps the last `kept` of them.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        Self { kept, inner: Mutex::default() }
    }

    /// Takes those that are kept, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<DeadLetter> {
        lock(&self.inner).1.drain(..).collect()
    }
}

impl Default for LastDeadLetters {
    fn default() -> Self {
        Self::new(256)
    }
}

impl DeadLetters for LastDeadLetters {
    fn receive(&self, letter: DeadLetter) {
        let mut guard = lock(&self.inner);
        let (count, letters) = &mut *guard;
        *count += 1;
        let pushed_out = if letters.len() >= self.kept { letters.pop_front() } else { None };
        if self.kept > 0 {
            letters.push_back(letter);
        }
        // Dropping a message may run anybody's code, so not with the lock held.
        drop(guard);
        drop(pushed_out);
    }

    fn count(&self) -> u64 {
        lock(&self.inner).0
    }
}
