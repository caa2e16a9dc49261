//! The mailbox under the model checker: no message and no wake is lost, whichever thread goes first.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Notify};
use loom::thread;

use crate::mailbox::{Mailbox, Overflow, Push, Refused, Ticket};
use crate::queue::Queue;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(body);
}

struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.notify();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let bell = StdArc::new(Bell(Notify::new()));
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => bell.0.wait(),
        }
    }
}

fn pop(queue: &Queue<u32>) -> Option<u32> {
    block_on(poll_fn(|cx| queue.poll_pop(cx)))
}

fn push(queue: &Queue<u32>, item: u32) -> Result<Push<u32>, Refused<u32>> {
    let (mut item, mut ticket) = (Some(item), Ticket::default());
    block_on(poll_fn(|cx| queue.poll_push(cx, &mut item, &mut ticket)))
}

#[test]
fn a_sleeping_consumer_sees_every_message() {
    model(|| {
        let queue = Arc::new(Queue::unbounded());
        let producers: Vec<_> = (1..=2)
            .map(|number| {
                let queue = queue.clone();
                thread::spawn(move || assert_eq!(queue.push(number), Ok(Push::Queued)))
            })
            .collect();
        let sum = pop(&queue).unwrap() + pop(&queue).unwrap();
        assert_eq!(sum, 3);
        for producer in producers {
            producer.join().unwrap();
        }
    });
}

#[test]
fn a_producer_that_waits_for_room_gets_it() {
    model(|| {
        let queue = Arc::new(Queue::bounded(1, Overflow::Block));
        let producer = thread::spawn({
            let queue = queue.clone();
            move || {
                for number in 1..=2 {
                    assert_eq!(push(&queue, number), Ok(Push::Queued));
                }
            }
        });
        assert_eq!((pop(&queue), pop(&queue)), (Some(1), Some(2)));
        producer.join().unwrap();
    });
}

#[test]
fn closing_wakes_both_sides() {
    model(|| {
        let queue = Arc::new(Queue::bounded(1, Overflow::Block));
        assert_eq!(queue.push(1), Ok(Push::Queued));
        let producer = thread::spawn({
            let queue = queue.clone();
            move || push(&queue, 2)
        });
        let closer = thread::spawn({
            let queue = queue.clone();
            move || queue.close()
        });
        let mut seen = Vec::new();
        while let Some(number) = pop(&queue) {
            seen.push(number);
        }
        closer.join().unwrap();
        match producer.join().unwrap() {
            Ok(Push::Queued) => assert_eq!(seen, [1, 2]),
            Err(Refused::Closed(2)) => assert_eq!(seen, [1]),
            other => panic!("{other:?}"),
        }
    });
}

/// As the runner sleeps: it registers with the mailbox, then looks at the flag; a signal sets the flag, then wakes.
#[test]
fn a_signal_wakes_an_actor_that_falls_asleep() {
    model(|| {
        let queue: Arc<Queue<u32>> = Arc::new(Queue::unbounded());
        let signalled = Arc::new(AtomicBool::new(false));
        let sender = thread::spawn({
            let (queue, signalled) = (queue.clone(), signalled.clone());
            move || {
                signalled.store(true, Ordering::Release);
                queue.wake();
            }
        });
        block_on(poll_fn(|cx| {
            if signalled.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            assert!(queue.poll_pop(cx).is_pending());
            if signalled.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        }));
        sender.join().unwrap();
    });
}

/// The first in the line goes away just as it is woken: the second gets the room.
#[test]
fn a_turn_that_is_given_up_is_not_lost() {
    model(|| {
        let queue = Arc::new(Queue::bounded(1, Overflow::Block));
        assert_eq!(queue.push(0), Ok(Push::Queued));
        let mut first = Ticket::default();
        let mut waiting = pin!(poll_fn(|cx| queue.poll_push(cx, &mut Some(1), &mut first)));
        let polled = block_on(poll_fn(|cx: &mut Context<'_>| Poll::Ready(waiting.as_mut().poll(cx).is_pending())));
        assert!(polled);
        let second = thread::spawn({
            let queue = queue.clone();
            move || push(&queue, 2)
        });
        let consumer = thread::spawn({
            let queue = queue.clone();
            move || (pop(&queue), pop(&queue))
        });
        queue.give_up(&mut first);
        assert_eq!(second.join().unwrap(), Ok(Push::Queued));
        assert_eq!(consumer.join().unwrap(), (Some(0), Some(2)));
    });
}

/// Without a bound the models do not end in reasonable time, and bugs of this kind show with one or two.
const PREEMPTIONS: usize = 3;
