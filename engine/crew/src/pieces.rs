//! The pieces of a promise: a log with one end to write and any number of readers, each from the beginning.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use thalweg_actor::Failure;
use thalweg_log::{Cursor, Entry, Log, Options, Writer, channel};
use tokio::sync::Notify;

use crate::promise::guarded;

/// Something that a log can hold.
pub trait Piece: Sized + Send + 'static {
    /// Where that lies which a log cannot hold; `()` if nothing.
    type Store: Default + Send + Sync + 'static;

    /// Writes it: `append` takes the entry, whose kind is given.
    fn write(self, kind: u32, store: &Self::Store, append: &mut dyn FnMut(&Entry<'_>));

    /// Reads it back.
    fn read(entry: &Entry<'_>, store: &Self::Store) -> Self;
}

/// What the writer and the readers share.
pub(crate) struct Shared<P: Piece> {
    log: Log,
    writer: Mutex<Writer>,
    store: P::Store,
    errors: Mutex<Vec<Failure>>,
    /// How many pieces may lie unread before a writer that asks for room waits; 0 is without limit.
    window: u64,
    furthest: AtomicU64,
    room: Notify,
}

/// The end of a promise to which pieces are added, open until its producer has ended. Clones write to the same log.
pub struct Appender<P: Piece>(pub(crate) Arc<Shared<P>>);

/// One that reads all pieces, from the first one on.
pub struct Reader<P: Piece> {
    cursor: Cursor,
    shared: Arc<Shared<P>>,
}

/// The appender was closed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("closed: no piece is added after the end")]
pub struct Closed;

/// The producer was cancelled, or its runtime went down, before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled before the end")]
pub struct Cancelled;

/// Pieces to be written, with so many unread before [`Appender::room`] waits; 0 is without limit.
pub(crate) fn pieces<P: Piece>(window: u64) -> Arc<Shared<P>> {
    let (writer, log) = channel(Options::default());
    Arc::new(Shared {
        log,
        writer: Mutex::new(writer),
        store: P::Store::default(),
        errors: Mutex::default(),
        window,
        furthest: AtomicU64::new(0),
        room: Notify::new(),
    })
}

impl<P: Piece> Shared<P> {
    pub(crate) fn reader(self: &Arc<Self>) -> Reader<P> {
        Reader { cursor: self.log.cursor(), shared: self.clone() }
    }

    #[inline]
    pub(crate) fn append(&self, piece: P) -> Result<(), Closed> {
        let mut writer = lock(&self.writer);
        let mut written = false;
        piece.write(PIECE, &self.store, &mut |entry| written = writer.append(entry).is_ok());
        writer.publish();
        if written { Ok(()) } else { Err(Closed) }
    }

    pub(crate) fn append_error(&self, failure: Failure) -> Result<(), Closed> {
        let mut writer = lock(&self.writer);
        let place = {
            let mut errors = lock(&self.errors);
            errors.push(failure);
            errors.len() as i64 - 1
        };
        let written = writer.append(&Entry::new(ERROR).with_num(place));
        writer.publish();
        written.map(|_| ()).map_err(|_| Closed)
    }

    pub(crate) fn close(&self) {
        lock(&self.writer).close();
        self.room.notify_waiters();
    }

    fn len(&self) -> (u64, bool) {
        let writer = lock(&self.writer);
        (writer.len(), writer.is_closed())
    }
}

impl<P: Piece> Appender<P> {
    /// Adds a piece. Readers see it at once.
    ///
    /// # Errors
    /// [`Closed`].
    #[inline]
    pub fn append(&self, piece: P) -> Result<(), Closed> {
        self.0.append(piece)
    }

    /// Adds an error: every reader gets it at this place. More may follow.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn append_error(&self, error: impl Into<Failure>) -> Result<(), Closed> {
        self.0.append_error(error.into())
    }

    /// Awaits `block`; an error that it returns, or a panic, is added as a piece instead of handed on.
    ///
    /// # Errors
    /// [`Closed`] if there was an error and it came too late.
    pub async fn capture(&self, block: impl Future<Output = Result<(), Failure>>) -> Result<(), Closed> {
        match guarded(|| block).await.and_then(|outcome| outcome) {
            Ok(()) => Ok(()),
            Err(failure) => self.0.append_error(failure),
        }
    }

    /// Waits until fewer pieces than the promise's window are unread by the reader that is furthest.
    pub async fn room(&self) {
        if self.0.window == 0 {
            return;
        }
        loop {
            let mut room = pin!(self.0.room.notified());
            room.as_mut().enable();
            let (len, closed) = self.0.len();
            if closed || len - self.0.furthest.load(Ordering::Acquire).min(len) < self.0.window {
                return;
            }
            room.await;
        }
    }

    /// No more will come. Closing twice is closing once.
    pub fn close(&self) {
        self.0.close();
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.len().1
    }
}

impl<P: Piece> Clone for Appender<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: Piece> Reader<P> {
    /// The next piece, or the error at its place; nothing at the end. After an error more may follow.
    pub async fn next(&mut self) -> Option<Result<P, Failure>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Reader::next`].
    #[inline]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<P, Failure>>> {
        loop {
            if let Some(piece) = self.try_next() {
                return Poll::Ready(Some(piece));
            }
            match self.cursor.poll_ready(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The next piece if there is one by now.
    #[inline]
    pub fn try_next(&mut self) -> Option<Result<P, Failure>> {
        let entry = self.cursor.next()?;
        let piece = if entry.kind == ERROR {
            // Written before the entry that refers to it.
            Err(lock(&self.shared.errors)[entry.num as usize].clone())
        } else {
            Ok(P::read(&entry, &self.shared.store))
        };
        if self.shared.window > 0 {
            self.shared.furthest.fetch_max(entry.seq + 1, Ordering::Release);
            self.shared.room.notify_waiters();
        }
        Some(piece)
    }
}

impl<P: Piece> Clone for Reader<P> {
    /// One that goes on from here by itself.
    fn clone(&self) -> Self {
        Self { cursor: self.cursor.clone(), shared: self.shared.clone() }
    }
}

/// Locks, whether or not a thread has panicked with the lock held: nothing is left half changed by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const PIECE: u32 = 1;
const ERROR: u32 = 2;
