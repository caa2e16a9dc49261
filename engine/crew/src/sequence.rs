//! Messages in a row, some of them still on their way.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use thalweg_actor::Failure;
use thalweg_log::Entry;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::crew::Crew;
use crate::item::Item;
use crate::message::Message;
use crate::message_promise::MessagePromise;
use crate::pieces::{Appender, Cancelled, Closed, Piece, Reader, Shared, lock, pieces};
use crate::promise::guarded;
use crate::single_text::SingleText;

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

/// A sequence of messages that any number of readers see, each from the first one on. Cheap to clone.
#[derive(Clone)]
pub struct Sequence(Arc<Inner>);

struct Inner {
    crew: Crew,
    pieces: Arc<Shared<MessagePromise>>,
    /// What it does once somebody reads it, if it has not begun.
    start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Who is stopped when it is cancelled.
    tasks: Arc<Tasks>,
}

/// What belongs to a sequence and ends with it.
#[derive(Default)]
struct Tasks {
    own: Mutex<Vec<AbortHandle>>,
    /// The replies of those that were called on its behalf.
    children: Mutex<Vec<Child>>,
}

/// A sequence that may be gone, and what fills it.
struct Child {
    replies: Weak<Inner>,
    tasks: Arc<Tasks>,
}

impl Tasks {
    /// Those that are done make room before it would grow: a loop may add for ever.
    fn add(&self, task: AbortHandle) {
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
        own.iter().for_each(AbortHandle::abort);
        for child in children {
            match child.replies.upgrade() {
                Some(replies) => Sequence(replies).cancel(),
                None => child.tasks.stop(),
            }
        }
    }

    fn is_idle(&self) -> bool {
        lock(&self.own).iter().all(AbortHandle::is_finished) && lock(&self.children).iter().all(Child::is_over)
    }
}

impl Child {
    fn is_over(&self) -> bool {
        self.replies.strong_count() == 0 && self.tasks.is_idle()
    }
}

impl Sequence {
    /// What is given, flattened. What is there at once needs no task; in a crew that starts on request, what is on its
    /// way is started by the first reader.
    pub fn of(crew: &Crew, items: impl Into<Item>) -> Self {
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
    pub fn channel(crew: &Crew) -> (SequenceWriter, Self) {
        Self::with_end(crew, None)
    }

    /// The same, where messages are made of errors.
    pub(crate) fn channel_without_errors(crew: &Crew) -> (SequenceWriter, Self) {
        Self::with_end(crew, Some(crew.clone()))
    }

    fn with_end(crew: &Crew, errors_as_messages: Option<Crew>) -> (SequenceWriter, Self) {
        let pieces = pieces(0);
        let tasks = Arc::new(Tasks::default());
        let end = Arc::new(End { pieces: pieces.clone(), errors_as_messages });
        let inner = Inner { crew: crew.clone(), pieces, start: Mutex::new(None), tasks: tasks.clone() };
        (SequenceWriter { crew: crew.clone(), end, tasks, queue: Mutex::new(None) }, Self(Arc::new(inner)))
    }

    /// The same, but `start` is called before the first reader.
    pub(crate) fn starting(self, start: impl FnOnce() + Send + 'static) -> Self {
        *lock(&self.0.start) = Some(Box::new(start));
        self
    }

    pub(crate) fn stops(&self, task: AbortHandle) {
        self.0.tasks.add(task);
    }

    /// A reader of all messages, from the first one on.
    #[must_use]
    pub fn reader(&self) -> Reader<MessagePromise> {
        let start = lock(&self.0.start).take();
        if let Some(start) = start {
            start();
        }
        self.0.pieces.reader()
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

    /// Stops whatever adds to it, and those that it called. Readers get [`Cancelled`] behind what is there.
    pub fn cancel(&self) {
        drop(lock(&self.0.start).take());
        // Not with the lock held: what is dropped may add to it.
        let _ = self.0.pieces.append_error(Cancelled.into());
        self.0.pieces.close();
        self.0.tasks.stop();
    }
}

/// Closes the log once everybody that may add to it is gone.
struct End {
    pieces: Arc<Shared<MessagePromise>>,
    /// Where messages are made of errors, if they are.
    errors_as_messages: Option<Crew>,
}

impl End {
    fn append(&self, promise: MessagePromise) -> Result<(), Closed> {
        self.pieces.append(match &self.errors_as_messages {
            Some(crew) => promise.with_errors_as_text(crew),
            None => promise,
        })
    }

    fn append_error(&self, failure: Failure) -> Result<(), Closed> {
        match &self.errors_as_messages {
            Some(_) => self.pieces.append(MessagePromise::made(Message::error(failure.to_string()))),
            None => self.pieces.append_error(failure),
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.pieces.close();
    }
}

/// The end of a sequence where items are added. The sequence ends when it is dropped and all that was added is there.
pub struct SequenceWriter {
    crew: Crew,
    end: Arc<End>,
    tasks: Arc<Tasks>,
    /// To the task that flattens in order; there is none before something has to be waited for.
    queue: Mutex<Option<mpsc::UnboundedSender<Item>>>,
}

impl SequenceWriter {
    /// Adds items behind those that were added before, whichever is there first.
    ///
    /// # Errors
    /// [`Closed`] if the sequence was cancelled.
    pub fn append(&self, item: impl Into<Item>) -> Result<(), Closed> {
        self.append_item(item.into())
    }

    fn append_item(&self, item: Item) -> Result<(), Closed> {
        if Appender(self.end.pieces.clone()).is_closed() {
            return Err(Closed);
        }
        let mut queue = lock(&self.queue);
        if let Some(queue) = &*queue {
            return queue.send(item).map_err(|_| Closed);
        }
        let Some(waits) = flatten_now(item, &self.end)? else { return Ok(()) };
        let (sender, mut items) = mpsc::unbounded_channel();
        // The receiver lies in the next line.
        let _ = sender.send(waits);
        let end = self.end.clone();
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
    pub fn append_out_of_order(&self, item: impl Into<Item>) -> Result<(), Closed> {
        if Appender(self.end.pieces.clone()).is_closed() {
            return Err(Closed);
        }
        let (item, end) = (item.into(), self.end.clone());
        self.spawn(async move {
            // What is in order goes first if both are there.
            step_back().await;
            flatten(item, &end).await;
        });
        Ok(())
    }

    /// Cancels another sequence with this one.
    pub(crate) fn takes_along(&self, other: &Sequence) {
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
        let end = self.end.clone();
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
fn flatten_now(item: Item, out: &End) -> Result<Option<Item>, Closed> {
    match item {
        Item::Message(message) => out.append(MessagePromise::made(message))?,
        Item::Promise(promise) => out.append(promise)?,
        Item::Error(failure) => out.append_error(failure)?,
        Item::List(list) => {
            let mut list = list.into_iter();
            while let Some(item) = list.next() {
                if let Some(waits) = flatten_now(item, out)? {
                    return Ok(Some(Item::List(std::iter::once(waits).chain(list).collect())));
                }
            }
        }
        waits => return Ok(Some(waits)),
    }
    Ok(None)
}

/// Adds all of an item, waiting where it must. What fails is an error at its place, and what follows still comes.
fn flatten(item: Item, out: &End) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    Box::pin(async move {
        match item {
            Item::Sequence(sequence) => {
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
            Item::List(list) => {
                for item in list {
                    flatten(item, out).await;
                }
            }
            Item::Iter(mut iter) => loop {
                match catch_unwind(AssertUnwindSafe(|| iter.next())) {
                    Ok(Some(item)) => flatten(item, out).await,
                    Ok(None) => return,
                    Err(panic) => {
                        let _ = out.append_error(Failure::from_panic(&*panic));
                        return;
                    }
                }
            },
            Item::Stream(mut stream) => loop {
                match guarded(|| poll_fn(|cx| stream.as_mut().poll_next(cx))).await {
                    Ok(Some(item)) => flatten(item, out).await,
                    Ok(None) => return,
                    Err(panic) => {
                        let _ = out.append_error(panic);
                        return;
                    }
                }
            },
            Item::Future(future) => match guarded(|| future).await {
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
