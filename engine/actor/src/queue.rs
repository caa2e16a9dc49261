//! The mailbox of the crate: a ring buffer behind a mutex, unbounded or bounded.
//!
//! A mutex and not tokio's channel: its sender cannot drop the oldest message, and its first block of 32 slots would be
//! most of what an idle actor costs. An empty queue has no heap memory. The lock is held for a few instructions, and
//! wakers are called after it is released.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::mailbox::{Counters, Mailbox, Overflow, Push, Refused, Ticket};
use crate::sync::{Mutex, MutexGuard, lock};

/// A first-in-first-out mailbox.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    capacity: usize,
    overflow: Overflow,
}

struct Inner<T> {
    items: VecDeque<T>,
    /// Set while the consumer sleeps.
    consumer: Option<Waker>,
    /// What only a mailbox has that was full.
    overflown: Option<Box<Overflown>>,
    closed: bool,
}

#[derive(Default)]
struct Overflown {
    counters: Counters,
    next: u64,
    /// Producers that wait for room, in the order of their tickets.
    wakers: VecDeque<(u64, Waker)>,
}

impl<T> Queue<T> {
    /// A mailbox that grows as long as there is memory.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX, Overflow::Fail)
    }

    /// A mailbox for `capacity` messages (at least one), and what it does when they are there.
    #[must_use]
    pub fn bounded(capacity: usize, overflow: Overflow) -> Self {
        let inner = Inner { items: VecDeque::new(), consumer: None, overflown: None, closed: false };
        Self { inner: Mutex::new(inner), capacity: capacity.max(1), overflow }
    }

    #[inline]
    fn admit(&self, mut inner: MutexGuard<'_, Inner<T>>, item: T) -> Result<Push<T>, Refused<T>> {
        if inner.closed {
            return Err(Refused::Closed(item));
        }
        if inner.items.len() < self.capacity {
            inner.items.push_back(item);
            let sleeper = inner.consumer.take();
            drop(inner);
            wake(sleeper);
            return Ok(Push::Queued);
        }
        if self.overflow == Overflow::Block {
            return Err(Refused::Full(item));
        }
        let counters = &mut inner.overflown.get_or_insert_default().counters;
        match self.overflow {
            Overflow::Block | Overflow::Fail => {
                counters.refused += 1;
                Err(Refused::Full(item))
            }
            Overflow::DropNewest => {
                counters.dropped_newest += 1;
                Ok(Push::DroppedNewest(item))
            }
            Overflow::DropOldest => {
                counters.dropped_oldest += 1;
                let oldest = inner.items.pop_front();
                inner.items.push_back(item);
                Ok(oldest.map_or(Push::Queued, Push::DroppedOldest))
            }
        }
    }
}

impl<T: Send> Mailbox<T> for Queue<T> {
    fn push(&self, item: T) -> Result<Push<T>, Refused<T>> {
        self.admit(lock(&self.inner), item)
    }

    fn blocks(&self) -> bool {
        self.overflow == Overflow::Block
    }

    fn poll_push(
        &self,
        cx: &mut Context<'_>,
        item: &mut Option<T>,
        ticket: &mut Ticket,
    ) -> Poll<Result<Push<T>, Refused<T>>> {
        let mut inner = lock(&self.inner);
        if self.overflow == Overflow::Block && inner.items.len() >= self.capacity && !inner.closed {
            inner.overflown.get_or_insert_default().register(ticket, cx.waker());
            return Poll::Pending;
        }
        match item.take() {
            Some(item) => Poll::Ready(self.admit(inner, item)),
            None => Poll::Pending,
        }
    }

    fn give_up(&self, ticket: &mut Ticket) {
        let Some(number) = ticket.0.take() else { return };
        let mut inner = lock(&self.inner);
        let room = inner.items.len() < self.capacity;
        let Some(waiting) = inner.overflown.as_mut() else { return };
        // Registered still: nobody woke it. Else it was woken for room: if it did not use it, the next one may.
        let next = match waiting.wakers.iter().position(|(other, _)| *other == number) {
            Some(place) => {
                waiting.wakers.remove(place);
                None
            }
            None if room => waiting.wakers.pop_front().map(|(_, waker)| waker),
            None => None,
        };
        drop(inner);
        wake(next);
    }

    fn pop(&self) -> Option<T> {
        let mut inner = lock(&self.inner);
        let item = inner.items.pop_front()?;
        let producer = inner.next_producer();
        drop(inner);
        wake(producer);
        Some(item)
    }

    fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut inner = lock(&self.inner);
        if let Some(item) = inner.items.pop_front() {
            let producer = inner.next_producer();
            drop(inner);
            wake(producer);
            return Poll::Ready(Some(item));
        }
        if inner.closed {
            return Poll::Ready(None);
        }
        match &mut inner.consumer {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake(&self) {
        let sleeper = lock(&self.inner).consumer.take();
        wake(sleeper);
    }

    fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let sleeper = inner.consumer.take();
        let waiting = inner.overflown.as_mut().map(|overflown| std::mem::take(&mut overflown.wakers));
        drop(inner);
        wake(sleeper);
        for (_, waker) in waiting.into_iter().flatten() {
            waker.wake();
        }
    }

    fn len(&self) -> usize {
        lock(&self.inner).items.len()
    }

    fn counters(&self) -> Counters {
        lock(&self.inner).overflown.as_ref().map_or_else(Counters::default, |overflown| overflown.counters)
    }
}

impl<T> Inner<T> {
    /// Whom the room that just came up is for.
    #[inline]
    fn next_producer(&mut self) -> Option<Waker> {
        self.overflown.as_mut()?.wakers.pop_front().map(|(_, waker)| waker)
    }
}

impl Overflown {
    fn register(&mut self, ticket: &mut Ticket, waker: &Waker) {
        let number = *ticket.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.wakers.iter_mut().find(|(other, _)| *other == number) {
            Some((_, old)) => old.clone_from(waker),
            None => self.wakers.push_back((number, waker.clone())),
        }
    }
}

#[inline]
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
