//! The mailbox: a table of what each kind does when it is full, and what waiting senders see.
#![cfg(not(loom))]

mod support;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use support::{Diary, Order, Probe, probe, settle, system};
use thalweg_actor::{
    Counters, DeadLetters, Envelope, LastDeadLetters, Mailbox, Overflow, Push, Queue, Refused, Spec, System, TellError,
    Ticket, Undelivered,
};
use tokio::task::JoinHandle;

/// `capacity` (0: unbounded), what happens when full, what is pushed, what comes of each push, what is left.
struct Case {
    name: &'static str,
    capacity: usize,
    overflow: Overflow,
    pushes: &'static [u32],
    outcomes: &'static str,
    left: &'static [u32],
    counters: Counters,
}

const NONE: Counters = Counters { dropped_newest: 0, dropped_oldest: 0, refused: 0 };

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "unbounded takes all", capacity: 0, overflow: Overflow::Fail, pushes: &[1, 2, 3], outcomes: "qqq", left: &[1, 2, 3], counters: NONE },
    Case { name: "room for all", capacity: 3, overflow: Overflow::Fail, pushes: &[1, 2, 3], outcomes: "qqq", left: &[1, 2, 3], counters: NONE },
    Case { name: "fail says full", capacity: 2, overflow: Overflow::Fail, pushes: &[1, 2, 3, 4], outcomes: "qqFF", left: &[1, 2], counters: Counters { refused: 2, ..NONE } },
    Case { name: "block says full to those who cannot wait", capacity: 1, overflow: Overflow::Block, pushes: &[1, 2], outcomes: "qF", left: &[1], counters: NONE },
    Case { name: "newest is dropped", capacity: 2, overflow: Overflow::DropNewest, pushes: &[1, 2, 3, 4], outcomes: "qqnn", left: &[1, 2], counters: Counters { dropped_newest: 2, ..NONE } },
    Case { name: "oldest is dropped", capacity: 2, overflow: Overflow::DropOldest, pushes: &[1, 2, 3, 4], outcomes: "qqoo", left: &[3, 4], counters: Counters { dropped_oldest: 2, ..NONE } },
    Case { name: "oldest of one", capacity: 1, overflow: Overflow::DropOldest, pushes: &[1, 2, 3], outcomes: "qoo", left: &[3], counters: Counters { dropped_oldest: 2, ..NONE } },
];

fn queue(capacity: usize, overflow: Overflow) -> Queue<u32> {
    if capacity == 0 { Queue::unbounded() } else { Queue::bounded(capacity, overflow) }
}

#[test]
fn a_full_mailbox_does_what_it_is_set_to() {
    for case in CASES {
        let mailbox = queue(case.capacity, case.overflow);
        let outcome = |number: &u32| match mailbox.push(*number) {
            Ok(Push::Queued) => 'q',
            Ok(Push::DroppedNewest(dropped)) if dropped == *number => 'n',
            Ok(Push::DroppedOldest(dropped)) if dropped < *number => 'o',
            Err(Refused::Full(back)) if back == *number => 'F',
            other => panic!("{}: {other:?}", case.name),
        };
        assert_eq!(case.pushes.iter().map(outcome).collect::<String>(), case.outcomes, "{}", case.name);
        assert_eq!(mailbox.len(), case.left.len(), "{}", case.name);
        assert_eq!(mailbox.counters(), case.counters, "{}", case.name);
        assert_eq!(std::iter::from_fn(|| mailbox.pop()).collect::<Vec<_>>(), case.left, "{}", case.name);
        assert!(mailbox.is_empty(), "{}", case.name);
    }
}

#[test]
fn a_closed_mailbox_refuses_but_hands_out_what_it_holds() {
    for overflow in [Overflow::Block, Overflow::DropNewest, Overflow::DropOldest, Overflow::Fail] {
        let mailbox = queue(1, overflow);
        assert_eq!(mailbox.push(1), Ok(Push::Queued));
        mailbox.close();
        assert_eq!(mailbox.push(2), Err(Refused::Closed(2)));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = mailbox.poll_push(&mut cx, &mut Some(3), &mut Ticket::default());
        assert_eq!(polled, Poll::Ready(Err(Refused::Closed(3))), "{overflow:?}");
        assert_eq!(mailbox.poll_pop(&mut cx), Poll::Ready(Some(1)));
        assert_eq!(mailbox.poll_pop(&mut cx), Poll::Ready(None));
    }
}

#[tokio::test]
async fn a_sender_waits_for_room_and_those_that_wait_are_served_in_turn() {
    let mailbox = Arc::new(queue(1, Overflow::Block));
    mailbox.push(0).unwrap();
    let senders: Vec<_> = (1..=3)
        .map(|number| {
            let mailbox = mailbox.clone();
            tokio::spawn(async move {
                let (mut item, mut ticket) = (Some(number), Ticket::default());
                poll_fn(|cx| mailbox.poll_push(cx, &mut item, &mut ticket)).await.unwrap();
            })
        })
        .collect();
    settle().await;
    let mut seen = Vec::new();
    while let Some(number) = mailbox.pop() {
        seen.push(number);
        settle().await;
    }
    assert_eq!(seen, [0, 1, 2, 3]);
    assert!(senders.iter().all(JoinHandle::is_finished));
}

#[tokio::test]
async fn a_sender_that_gives_up_passes_its_turn_on() {
    // The first in the line was woken for room, and goes away instead of using it.
    let mailbox = queue(1, Overflow::Block);
    mailbox.push(0).unwrap();
    let woken = Arc::new(Counter(AtomicU64::new(0)));
    let waker = Waker::from(woken.clone());
    let (mut first, mut second) = (Ticket::default(), Ticket::default());
    assert!(mailbox.poll_push(&mut Context::from_waker(Waker::noop()), &mut Some(1), &mut first).is_pending());
    assert!(mailbox.poll_push(&mut Context::from_waker(&waker), &mut Some(2), &mut second).is_pending());
    assert_eq!(mailbox.pop(), Some(0));
    assert_eq!(woken.0.load(Ordering::SeqCst), 0, "the room is for the first");
    mailbox.give_up(&mut first);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "and then for the second");
    // One that gives up while it waits takes nobody's turn.
    assert!(mailbox.poll_push(&mut Context::from_waker(&waker), &mut Some(2), &mut second).is_ready());
    let mut third = Ticket::default();
    assert!(mailbox.poll_push(&mut Context::from_waker(&waker), &mut Some(3), &mut third).is_pending());
    mailbox.give_up(&mut third);
    assert_eq!(mailbox.pop(), Some(2));
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn closing_tells_those_that_wait() {
    let system = system();
    let diary = Diary::default();
    let actor = system.spawn(probe("busy", &diary).bounded(1, Overflow::Block)).unwrap();
    actor.tell(Order::Hang).await.unwrap();
    settle().await;
    actor.tell(Order::Note("fills")).await.unwrap();
    let waiting = tokio::spawn({
        let actor = actor.clone();
        async move { actor.tell(Order::Note("waits")).await }
    });
    settle().await;
    assert!(!waiting.is_finished());
    actor.kill();
    assert_eq!(waiting.await.unwrap(), Err(TellError::Closed));
    assert_eq!(diary.text(), "");
}

#[tokio::test]
async fn signals_overtake_messages() {
    let system = system();
    let diary = Diary::default();
    let watched = system.spawn(probe("watched", &diary)).unwrap();
    let actor = system.spawn(probe("actor", &diary)).unwrap();
    for text in ["one", "two"] {
        actor.try_tell(Order::Note(text)).unwrap();
    }
    actor.stop();
    let end = actor.terminated().await;
    assert_eq!((end.path.as_str(), support::why(&end.reason).as_str()), ("/user/actor", "stopped"));
    assert_eq!(diary.text(), "actor stopped");
    assert_eq!(system.dead_letters().count(), 2);
    watched.stop();
    system.stop().await;
}

#[tokio::test]
async fn what_is_dropped_ends_among_the_dead_letters() {
    let letters = Arc::new(LastDeadLetters::new(8));
    let system = System::builder("test").dead_letters(letters.clone()).build();
    let diary = Diary::default();
    let mut expected = Vec::new();
    for (name, overflow, why) in [
        ("newest", Overflow::DropNewest, Undelivered::DroppedNewest),
        ("oldest", Overflow::DropOldest, Undelivered::DroppedOldest),
        ("fails", Overflow::Fail, Undelivered::Full),
    ] {
        let actor = system.spawn(probe(name, &diary).bounded(1, overflow)).unwrap();
        actor.try_tell(Order::Note("kept")).unwrap();
        let told = actor.tell(Order::Note("over")).await;
        assert_eq!(told.is_err(), overflow == Overflow::Fail, "{name}");
        let which = if overflow == Overflow::DropOldest { "kept" } else { "over" };
        expected.push((format!("/user/{name}"), why, Order::Note(which)));
    }
    let seen = letters.take().into_iter().map(|letter| {
        let message = *letter.message.unwrap().downcast::<Order>().unwrap();
        (letter.to.to_string(), letter.why, message)
    });
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    system.stop().await;
}

#[tokio::test]
async fn only_the_last_dead_letters_are_kept_but_all_are_counted() {
    let letters = Arc::new(LastDeadLetters::new(2));
    let system = System::builder("test").dead_letters(letters.clone()).build();
    let actor = system.spawn(probe("gone", &Diary::default())).unwrap();
    actor.stop();
    actor.terminated().await;
    for _ in 0..5 {
        assert_eq!(actor.tell(Order::Count).await, Err(TellError::Closed));
    }
    assert_eq!((letters.count(), letters.take().len()), (5, 2));
}

/// A mailbox of one's own: the last message in is the first out.
struct Stack(Queue<Envelope<Order>>);

impl Mailbox<Envelope<Order>> for Stack {
    fn push(&self, item: Envelope<Order>) -> Result<Push<Envelope<Order>>, Refused<Envelope<Order>>> {
        let pushed = self.0.push(item)?;
        for _ in 1..self.0.len() {
            let oldest = self.0.pop().unwrap();
            self.0.push(oldest)?;
        }
        Ok(pushed)
    }

    fn blocks(&self) -> bool {
        self.0.blocks()
    }

    fn poll_push(
        &self,
        _: &mut Context<'_>,
        item: &mut Option<Envelope<Order>>,
        _: &mut Ticket,
    ) -> Poll<Result<Push<Envelope<Order>>, Refused<Envelope<Order>>>> {
        Poll::Ready(self.push(item.take().unwrap()))
    }

    fn give_up(&self, ticket: &mut Ticket) {
        self.0.give_up(ticket);
    }

    fn pop(&self) -> Option<Envelope<Order>> {
        self.0.pop()
    }

    fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<Envelope<Order>>> {
        self.0.poll_pop(cx)
    }

    fn wake(&self) {
        self.0.wake();
    }

    fn close(&self) {
        self.0.close();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }
}

#[tokio::test]
async fn an_actor_lives_with_any_mailbox() {
    let system = system();
    let diary = Diary::default();
    let made = diary.clone();
    let spec = Spec::new(move || Probe::new(&made)).with_mailbox(Stack(Queue::unbounded()));
    let actor = system.spawn(spec).unwrap();
    for text in ["one", "two", "three"] {
        actor.tell(Order::Note(text)).await.unwrap();
    }
    settle().await;
    // Every push turns the row around once: the last one is first.
    assert_eq!(diary.read()[0], "three");
    assert_eq!(diary.read().len(), 3);
    system.stop().await;
}

struct Counter(AtomicU64);

impl std::task::Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
