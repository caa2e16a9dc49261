//! Messages in a row, some of them still on their way.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use thalweg_actor::Failure;
use thalweg_log::Entry;
use tokio::sync::mpsc;

use crate::crew::Crew;
use crate::item::ItemOf;
use crate::message::Message;
use crate::message_promise::MessagePromise;
use crate::pieces::{Appender, Cancelled, Closed, Piece, Reader, Shared, lock, pieces};
use crate::promise::guarded;
use crate::single_text::SingleText;
use crate::task::Task;

/// Promises of messages. The log keeps the place of each; the promises themselves lie beside it.
impl Piece for MessagePromise {
    type Store = Mutex<Vec<Self>>;

    fn write(self, kind: u32, store: &Self::Store, append: &mut dyn FnMut(&Entry<'_>)) {
        let place = {
            let mut promises = lock(store);
            promises.push(self);
            promises.len() as i64 - 1
        };
        append(&Entry::new(kind).with_num(place));
    }

    fn read(entry: &Entry<'_>, store: &Self::Store) -> Self {
        // Written before the entry that refers to it.
        lock(store)[entry.num as usize].clone()
    }
}

/// A sequence of messages.
pub type Sequence = SequenceOf<MessagePromise>;

/// The end of a sequence where messages are added.
pub type SequenceWriter = WriterOf<MessagePromise>;

/// A sequence that any number of readers see, each from the first piece on. Cheap to clone.
pub struct SequenceOf<P: Piece>(Arc<Inner<P>>);

struct Inner<P: Piece> {
    crew: Crew,
    pieces: Arc<Shared<P>>,
    /// What it does once somebody reads it, if it has not begun.
    start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Who is stopped when it is cancelled.
    tasks: Arc<Tasks<P>>,
}

/// What belongs to a sequence and ends with it.
pub(crate) struct Tasks<P: Piece> {
    own: Mutex<Vec<Task>>,
    /// The replies of those that were called on its behalf.
    children: Mutex<Vec<Child<P>>>,
}

/// A sequence that may be gone, and what fills it.
struct Child<P: Piece> {
    replies: Weak<Inner<P>>,
    tasks: Arc<Tasks<P>>,
}

impl<P: Piece> Tasks<P> {
    /// Those that are done make room before it would grow: a loop may add for ever.
    pub(crate) fn add(&self, task: Task) {
        let mut own = lock(&self.own);
        if own.len() == own.capacity() {
            own.retain(|task| !task.is_finished());
        }
        own.push(task);
    }

    /// Stops all of it. Not with a lock held: what is dropped may add to it.
    fn stop(&self) {
        let own = std::mem::take(&mut *lock(&self.own));
        let children = std::mem::take(&mut *lock(&self.children));
        own.iter().for_each(Task::abort);
        for child in children {
            match child.replies.upgrade() {
                Some(replies) => SequenceOf(replies).cancel(),
                None => child.tasks.stop(),
            }
        }
    }

    fn is_idle(&self) -> bool {
        lock(&self.own).iter().all(Task::is_finished) && lock(&self.children).iter().all(Child::is_over)
    }
}

impl<P: Piece> Child<P> {
    fn is_over(&self) -> bool {
        self.replies.strong_count() == 0 && self.tasks.is_idle()
    }
}

impl<P: Piece> SequenceOf<P> {
    /// What is given, flattened. What is there at once needs no task; in a crew that starts on request, what is on its
    /// way is started by the first reader.
    pub fn of(crew: &Crew, items: impl Into<ItemOf<P>>) -> Self {
        let (writer, sequence) = Self::channel(crew);
        let item = items.into();
        // The writer was just opened.
        let fill = move || {
            let _ = writer.append_item(item);
        };
        if !crew.starts_soon() {
            return sequence.starting(fill);
        }
        fill();
        sequence
    }

    /// A sequence and the end where items are added.
    #[must_use]
    pub fn channel(crew: &Crew) -> (WriterOf<P>, Self) {
        Self::with_end(crew, None)
    }

    fn with_end(crew: &Crew, errors: Option<Errors<P>>) -> (WriterOf<P>, Self) {
        let pieces = pieces(0);
        let tasks = Arc::new(Tasks { own: Mutex::default(), children: Mutex::default() });
        let end = Arc::new(End { pieces: pieces.clone(), errors });
        let inner = Inner { crew: crew.clone(), pieces, start: Mutex::new(None), tasks: tasks.clone() };
        (
            WriterOf { crew: crew.clone(), open: Mutex::new(Open { end: Some(end), queue: None }), tasks },
            Self(Arc::new(inner)),
        )
    }

    /// The same, but `start` is called before the first reader.
    #[must_use]
    pub fn starting(self, start: impl FnOnce() + Send + 'static) -> Self {
        *lock(&self.0.start) = Some(Box::new(start));
        self
    }

    /// What is stopped when it is cancelled.
    pub(crate) fn tasks(&self) -> &Arc<Tasks<P>> {
        &self.0.tasks
    }

    /// A reader of all pieces, from the first one on.
    #[must_use]
    pub fn reader(&self) -> Reader<P> {
        let start = lock(&self.0.start).take();
        if let Some(start) = start {
            start();
        }
        self.0.pieces.reader()
    }

    /// A reader for who only watches: nothing starts for it.
    pub(crate) fn watch(&self) -> Reader<P> {
        self.0.pieces.reader()
    }

    /// Stops whatever adds to it, and those that it called. Readers get [`Cancelled`] behind what is there.
    pub fn cancel(&self) {
        drop(lock(&self.0.start).take());
        // Not with the lock held: what is dropped may add to it.
        let _ = self.0.pieces.append_error(Cancelled.into());
        self.0.pieces.close();
        self.0.tasks.stop();
    }
}

impl<P: Piece> Clone for SequenceOf<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Sequence {
    /// A sequence where messages are made of errors, with what `tell` says of each, and the end where items are added.
    pub(crate) fn channel_without_errors(
        crew: &Crew,
        tell: impl Fn(&Failure) -> String + Send + Sync + 'static,
    ) -> (SequenceWriter, Self) {
        let (crew_of_pieces, tell) = (crew.clone(), Arc::new(tell));
        let tell_among = tell.clone();
        let errors = Errors {
            among: Box::new(move |failure| MessagePromise::made(Message::error(tell_among(&failure)))),
            within: Box::new(move |promise: MessagePromise| promise.with_errors_as_text(&crew_of_pieces, &tell)),
        };
        Self::with_end(crew, Some(errors))
    }

    /// All messages, each of them whole.
    ///
    /// # Errors
    /// The first error among them.
    pub async fn value(&self) -> Result<Vec<Message>, Failure> {
        let mut reader = self.reader();
        let mut messages = Vec::new();
        while let Some(message) = reader.next().await {
            messages.push(message?.value().await?);
        }
        Ok(messages)
    }

    /// All messages as one, with `delimiter` between them; see [`SingleText`].
    ///
    /// # Errors
    /// The first error among them.
    pub async fn as_single_text(&self, delimiter: &str) -> Result<Message, Failure> {
        let settings = SingleText { delimiter: delimiter.to_owned(), ..SingleText::default() };
        self.single_text(settings).value().await
    }

    /// All messages as one that streams, from when somebody reads it.
    #[must_use]
    pub fn single_text(&self, settings: SingleText) -> MessagePromise {
        settings.of(&self.0.crew, self.clone())
    }
}

/// Closes the log once everybody that may add to it is gone.
struct End<P: Piece> {
    pieces: Arc<Shared<P>>,
    /// How pieces are made of errors, if they are.
    errors: Option<Errors<P>>,
}

/// How pieces are made of errors.
struct Errors<P> {
    /// Of one that stands in the sequence.
    among: Box<dyn Fn(Failure) -> P + Send + Sync>,
    /// Of one that a piece may come to, which is still on its way.
    within: Box<dyn Fn(P) -> P + Send + Sync>,
}

impl<P: Piece> End<P> {
    fn append(&self, piece: P) -> Result<(), Closed> {
        self.pieces.append(match &self.errors {
            Some(errors) => (errors.within)(piece),
            None => piece,
        })
    }

    fn is_closed(&self) -> bool {
        Appender(self.pieces.clone()).is_closed()
    }

    fn append_error(&self, failure: Failure) -> Result<(), Closed> {
        match &self.errors {
            Some(errors) => self.pieces.append((errors.among)(failure)),
            None => self.pieces.append_error(failure),
        }
    }
}

impl<P: Piece> Drop for End<P> {
    fn drop(&mut self) {
        self.pieces.close();
    }
}

/// The end of a sequence where items are added. The sequence ends when it is dropped and all that was added is there.
pub struct WriterOf<P: Piece> {
    crew: Crew,
    open: Mutex<Open<P>>,
    tasks: Arc<Tasks<P>>,
}

/// What a writer lets go of as it is finished.
struct Open<P: Piece> {
    end: Option<Arc<End<P>>>,
    /// To the task that flattens in order; there is none before something has to be waited for.
    queue: Option<mpsc::UnboundedSender<ItemOf<P>>>,
}

impl<P: Piece> WriterOf<P> {
    /// Adds items behind those that were added before, whichever is there first.
    ///
    /// # Errors
    /// [`Closed`] if the sequence was cancelled.
    pub fn append(&self, item: impl Into<ItemOf<P>>) -> Result<(), Closed> {
        self.append_item(item.into())
    }

    fn append_item(&self, item: ItemOf<P>) -> Result<(), Closed> {
        let mut open = lock(&self.open);
        let Open { end: Some(end), queue } = &mut *open else { return Err(Closed) };
        if end.is_closed() {
            return Err(Closed);
        }
        if let Some(queue) = queue {
            return queue.send(item).map_err(|_| Closed);
        }
        let Some(waits) = flatten_now(item, end)? else { return Ok(()) };
        let (sender, mut items) = mpsc::unbounded_channel();
        // The receiver lies in the next line.
        let _ = sender.send(waits);
        let end = end.clone();
        self.spawn(async move {
            while let Some(item) = items.recv().await {
                flatten(item, &end).await;
            }
        });
        *queue = Some(sender);
        Ok(())
    }

    /// Adds items wherever the sequence is when they are there.
    ///
    /// # Errors
    /// [`Closed`] if the sequence was cancelled.
    pub fn append_out_of_order(&self, item: impl Into<ItemOf<P>>) -> Result<(), Closed> {
        let (item, end) = (item.into(), self.end().ok_or(Closed)?);
        if end.is_closed() {
            return Err(Closed);
        }
        self.spawn(async move {
            // What is in order goes first if both are there.
            step_back().await;
            flatten(item, &end).await;
        });
        Ok(())
    }

    /// No more will be added. What was added still comes.
    pub fn finish(&self) {
        let open = &mut *lock(&self.open);
        (open.end, open.queue) = (None, None);
    }

    fn end(&self) -> Option<Arc<End<P>>> {
        lock(&self.open).end.clone()
    }

    /// Cancels another sequence with this one.
    pub(crate) fn takes_along(&self, other: &SequenceOf<P>) {
        let mut children = lock(&self.tasks.children);
        if children.len() == children.capacity() {
            children.retain(|child| !child.is_over());
        }
        children.push(Child { replies: Arc::downgrade(&other.0), tasks: other.0.tasks.clone() });
    }

    /// Stops those that were called and whose replies nobody can read.
    pub(crate) fn stop_unread(&self) {
        let mut unread = Vec::new();
        lock(&self.tasks.children).retain(|child| {
            let is_read = child.replies.strong_count() > 0;
            if !is_read {
                unread.push(child.tasks.clone());
            }
            is_read
        });
        unread.iter().for_each(|tasks| tasks.stop());
    }

    /// Keeps the sequence open until `task` is done, which runs at once.
    pub(crate) fn keep_open(&self, task: impl Future<Output = ()> + Send + 'static) {
        let end = self.end();
        self.spawn(async move {
            task.await;
            drop(end);
        });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.crew.spawn(task);
        self.tasks.add(task);
    }
}

/// Lets the tasks go first that can go. Not tokio's own: that one turns around the order of those that step back.
async fn step_back() {
    let mut stepped = false;
    poll_fn(|cx| {
        if stepped {
            return Poll::Ready(());
        }
        stepped = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Adds what is there. Gives back what has to be waited for, with all that follows it.
fn flatten_now<P: Piece>(item: ItemOf<P>, out: &End<P>) -> Result<Option<ItemOf<P>>, Closed> {
    match item {
        ItemOf::Piece(piece) => out.append(piece)?,
        ItemOf::Error(failure) => out.append_error(failure)?,
        ItemOf::List(list) => {
            let mut list = list.into_iter();
            while let Some(item) = list.next() {
                if let Some(waits) = flatten_now(item, out)? {
                    return Ok(Some(ItemOf::List(std::iter::once(waits).chain(list).collect())));
                }
            }
        }
        waits => return Ok(Some(waits)),
    }
    Ok(None)
}

/// Adds all of an item, waiting where it must. What fails is an error at its place, and what follows still comes.
fn flatten<P: Piece>(item: ItemOf<P>, out: &End<P>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    Box::pin(async move {
        match item {
            ItemOf::Sequence(sequence) => {
                let mut reader = sequence.reader();
                while let Some(piece) = reader.next().await {
                    let added = match piece {
                        Ok(promise) => out.append(promise),
                        Err(failure) => out.append_error(failure),
                    };
                    if added.is_err() {
                        return;
                    }
                }
            }
            ItemOf::List(list) => {
                for item in list {
                    flatten(item, out).await;
                }
            }
            ItemOf::Iter(mut iter) => loop {
                match catch_unwind(AssertUnwindSafe(|| iter.next())) {
                    Ok(Some(item)) => flatten(item, out).await,
                    Ok(None) => return,
                    Err(panic) => {
                        let _ = out.append_error(Failure::from_panic(&*panic));
                        return;
                    }
                }
            },
            ItemOf::Stream(mut stream) => loop {
                match guarded(|| poll_fn(|cx| stream.as_mut().poll_next(cx))).await {
                    Ok(Some(item)) => flatten(item, out).await,
                    Ok(None) => return,
                    Err(panic) => {
                        let _ = out.append_error(panic);
                        return;
                    }
                }
            },
            ItemOf::Future(future) => match guarded(|| future).await {
                Ok(item) => flatten(item, out).await,
                Err(panic) => {
                    let _ = out.append_error(panic);
                }
            },
            // Fails only once it is cancelled: then nobody reads it.
            there => drop(flatten_now(there, out)),
        }
    })
}
