//! Routers, pools and the ring: who gets what, as tables; what moves when workers come and go.
#![cfg(not(loom))]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use support::{settle, system};
use thalweg_actor::{
    Actor, AskError, Broadcast, ConsistentHash, Context, Delivery, Escalate, Failure, LeastLoaded, Message, Pool,
    RandomChoice, Restart, Ring, RoundRobin, Router, Spec, Stop, System, TellError,
};

#[derive(Clone, Debug)]
enum Job {
    Do(u32),
    Hang,
    Fail,
}

impl Message for Job {
    type Reply = String;
}

type Done = Arc<Mutex<Vec<(String, u32)>>>;

/// Writes down what it did, and answers with its name.
struct Worker(Done);

impl Actor for Worker {
    type Message = Job;

    async fn receive(&mut self, job: Delivery<'_, Job>, context: &mut Context<Job>) -> Result<(), Failure> {
        match *job {
            Job::Do(number) => {
                let name = context.path().name().to_owned();
                self.0.lock().unwrap().push((name.clone(), number));
                context.respond(name);
            }
            Job::Hang => std::future::pending().await,
            Job::Fail => return Err(Failure::new("broken")),
        }
        Ok(())
    }
}

fn pool(system: &System, size: usize, router: impl Router<Job> + 'static) -> (Pool<Job>, Done) {
    let done = Done::default();
    let made = done.clone();
    let spec = move || {
        let made = made.clone();
        Spec::new(move || Worker(made.clone())).supervised(Stop)
    };
    (Pool::spawn(system, "pool", size, router, spec).unwrap(), done)
}

async fn names(pool: &Pool<Job>, jobs: std::ops::Range<u32>) -> String {
    let mut names = Vec::new();
    for number in jobs {
        names.push(pool.ask(Job::Do(number)).await.unwrap());
    }
    names.join(" ")
}

fn by_number() -> impl Router<Job> {
    ConsistentHash::by(|job: &Job, key: &mut Vec<u8>| {
        if let Job::Do(number) = job {
            key.extend(number.to_string().bytes());
        }
    })
}

#[tokio::test]
async fn round_robin_takes_turns() {
    let system = system();
    let (pool, _) = pool(&system, 3, RoundRobin::default());
    assert_eq!(names(&pool, 0..7).await, "w0 w1 w2 w0 w1 w2 w0");
    assert_eq!(pool.workers()[1].path().as_str(), "/user/pool/w1");
    system.stop().await;
}

#[tokio::test]
async fn random_is_fair_and_the_same_for_the_same_seed() {
    let system = System::new("random");
    let mut runs = BTreeSet::new();
    for seed in [1, 1, 2] {
        let (pool, done) = pool(&system, 4, RandomChoice::new(seed));
        runs.insert(names(&pool, 0..400).await);
        let mut shares = BTreeMap::new();
        for (name, _) in done.lock().unwrap().iter() {
            *shares.entry(name.clone()).or_insert(0) += 1;
        }
        assert_eq!(shares.len(), 4);
        assert!(shares.values().all(|share| (70..130).contains(share)), "{shares:?}");
        pool.stop();
        pool.actor().terminated().await;
    }
    assert_eq!(runs.len(), 2);
}

#[tokio::test]
async fn broadcast_reaches_all_and_an_ask_gets_the_first_answer() {
    let system = system();
    let (pool, done) = pool(&system, 3, Broadcast);
    assert_eq!(pool.ask(Job::Do(1)).await.unwrap(), "w0");
    pool.tell(Job::Do(2)).await.unwrap();
    settle().await;
    let expected: Vec<_> =
        [1, 2].iter().flat_map(|job| ["w0", "w1", "w2"].map(|name| (name.to_owned(), *job))).collect();
    let mut seen = done.lock().unwrap().clone();
    seen.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    assert_eq!(seen, expected);
    assert_eq!(pool.ask(Job::Fail).await, Err(AskError::NoReply), "none of them answers");
    system.stop().await;
}

#[tokio::test]
async fn the_least_loaded_gets_it() {
    let system = system();
    let (pool, done) = pool(&system, 3, LeastLoaded::default());
    for _ in 0..3 {
        pool.tell(Job::Hang).await.unwrap();
        settle().await;
    }
    // All hang with an empty mailbox; now two of them get one message to wait.
    for number in 0..9 {
        pool.tell(Job::Do(number)).await.unwrap();
    }
    let loads: Vec<_> = pool.workers().iter().map(thalweg_actor::Ref::load).collect();
    assert_eq!((loads, pool.load()), (vec![3, 3, 3], 9));
    pool.workers()[1].kill();
    settle().await;
    let before = pool.workers().iter().map(thalweg_actor::Ref::load).collect::<Vec<_>>();
    assert_eq!(before, [3, 3], "the killed one is off the list");
    assert!(done.lock().unwrap().is_empty());
    assert_eq!(system.dead_letters().count(), 3);
    pool.actor().kill();
    pool.actor().terminated().await;
}

#[tokio::test]
async fn a_key_keeps_its_worker_and_a_new_one_takes_only_its_share() {
    let system = system();
    let (pool, _) = pool(&system, 4, by_number());
    let owners = |names: String| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let before = owners(names(&pool, 0..300).await);
    assert_eq!(owners(names(&pool, 0..300).await), before);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 4);
    pool.resize(5).unwrap();
    let grown = owners(names(&pool, 0..300).await);
    let moved: Vec<_> = before.iter().zip(&grown).filter(|(old, new)| old != new).collect();
    assert!(!moved.is_empty() && moved.len() < 120, "{} of 300 moved", moved.len());
    assert!(moved.iter().all(|(_, new)| *new == "w4"), "only to the new one");
    pool.resize(4).unwrap();
    assert_eq!(owners(names(&pool, 0..300).await), before, "and back");
    system.stop().await;
}

#[tokio::test]
async fn a_pool_that_shrinks_loses_nothing() {
    let system = system();
    let (pool, done) = pool(&system, 4, RoundRobin::default());
    for number in 0..40 {
        pool.tell(Job::Do(number)).await.unwrap();
    }
    pool.resize(1).unwrap();
    assert_eq!(pool.workers().len(), 1);
    settle().await;
    let mut numbers: Vec<_> = done.lock().unwrap().iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    assert_eq!((system.live(), system.dead_letters().count()), (2, 0), "the pool and one worker");
    pool.resize(0).unwrap();
    assert_eq!(pool.tell(Job::Do(1)).await, Err(TellError::Closed));
    assert_eq!(system.dead_letters().count(), 1);
    pool.resize(2).unwrap();
    assert_eq!(names(&pool, 0..2).await.split(' ').collect::<BTreeSet<_>>().len(), 2);
    system.stop().await;
}

#[tokio::test]
async fn as_an_actor_it_forwards_and_the_answer_goes_to_the_asker() {
    let system = system();
    let (pool, _) = pool(&system, 2, RoundRobin::default());
    let front = system.lookup::<Job>("/user/pool").unwrap();
    assert_eq!(front.ask(Job::Do(1)).await.unwrap(), "w0");
    assert_eq!(front.ask(Job::Do(2)).await.unwrap(), "w1");
    assert_eq!(front.ask(Job::Fail).await, Err(AskError::NoReply));
    settle().await;
    assert_eq!(pool.workers().len(), 1, "who gives up is off the list");
    assert_eq!(front.ask(Job::Do(3)).await.unwrap(), "w1");
    pool.stop();
    front.terminated().await;
    assert_eq!(system.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn when_a_worker_escalates_all_are_made_anew() {
    let system = System::builder("test").supervisor(Restart { jitter: 0.0, ..Restart::default() }).build();
    let done = Done::default();
    let spec = move || {
        let made = done.clone();
        Spec::new(move || Worker(made.clone())).supervised(Escalate)
    };
    let pool = Pool::spawn(&system, "pool", 2, RoundRobin::default(), spec).unwrap();
    assert_eq!(pool.ask(Job::Fail).await, Err(AskError::NoReply));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let names: Vec<_> = pool.workers().iter().map(|worker| worker.path().name().to_owned()).collect();
    assert_eq!(names, ["w2", "w3"]);
    pool.ask(Job::Do(1)).await.unwrap();
    system.stop().await;
}

#[test]
fn ring_table() {
    let empty = Ring::default();
    assert_eq!(empty.owner(b"key"), None);
    assert!(empty.owners(b"key", 3).is_empty());
    let mut ring = Ring::of(["a"]);
    assert_eq!(ring.owner(b""), Some("a"));
    assert!(!ring.add("a"), "it is there");
    assert!(ring.add("b"));
    assert!(!ring.remove("c"), "it is not there");
    assert_eq!(ring.members(), ["a", "b"]);
    assert_eq!(ring.owners(b"key", 9).len(), 2);
    assert_eq!(ring.owners(b"key", 1), [ring.owner(b"key").unwrap()]);
    assert!(ring.remove("a"));
    assert_eq!(ring.owner(b"key"), Some("b"));
    assert!(ring.remove("b"));
    assert_eq!(ring.owner(b"key"), None);
}

fn share(ring: &Ring) -> BTreeMap<&str, u32> {
    let mut shares = BTreeMap::new();
    for number in 0..20_000 {
        *shares.entry(ring.owner(format!("/user/{number}").as_bytes()).unwrap()).or_insert(0) += 1;
    }
    shares
}

#[test]
fn the_ring_is_balanced_and_does_not_depend_on_the_order_of_arrival() {
    for members in [2, 5, 16] {
        let names: Vec<_> = (0..members).map(|number| format!("node-{number}")).collect();
        let ring = Ring::of(names.clone());
        let shares = share(&ring);
        let fair = 20_000 / members;
        assert_eq!(shares.len(), members as usize);
        assert!(shares.values().all(|share| *share > fair * 2 / 3 && *share < fair * 3 / 2), "{shares:?}");
        let reversed = Ring::of(names.into_iter().rev());
        assert_eq!(share(&reversed), shares);
    }
}

#[test]
fn a_member_that_goes_leaves_its_keys_to_its_stand_ins() {
    let ring = Ring::of(["a", "b", "c", "d"]);
    let mut without = ring.clone();
    assert!(without.remove("b"));
    for number in 0..5_000 {
        let key = format!("key {number}").into_bytes();
        let owners = ring.owners(&key, 4);
        assert_eq!(owners.iter().collect::<BTreeSet<_>>().len(), 4);
        let heir = owners.iter().find(|owner| **owner != "b").copied();
        assert_eq!(without.owner(&key), heir);
    }
}

/// These owners are the same for ever: nodes of different versions must agree.
#[test]
fn the_owners_are_those_of_every_version() {
    let ring = Ring::of(["alpha", "beta", "gamma"]);
    let owners: Vec<_> = (0..12).map(|number| ring.owner(format!("/user/{number}").as_bytes()).unwrap()).collect();
    let initials: String = owners.iter().filter_map(|owner| owner.chars().next()).collect();
    assert_eq!(initials, "ggbbgbbagbaa");
}
