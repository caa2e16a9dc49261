//! Supervision: the decision as a table, what the runner makes of it, and laws under random failures.
#![cfg(not(loom))]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::{Diary, Order, Probe, probe, settle, system, why};
use thalweg_actor::{
    Actor, Context, Crash, Delivery, Directive, Escalate, Failure, History, Message, Notice, Ref, Restart, Resume,
    Scope, Spec, Stop, Supervisor, System,
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn exact() -> Restart {
    Restart { jitter: 0.0, ..Restart::default() }
}

/// What a supervisor says to failures at these times (in milliseconds): pauses, or `S` for stop.
fn verdicts(supervisor: &impl Supervisor, at: &[u64], chance: f64) -> String {
    let (mut history, failure) = (History::default(), Failure::new("x"));
    let decide = |at: &u64| {
        let (in_a_row, in_window) = history.failed(Duration::from_millis(*at), supervisor.window());
        match supervisor.decide(&Crash { failure: &failure, in_a_row, in_window, chance }) {
            Directive::Restart { after } => after.as_millis().to_string(),
            Directive::Stop => "S".into(),
            Directive::Resume => "R".into(),
            Directive::Escalate => "E".into(),
        }
    };
    at.iter().map(decide).collect::<Vec<_>>().join(" ")
}

#[test]
fn restart_table() {
    let ms = Duration::from_millis;
    #[rustfmt::skip]
    let cases: &[(&str, Restart, &[u64], f64, &str)] = &[
        ("five are forgiven", exact(), &[0, 1, 2, 3, 4, 5], 0.0, "50 100 200 400 800 S"),
        ("the window slides", exact(), &[0, 1, 2, 3, 4, 60_001], 0.0, "50 100 200 400 800 1000"),
        ("at the window's edge they count", exact(), &[0, 1, 2, 3, 4, 60_000], 0.0, "50 100 200 400 800 S"),
        ("older ones are forgotten one by one", exact(), &[0, 30_000, 31_000, 32_000, 33_000, 60_500, 61_000], 0.0, "50 100 200 400 800 1000 S"),
        ("for ever", Restart { max: 0, ..exact() }, &[0; 12], 0.0, "50 100 200 400 800 1000 1000 1000 1000 1000 1000 1000"),
        ("one", Restart { max: 1, ..exact() }, &[0, 0], 0.0, "50 S"),
        ("no base is 10 ms", Restart { base: ms(0), ..exact() }, &[0, 0, 0], 0.0, "10 20 40"),
        ("a cap below the base is the base", Restart { base: ms(70), cap: ms(5), ..exact() }, &[0, 0, 0], 0.0, "70 70 70"),
        ("jitter takes off a tenth at most", Restart::default(), &[0, 0, 0, 0, 0], 0.999_999, "45 90 180 360 720"),
        ("jitter takes off half of that on average", Restart::default(), &[0, 0, 0], 0.5, "47 95 190"),
        ("no chance, no jitter", Restart::default(), &[0, 0, 0], 0.0, "50 100 200"),
        ("jitter of all", Restart { jitter: 1.0, ..exact() }, &[0, 0], 0.5, "25 50"),
    ];
    for (name, restart, at, chance, expected) in cases {
        assert_eq!(verdicts(restart, at, *chance), *expected, "{name}");
    }
    assert_eq!(verdicts(&Resume, &[0, 0], 0.0), "R R");
    assert_eq!(verdicts(&Stop, &[0], 0.0), "S");
    assert_eq!(verdicts(&Escalate, &[0], 0.0), "E");
}

#[test]
fn a_handled_message_wipes_the_slate() {
    let mut history = History::default();
    let window = Duration::from_secs(60);
    assert_eq!(history.failed(Duration::ZERO, window), (1, 1));
    assert_eq!(history.failed(Duration::ZERO, window), (2, 2));
    history.succeeded();
    assert_eq!(history.failed(Duration::ZERO, window), (1, 1));
}

/// A supervisor, the orders that an actor gets, what it and its successors write down and how it ends.
#[tokio::test(start_paused = true)]
async fn directives_are_carried_out() {
    type Make = fn() -> Arc<dyn Supervisor>;
    let restart: Make = || Arc::new(exact());
    let resume: Make = || Arc::new(Resume);
    let stop: Make = || Arc::new(Stop);
    let escalate: Make = || Arc::new(Escalate);
    use Order::{Fail, Note, Panic};
    /// Name, supervisor, orders, what is written down, the count or the end, and after how many milliseconds.
    type Case<'a> = (&'a str, Make, &'a [Order], &'a str, &'a str, usize);
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        ("restart on an error", restart, &[Note("a"), Fail("x"), Note("b")], "a p again b", "1", 50),
        ("restart on a panic", restart, &[Note("a"), Panic("x"), Note("b")], "a p again b", "1", 50),
        ("restart twice", restart, &[Fail("x"), Fail("x"), Note("b")], "p again p again b", "1", 150),
        ("a success between", restart, &[Fail("x"), Note("a"), Fail("x"), Note("b")], "p again a p again b", "1", 100),
        ("resume keeps the state", resume, &[Note("a"), Fail("x"), Panic("y"), Note("b")], "a b", "2", 0),
        ("stop", stop, &[Note("a"), Fail("x"), Note("b")], "a", "failed (x)", 0),
        ("stop on a panic", stop, &[Panic("x")], "", "failed (panicked: x)", 0),
        ("escalate without a parent is the end", escalate, &[Fail("x")], "", "failed (x)", 0),
        ("given up", restart, &[Fail("1"), Fail("2"), Fail("3"), Fail("4"), Fail("5"), Fail("6"), Note("a")],
            "p again p again p again p again p again", "failed (6)", 1550),
    ];
    for (name, supervisor, orders, notes, end, ms) in cases {
        let system = system();
        let diary = Diary::default();
        let started = Instant::now();
        let actor = system.spawn(probe("p", &diary).supervised_by(supervisor())).unwrap();
        for order in *orders {
            actor.tell(order.clone()).await.unwrap();
        }
        let outcome = match actor.ask(Order::Count).await {
            Ok(count) => count,
            Err(_) => why(&actor.terminated().await.reason),
        };
        assert_eq!((diary.text().as_str(), outcome.as_str()), (*notes, *end), "{name}");
        let took = started.elapsed().as_millis() as usize;
        // Timers have a granularity of a millisecond.
        assert!((*ms..ms + 2 + orders.len()).contains(&took), "{name}: {took} ms");
        system.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_message_that_crashed_is_kept() {
    let system = system();
    let actor = system.spawn(probe("p", &Diary::default()).supervised(exact())).unwrap();
    assert!(actor.take_crash().is_none());
    tokio::time::advance(SECOND).await;
    for (order, kept, text) in [
        (Order::Fail("why"), Some(Order::Fail("why")), "why"),
        (Order::Panic("loud"), Some(Order::Panic("loud")), "panicked: loud"),
        (Order::TakeAndPanic, None, "panicked: with TakeAndPanic in hand"),
    ] {
        actor.tell(order).await.unwrap();
        settle().await;
        let crash = actor.take_crash().unwrap();
        assert_eq!((crash.message, crash.failure.to_string().as_str()), (kept, text));
        assert!(crash.at >= SECOND);
        assert!(actor.take_crash().is_none(), "it is taken once");
        tokio::time::sleep(SECOND).await;
    }
    system.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_wait_while_an_actor_is_restarted_and_a_stop_does_not() {
    let system = system();
    let diary = Diary::default();
    let actor = system
        .spawn(probe("p", &diary).supervised(Restart { base: SECOND * 100, cap: SECOND * 100, ..exact() }))
        .unwrap();
    actor.tell(Order::Fail("x")).await.unwrap();
    actor.tell(Order::Note("waits")).await.unwrap();
    settle().await;
    assert_eq!(diary.text(), "");
    tokio::time::sleep(SECOND * 101).await;
    assert_eq!(diary.text(), "p again waits");
    actor.tell(Order::Fail("x")).await.unwrap();
    settle().await;
    let before = Instant::now();
    actor.stop();
    actor.terminated().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// Has two children, and fails with them if they escalate.
struct Family {
    diary: Diary,
    supervisor: Arc<dyn Supervisor>,
}

struct Children;

impl Message for Children {
    type Reply = (Ref<Order>, Ref<Order>);
}

impl Actor for Family {
    type Message = Children;

    async fn started(&mut self, context: &mut Context<Children>) -> Result<(), Failure> {
        for name in ["a", "b"] {
            context.spawn(probe(name, &self.diary).supervised_by(self.supervisor.clone()))?;
        }
        Ok(())
    }

    async fn receive(&mut self, _: Delivery<'_, Children>, context: &mut Context<Children>) -> Result<(), Failure> {
        let children: Vec<_> = context.children().iter().map(|child| child.typed::<Order>().unwrap()).collect();
        context.respond((children[0].clone(), children[1].clone()));
        Ok(())
    }

    async fn notice(&mut self, notice: Notice, _: &mut Context<Children>) -> Result<(), Failure> {
        match notice {
            Notice::Terminated(_) => Ok(()),
            Notice::Escalated { child, failure } => {
                self.diary.note(format!("{} escalated {failure}", child.path.name()));
                Err(failure)
            }
        }
    }
}

fn family(system: &System, diary: &Diary, supervisor: impl Supervisor + 'static) -> Ref<Children> {
    let (diary, supervisor): (_, Arc<dyn Supervisor>) = (diary.clone(), Arc::new(supervisor));
    let made = move || Family { diary: diary.clone(), supervisor: supervisor.clone() };
    system.spawn(Spec::new(made).named("family").supervised(exact())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_for_one_leaves_the_siblings_alone_and_one_for_all_takes_them_along() {
    for (scope, notes, counts) in
        [(Scope::OneForOne, "1 1 a again", ("0", "1")), (Scope::OneForAll, "1 1 a again b again", ("0", "0"))]
    {
        let system = system();
        let diary = Diary::default();
        let (a, b) = family(&system, &diary, Restart { scope, ..exact() }).ask(Children).await.unwrap();
        for child in [&a, &b] {
            child.ask(Order::Note("1")).await.unwrap();
        }
        a.tell(Order::Fail("x")).await.unwrap();
        tokio::time::sleep(SECOND).await;
        assert_eq!(diary.text(), notes, "{scope:?}");
        let answers = (a.ask(Order::Count).await.unwrap(), b.ask(Order::Count).await.unwrap());
        assert_eq!((answers.0.as_str(), answers.1.as_str()), counts, "{scope:?}");
        system.stop().await;
    }
    // The end of one is the end of all.
    let system = system();
    let scope = Scope::OneForAll;
    let (a, b) = family(&system, &Diary::default(), Restart { max: 1, scope, ..exact() }).ask(Children).await.unwrap();
    for _ in 0..2 {
        a.tell(Order::Fail("x")).await.unwrap();
    }
    assert_eq!(why(&a.terminated().await.reason), "failed (x)");
    assert_eq!(why(&b.terminated().await.reason), "stopped");
    system.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_escalated_failure_is_the_parents_own() {
    let system = system();
    let diary = Diary::default();
    let parent = family(&system, &diary, Escalate);
    let (a, b) = parent.ask(Children).await.unwrap();
    a.tell(Order::Fail("deep")).await.unwrap();
    assert_eq!(why(&a.terminated().await.reason), "failed (deep)");
    // The parent is restarted: its other child is stopped, and there are two new ones under the same names.
    assert_eq!(why(&b.terminated().await.reason), "stopped");
    let (new_a, _) = parent.ask(Children).await.unwrap();
    assert_eq!(new_a.path(), a.path());
    assert_ne!(new_a.id(), a.id());
    assert_eq!(diary.text(), "a escalated deep b stopped");
    assert_eq!(parent.take_crash().unwrap().failure.to_string(), "deep");
    system.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_panics_is_a_crash_like_any_other() {
    let system = system();
    let diary = Diary::default();
    let (calls, made) = (Arc::new(AtomicU32::new(0)), diary.clone());
    let counted = calls.clone();
    let factory = move || {
        assert!(counted.fetch_add(1, Ordering::SeqCst) >= 2, "not yet");
        Probe::new(&made)
    };
    let actor = system.spawn(Spec::new(factory).supervised(exact())).unwrap();
    assert_eq!(actor.ask(Order::Note("at last")).await.unwrap(), "at last");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    let never = system.spawn(Spec::new(|| -> Probe { panic!("never") }).supervised(exact())).unwrap();
    assert_eq!(why(&never.terminated().await.reason), "failed (panicked: never)");
    system.stop().await;
}

/// Laws under random orders and random supervisors:
/// every message is handled, kept as a crash or a dead letter; a restart comes after its pause and not before; the actor
/// ends exactly when its supervisor says so.
#[tokio::test(start_paused = true)]
async fn random_failures_obey_the_laws() {
    let mut seed = 0x5eed_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..100 {
        let restart = Restart {
            max: random(4) as u32,
            window: Duration::from_millis(1 + random(3000)),
            base: Duration::from_millis(1 + random(100)),
            cap: Duration::from_millis(1 + random(400)),
            jitter: 0.0,
            scope: Scope::OneForOne,
        };
        let system = system();
        let diary = Diary::default();
        let actor = system.spawn(probe("p", &diary).supervised(restart)).unwrap();
        // A twin in a few lines: what should have become of the actor.
        let (mut failures, mut in_a_row, mut restarts, mut handled, mut dead) = (Vec::new(), 0_u32, 0, 0, false);
        let started = Instant::now();
        for step in 0..random(30) {
            let (order, fails) = match random(3) {
                0 => (Order::Fail("x"), true),
                1 => (Order::Panic("y"), true),
                _ => (Order::Note("n"), false),
            };
            let told = actor.tell(order).await;
            assert_eq!(told.is_err(), dead, "round {round}, step {step}");
            settle().await;
            if dead {
                continue;
            }
            if !fails {
                (in_a_row, handled) = (0, handled + 1);
                failures.clear();
                continue;
            }
            let now = started.elapsed();
            in_a_row += 1;
            failures.retain(|at| now - *at <= restart.window);
            failures.push(now);
            dead = restart.max > 0 && failures.len() as u32 > restart.max;
            assert_eq!(actor.is_stopped(), dead, "round {round}, step {step}");
            assert!(actor.take_crash().is_some());
            if dead {
                continue;
            }
            let whole = restart.base * 2_u32.pow(in_a_row.min(20) - 1);
            let pause = whole.min(restart.cap.max(restart.base));
            tokio::time::sleep(pause - Duration::from_micros(10)).await;
            settle().await;
            let again = || diary.read().iter().filter(|note| *note == "p again").count();
            let early = again();
            tokio::time::sleep(Duration::from_millis(2)).await;
            settle().await;
            restarts += 1;
            assert_eq!(again(), restarts, "round {round}, step {step}");
            assert!(early <= restarts);
            tokio::time::sleep(Duration::from_millis(random(200))).await;
        }
        let notes = diary.read().iter().filter(|note| *note == "n").count();
        assert_eq!((notes, actor.is_stopped()), (handled, dead), "round {round}");
        system.stop().await;
    }
}
