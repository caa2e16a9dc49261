//! Actors from outside: told, asked, forwarded to, watched, stopped; names, state, two systems side by side.
#![cfg(not(loom))]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::{Diary, Order, Probe, probe, settle, system, why};
use thalweg_actor::{
    Actor, AskError, Context, Delivery, Failure, Message, Notice, Overflow, Ref, Responded, SpawnError, Spec, System,
    TellError,
};

#[tokio::test]
async fn messages_arrive_in_order_and_an_ask_is_answered() {
    let system = system();
    let diary = Diary::default();
    let actor = system.spawn(probe("a", &diary)).unwrap();
    for text in ["one", "two", "three"] {
        actor.tell(Order::Note(text)).await.unwrap();
    }
    assert_eq!(actor.ask(Order::Note("four")).await.unwrap(), "four");
    assert_eq!(diary.text(), "one two three four");
    assert_eq!(actor.load(), 0);
    system.stop().await;
    assert_eq!(system.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_ask_never_hangs() {
    let diary = Diary::default();
    let system = system();
    for (name, order, expected) in [
        ("silent", Order::Sleep(1), AskError::NoReply),
        ("fails", Order::Fail("x"), AskError::NoReply),
        ("panics", Order::Panic("x"), AskError::NoReply),
        ("hangs", Order::Hang, AskError::Deadline(Duration::from_millis(20))),
    ] {
        let actor = system.spawn(probe(name, &diary)).unwrap();
        assert_eq!(actor.ask_within(order, Duration::from_millis(20)).await, Err(expected), "{name}");
        actor.kill();
        actor.terminated().await;
        assert_eq!(actor.ask(Order::Count).await, Err(AskError::Closed), "{name}");
    }
    let actor = system.spawn(probe("left", &diary)).unwrap();
    let asked = tokio::spawn({
        let actor = actor.clone();
        async move { actor.ask(Order::Count).await }
    });
    actor.try_tell(Order::Hang).unwrap();
    settle().await;
    actor.kill();
    assert_eq!(asked.await.unwrap(), Err(AskError::NoReply), "it waited in the mailbox when the actor was killed");
}

/// Hands what it gets to another one; what it is told by it, it writes down.
struct Clerk {
    boss: Ref<Order>,
    diary: Diary,
}

enum Letter {
    Forward(Order),
    Send(Order),
    Answer(String),
}

impl Message for Letter {
    type Reply = String;
}

impl From<String> for Letter {
    fn from(answer: String) -> Self {
        Self::Answer(answer)
    }
}

impl Actor for Clerk {
    type Message = Letter;

    async fn receive(&mut self, letter: Delivery<'_, Letter>, context: &mut Context<Letter>) -> Result<(), Failure> {
        match letter.take() {
            Letter::Forward(order) => context.forward(&self.boss, order).await?,
            Letter::Send(order) => context.tell(&self.boss, order).await?,
            Letter::Answer(answer) => {
                self.diary.note(format!("answer {answer}"));
                assert_eq!(context.respond("to nobody".into()), Responded::Nobody);
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_is_forwarded_is_answered_to_the_first_asker_and_what_is_sent_to_the_sender() {
    let system = system();
    let diary = Diary::default();
    let boss = system.spawn(probe("boss", &diary)).unwrap();
    let made = (boss, diary.clone());
    let clerk = system.spawn(Spec::new(move || Clerk { boss: made.0.clone(), diary: made.1.clone() })).unwrap();
    assert_eq!(clerk.ask(Letter::Forward(Order::Note("up"))).await.unwrap(), "up");
    clerk.tell(Letter::Send(Order::Note("mine"))).await.unwrap();
    settle().await;
    assert_eq!(diary.text(), "up mine answer mine");
    system.stop().await;
}

/// Answers twice, and later.
struct Late;

impl Actor for Late {
    type Message = Order;

    async fn receive(&mut self, order: Delivery<'_, Order>, context: &mut Context<Order>) -> Result<(), Failure> {
        if let Order::Count = *order {
            context.respond("first".into());
            assert_eq!(context.respond("second".into()), Responded::Twice);
            return Ok(());
        }
        let mut reply_to = context.defer();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(reply_to.respond("later".into()), Responded::Sent);
        });
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_once_and_may_come_later() {
    let system = system();
    let late = system.spawn(Spec::new(|| Late)).unwrap();
    let asked = tokio::spawn({
        let late = late.clone();
        async move { late.ask(Order::Hang).await }
    });
    settle().await;
    assert_eq!(late.ask(Order::Count).await.unwrap(), "first");
    assert_eq!(asked.await.unwrap().unwrap(), "later");
    system.stop().await;
}

/// Watches whom it is told to.
struct Guard(Diary);

enum Duty {
    Watch(Ref<Order>),
    Unwatch(Ref<Order>),
}

impl Message for Duty {
    type Reply = ();
}

impl Actor for Guard {
    type Message = Duty;

    async fn receive(&mut self, duty: Delivery<'_, Duty>, context: &mut Context<Duty>) -> Result<(), Failure> {
        match &*duty {
            Duty::Watch(whom) => context.watch(whom),
            Duty::Unwatch(whom) => context.unwatch(whom),
        }
        Ok(())
    }

    async fn notice(&mut self, notice: Notice, _: &mut Context<Duty>) -> Result<(), Failure> {
        if let Notice::Terminated(end) = notice {
            self.0.note(format!("{} {}", end.path.name(), why(&end.reason)));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn watch_table() {
    // w: watch, u: unwatch, s: stop, k: kill, f: fail for good, d: drain. What the watcher sees in the end.
    for (steps, seen) in [
        ("ws", "p stopped"),
        ("wk", "p killed"),
        ("wd", "p stopped"),
        ("wf", "p failed (for good)"),
        ("wws", "p stopped"),
        ("sw", "p stopped"),
        ("sww", "p stopped p stopped"),
        ("wus", ""),
        ("wuws", "p stopped"),
        ("us", ""),
        ("s", ""),
        ("wsu", "p stopped"),
        ("wss", "p stopped"),
    ] {
        let system = system();
        let diary = Diary::default();
        let made = diary.clone();
        let guard = system.spawn(Spec::new(move || Guard(made.clone()))).unwrap();
        let actor = system.spawn(probe("p", &Diary::default()).supervised(thalweg_actor::Stop)).unwrap();
        for step in steps.chars() {
            match step {
                'w' => guard.tell(Duty::Watch(actor.clone())).await.unwrap(),
                'u' => guard.tell(Duty::Unwatch(actor.clone())).await.unwrap(),
                's' => actor.stop(),
                'k' => actor.kill(),
                'd' => actor.drain(),
                _ => actor.tell(Order::Fail("for good")).await.unwrap(),
            }
            settle().await;
        }
        assert_eq!(diary.text(), seen, "{steps}");
        system.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_three_ways_to_end() {
    for (way, notes, left) in
        [("stop", "slept 10 p stopped", 2), ("drain", "slept 10 b c p stopped", 0), ("kill", "", 2)]
    {
        let system = system();
        let diary = Diary::default();
        let actor = system.spawn(probe("p", &diary)).unwrap();
        for order in [Order::Sleep(10), Order::Note("b"), Order::Note("c")] {
            actor.tell(order).await.unwrap();
        }
        settle().await;
        match way {
            "stop" => actor.stop(),
            "drain" => actor.drain(),
            _ => actor.kill(),
        }
        let before = tokio::time::Instant::now();
        actor.terminated().await;
        assert_eq!(before.elapsed() >= Duration::from_millis(10), way != "kill", "{way}");
        assert_eq!(diary.text(), notes, "{way}");
        assert_eq!(system.dead_letters().count(), left, "{way}");
        assert_eq!(actor.tell(Order::Count).await, Err(TellError::Closed));
    }
}

/// Spawns children that are told apart by name.
struct Parent(Diary);

struct Birth(&'static str);

impl Message for Birth {
    type Reply = Ref<Order>;
}

impl Actor for Parent {
    type Message = Birth;

    async fn receive(&mut self, birth: Delivery<'_, Birth>, context: &mut Context<Birth>) -> Result<(), Failure> {
        let child = context.spawn(probe(birth.0, &self.0))?;
        context.respond(child);
        Ok(())
    }

    async fn stopped(&mut self, _: &thalweg_actor::Reason, context: &mut Context<Birth>) {
        self.0.note(format!("parent, {} left", context.children().len()));
    }
}

#[tokio::test]
async fn children_stop_before_their_parent() {
    let system = system();
    let diary = Diary::default();
    let made = diary.clone();
    let parent = system.spawn(Spec::new(move || Parent(made.clone())).named("parent")).unwrap();
    let one = parent.ask(Birth("one")).await.unwrap();
    let two = parent.ask(Birth("two")).await.unwrap();
    assert_eq!(two.path().as_str(), "/user/parent/two");
    assert_eq!(system.live(), 3);
    one.stop();
    one.terminated().await;
    parent.stop();
    parent.terminated().await;
    assert!(two.is_stopped());
    assert_eq!(diary.text(), "one stopped two stopped parent, 0 left");
    assert_eq!(system.live(), 0);
    assert!(system.list().is_empty());
}

#[tokio::test]
async fn a_kill_reaches_children_that_hang() {
    let system = system();
    let made = Diary::default();
    let parent = system.spawn(Spec::new(move || Parent(made.clone()))).unwrap();
    let child = parent.ask(Birth("hangs")).await.unwrap();
    child.tell(Order::Hang).await.unwrap();
    settle().await;
    parent.stop();
    settle().await;
    assert!(!parent.is_stopped(), "it waits for its child");
    parent.kill();
    parent.terminated().await;
    assert!(child.is_stopped());
}

#[tokio::test]
async fn names_are_unique_while_their_bearers_live() {
    let system = system();
    let diary = Diary::default();
    let first = system.spawn(probe("name", &diary)).unwrap();
    assert!(
        matches!(system.spawn(probe("name", &diary)), Err(SpawnError::Taken(path)) if path.as_str() == "/user/name")
    );
    for bad in ["", "a/b", "$1"] {
        assert_eq!(system.spawn(probe(bad, &diary)).unwrap_err(), SpawnError::BadName(bad.into()));
    }
    assert_eq!(system.lookup::<Order>("/user/name"), Some(first.clone()));
    assert_eq!(system.find("/user/name").unwrap().id(), first.id());
    assert!(system.lookup::<Birth>("/user/name").is_none(), "it does not understand that");
    assert!(system.find("/user/nobody").is_none());
    first.stop();
    first.terminated().await;
    assert!(system.find("/user/name").is_none());
    let second = system.spawn(probe("name", &diary)).unwrap();
    assert_ne!(second.id(), first.id());
    let nameless = system.spawn(Spec::new({
        let diary = diary.clone();
        move || Probe::new(&diary)
    }));
    assert!(nameless.unwrap().path().name().starts_with('$'));
    let paths: Vec<_> = system.list().iter().map(|actor| actor.path().to_string()).collect();
    assert_eq!(paths.len(), 2);
    assert!(paths.contains(&"/user/name".to_owned()));
    system.stop().await;
    assert_eq!(system.spawn(probe("late", &diary)).unwrap_err(), SpawnError::Stopping);
}

#[tokio::test]
async fn two_systems_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (System::new("one"), System::new("two"));
    let (first, second) = (Diary::default(), Diary::default());
    let a = one.spawn(probe("same", &first)).unwrap();
    let b = two.spawn(probe("same", &second)).unwrap();
    one.state().entry::<AtomicU32>().store(7, Ordering::SeqCst);
    assert_eq!(two.state().entry::<AtomicU32>().load(Ordering::SeqCst), 0);
    assert_eq!(one.state().get::<AtomicU32>().unwrap().load(Ordering::SeqCst), 7);
    one.stop().await;
    assert!(a.is_stopped());
    assert!(!b.is_stopped());
    assert_eq!(a.tell(Order::Count).await, Err(TellError::Closed));
    assert_eq!((one.dead_letters().count(), two.dead_letters().count()), (1, 0));
    assert_eq!(b.ask(Order::Note("alive")).await.unwrap(), "alive");
    assert_eq!((first.text().as_str(), second.text().as_str()), ("same stopped", "alive"));
    assert_eq!((one.live(), two.live()), (0, 1));
    two.stop().await;
}

#[tokio::test]
async fn load_is_what_waits() {
    let system = system();
    let actor = system.spawn(probe("slow", &Diary::default()).bounded(3, Overflow::Fail)).unwrap();
    actor.tell(Order::Hang).await.unwrap();
    settle().await;
    for expected in 1..=3 {
        actor.tell(Order::Count).await.unwrap();
        assert_eq!((actor.load(), actor.handle().load()), (expected, expected));
    }
    assert_eq!(actor.tell(Order::Count).await, Err(TellError::Full));
    assert_eq!(actor.counters().refused, 1);
    assert_eq!(system.stop_within(Duration::ZERO).await, 1, "it hangs and is killed");
    actor.terminated().await;
}

#[test]
fn nobody_waits_in_vain_when_the_runtime_goes_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let actor = runtime.block_on(async {
        let actor = system().spawn(probe("p", &Diary::default())).unwrap();
        actor.tell(Order::Hang).await.unwrap();
        settle().await;
        actor.tell(Order::Count).await.unwrap();
        actor
    });
    drop(runtime);
    assert!(actor.is_stopped());
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(why(&other.block_on(actor.terminated()).reason), "killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_lose_nothing_on_several_threads() {
    struct Sum(u64);
    struct Add(u64);
    impl Message for Add {
        type Reply = u64;
    }
    impl Actor for Sum {
        type Message = Add;
        async fn receive(&mut self, add: Delivery<'_, Add>, context: &mut Context<Add>) -> Result<(), Failure> {
            self.0 += add.0;
            if context.is_asked() {
                context.respond(self.0);
            }
            Ok(())
        }
    }
    let system = system();
    let sum = system.spawn(Spec::new(|| Sum(0)).bounded(4, Overflow::Block)).unwrap();
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let sum = sum.clone();
            tokio::spawn(async move {
                for number in 1..=500 {
                    sum.tell(Add(number)).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(sum.ask(Add(0)).await.unwrap(), 8 * 500 * 501 / 2);
    system.stop().await;
}
