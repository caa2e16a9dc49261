//! One consumer for any number of runs.
//!
//! A run that has something new puts its number into a queue, once; the consumer looks only at those. So a thousand runs
//! cost one thread or task, and one that is quiet costs nothing.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use thalweg_log::{Batch, Cursor};

use crate::run::{Event, Run, next_step};

/// The consumer: it reads many runs, each as far as it has come. `T` is what the caller wants to know a run by.
///
/// ```no_run
/// # async fn example(agents: Vec<thalweg::Agent>) -> Result<(), thalweg::Error> {
/// let mut drain = thalweg::Drain::new();
/// for (number, agent) in agents.iter().enumerate() {
///     drain.feed().add(&agent.prompt("Say hello.")?, number);
/// }
/// while drain.ready().await {
///     drain.for_each(|source| {
///         let number = *source.tag();
///         while let Some(event) = source.next() {
///             println!("{number}: {:?}", event.view);
///         }
///     });
/// }
/// # Ok(())
/// # }
/// ```
pub struct Drain<T> {
    shared: Arc<Shared<T>>,
    sources: HashMap<u64, Source<T>>,
    /// Numbers of the runs that have something.
    ready: Vec<u64>,
    /// Numbers of the runs that were looked at last.
    seen: Vec<u64>,
}

/// Where runs are handed to a [`Drain`], from any thread. Clones lead to the same one.
pub struct Feed<T> {
    shared: Arc<Shared<T>>,
}

/// One run in a [`Drain`].
pub struct Source<T> {
    number: u64,
    tag: T,
    cursor: Cursor,
    waker: Waker,
    /// Whether the caller has seen that it is over.
    is_told: bool,
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    came: Condvar,
}

struct Queue<T> {
    /// Numbers of runs that have something new.
    ready: Vec<u64>,
    /// Runs that the consumer does not know yet.
    fresh: Vec<Source<T>>,
    /// The consumer, if it is a task that sleeps.
    waker: Option<Waker>,
    next_number: u64,
}

/// Wakes the consumer for one run.
struct Ticket<T> {
    number: u64,
    shared: Weak<Shared<T>>,
}

impl<T: Send + 'static> Wake for Ticket<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.put(|queue| queue.ready.push(self.number));
        }
    }
}

impl<T> Queue<T> {
    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.fresh.is_empty()
    }
}

impl<T> Shared<T> {
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something into the queue, and wakes the consumer if it was empty.
    fn put(&self, put: impl FnOnce(&mut Queue<T>)) {
        let waker = {
            let mut queue = self.queue();
            let was_empty = queue.is_empty();
            put(&mut queue);
            if !was_empty {
                return;
            }
            queue.waker.take()
        };
        self.came.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> Drain<T> {
    /// A consumer without runs.
    #[must_use]
    pub fn new() -> Self {
        let queue = Queue { ready: Vec::new(), fresh: Vec::new(), waker: None, next_number: 0 };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), came: Condvar::new() });
        Self { shared, sources: HashMap::new(), ready: Vec::new(), seen: Vec::new() }
    }

    /// Where runs are handed in.
    #[must_use]
    pub fn feed(&self) -> Feed<T> {
        Feed { shared: Arc::clone(&self.shared) }
    }

    /// Runs in it that are not over, or were not read to their end.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len() + self.shared.queue().fresh.len()
    }

    /// Whether there is no such run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `look` for each run that has something new or is over; gives how many these are. Never waits. What `look` does
    /// not read stays for the next time. A run is gone once [`Source::is_over`] has said that it is over, or there was nothing
    /// left to read of it when it was shown.
    pub fn for_each(&mut self, mut look: impl FnMut(&mut Source<T>)) -> usize {
        self.gather();
        self.seen.append(&mut self.ready);
        let mut looked_at = 0;
        self.seen.retain(|number| {
            let Some(source) = self.sources.get_mut(number) else { return false };
            // A wake for nothing: it is asleep again.
            if source.poll_ready().is_pending() {
                return false;
            }
            source.is_told |= source.cursor.is_drained();
            look(source);
            looked_at += 1;
            true
        });
        looked_at
    }

    /// Ready with `true` when [`Drain::for_each`] has something to show, with `false` when no run is left; else the waker
    /// is called once when that changes.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.poll_more(cx).is_ready() {
            return Poll::Ready(true);
        }
        if self.sources.is_empty() { Poll::Ready(false) } else { Poll::Pending }
    }

    /// As [`Drain::poll_ready`], but also waits while there is no run, for the next one that is handed in.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.gather();
        if !self.ready.is_empty() {
            return Poll::Ready(());
        }
        let mut queue = self.shared.queue();
        if !queue.is_empty() {
            return Poll::Ready(());
        }
        let before = queue.waker.replace(cx.waker().clone());
        drop(queue);
        // Outside of the lock: it may run anything.
        drop(before);
        Poll::Pending
    }

    /// Waits until [`Drain::for_each`] has something to show (`true`), or no run is left (`false`). Cancel-safe.
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// As [`Drain::ready`], but blocks the thread. Not for async code.
    pub fn wait(&mut self) -> bool {
        self.gather();
        let is_over = self.ready.is_empty() && self.sources.is_empty();
        !is_over && self.wait_until(None)
    }

    /// Waits until there is something to show, also while there is no run; gives up with `false` after `timeout`.
    pub fn wait_timeout(&mut self, timeout: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// As [`Drain::wait_timeout`], up to a moment; without one it waits as long as it takes.
    pub fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        self.gather();
        if !self.ready.is_empty() {
            return true;
        }
        let mut queue = self.shared.queue();
        while queue.is_empty() {
            let Some(deadline) = deadline else {
                queue = self.shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.shared.came.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Notes which runs have something: those looked at last that were not read to the end, and those of the queue.
    fn gather(&mut self) {
        for number in std::mem::take(&mut self.seen) {
            let Some(source) = self.sources.get_mut(&number) else { continue };
            // One that ended behind the last look is shown once more.
            if source.is_told {
                self.sources.remove(&number);
            } else if source.poll_ready().is_ready() {
                self.ready.push(number);
            }
        }
        let fresh = {
            let mut queue = self.shared.queue();
            self.ready.append(&mut queue.ready);
            std::mem::take(&mut queue.fresh)
        };
        for source in fresh {
            self.ready.push(source.number);
            self.sources.insert(source.number, source);
        }
        if self.ready.len() > 1 {
            // A wake for nothing may have put a number there twice.
            self.ready.sort_unstable();
            self.ready.dedup();
        }
        self.ready.retain(|number| self.sources.contains_key(number));
    }
}

impl<T: Send + 'static> Feed<T> {
    /// Hands in a run, from its first event, also one that is over. Again adds it once more.
    pub fn add(&self, run: &Run, tag: T) {
        self.add_cursor(run.cursor(), tag);
    }

    /// Hands in a run from where `cursor` stands.
    pub fn add_cursor(&self, cursor: Cursor, tag: T) {
        self.shared.put(|queue| {
            let number = queue.next_number;
            queue.next_number += 1;
            let waker = Waker::from(Arc::new(Ticket { number, shared: Arc::downgrade(&self.shared) }));
            queue.fresh.push(Source { number, tag, cursor, waker, is_told: false });
        });
    }
}

impl<T> Source<T> {
    /// What it was handed in with.
    pub const fn tag(&mut self) -> &mut T {
        &mut self.tag
    }

    /// The next step of the run; `None` when all that is there was read.
    #[expect(clippy::should_implement_trait, reason = "the event borrows from the log, which no iterator can say")]
    pub fn next(&mut self) -> Option<Event<'_>> {
        next_step(&mut self.cursor)
    }

    /// Entries of the log as they stand, as [`Run::cursor`] gives them; what is not taken stays.
    pub fn batch(&mut self) -> Batch<'_> {
        self.cursor.batch()
    }

    /// Both of [`Source::batch`] and [`Source::tag`], for who keeps something of the entries with the run.
    pub fn parts(&mut self) -> (&mut T, &mut Cursor) {
        (&mut self.tag, &mut self.cursor)
    }

    /// Whether the run is over and all was read.
    pub fn is_over(&mut self) -> bool {
        let is_over = self.cursor.is_drained();
        self.is_told |= is_over;
        is_over
    }

    fn poll_ready(&mut self) -> Poll<bool> {
        self.cursor.poll_ready(&mut Context::from_waker(&self.waker))
    }
}

impl<T: Send + 'static> Default for Drain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for Drain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("runs", &self.sources.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for Source<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("tag", &self.tag).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
