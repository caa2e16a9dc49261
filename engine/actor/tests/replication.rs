//! Replicated data: the laws under random histories, and what nodes of a cluster make of it.
#![cfg(not(loom))]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use support::{Diary, probe, settle, system};
use thalweg_actor::crdt::{GrowCounter, ObservedSet, Register, Replicated, UpDownCounter};
use thalweg_actor::{
    Cluster, ClusterError, ClusterEvent, Delivered, Gossip, Hub, Node, Registry, Replica, ReplicaError, Replicator,
    RingRegistry, SendError, Shared, Transport,
};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const NODES: [&str; 3] = ["a", "b", "c"];

/// A value with random changes.
trait Changes: Replicated + PartialEq + std::fmt::Debug {
    fn change(&mut self, node: &str, dice: &mut Dice) -> Self;
}

impl Changes for GrowCounter {
    fn change(&mut self, node: &str, dice: &mut Dice) -> Self {
        self.add(node, dice.below(9))
    }
}

impl Changes for UpDownCounter {
    fn change(&mut self, node: &str, dice: &mut Dice) -> Self {
        self.add(node, dice.below(9) as i64 - 4)
    }
}

impl Changes for Register<u64> {
    fn change(&mut self, node: &str, dice: &mut Dice) -> Self {
        // Clocks that go backwards.
        self.set(node, dice.below(5), dice.below(1000))
    }
}

impl Changes for ObservedSet<u64> {
    fn change(&mut self, node: &str, dice: &mut Dice) -> Self {
        let element = dice.below(4);
        if dice.below(3) > 0 { self.insert(node, element) } else { self.remove(&element) }
    }
}

fn merged<T: Replicated>(one: &T, other: &T) -> T {
    let mut both = one.clone();
    both.merge(other);
    both
}

/// Three replicas change at random and hear of each other at random, by wholes and by deltas that come late, twice,
/// in any order, or never.
fn laws<T: Changes>() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut replicas = [T::default(), T::default(), T::default()];
        let mut deltas: Vec<T> = Vec::new();
        for _ in 0..dice.below(25) {
            let at = dice.below(3) as usize;
            match dice.below(4) {
                0 => {
                    let from = dice.below(3) as usize;
                    let whole = replicas[from].clone();
                    replicas[at].merge(&whole);
                }
                1 if !deltas.is_empty() => {
                    let late = deltas[dice.below(deltas.len() as u64) as usize].clone();
                    replicas[at].merge(&late);
                }
                _ => {
                    let before = replicas[at].clone();
                    let delta = replicas[at].change(NODES[at], &mut dice);
                    assert_eq!(merged(&before, &delta), replicas[at], "seed {seed}: a delta is as good as the whole");
                    deltas.push(delta);
                }
            }
        }
        let [a, b, c] = &replicas;
        assert_eq!(merged(a, b), merged(b, a), "seed {seed}: commutative");
        assert_eq!(merged(&merged(a, b), c), merged(a, &merged(b, c)), "seed {seed}: associative");
        assert_eq!(merged(a, a), *a, "seed {seed}: idempotent");
        assert_eq!(merged(&merged(a, b), b), merged(a, b), "seed {seed}: absorbing");
        assert_eq!(merged(a, &T::default()), *a, "seed {seed}: nothing changes nothing");
        let whole = merged(&merged(a, b), c);
        let mut by_deltas = T::default();
        while !deltas.is_empty() {
            by_deltas.merge(&deltas.swap_remove(dice.below(deltas.len() as u64) as usize));
        }
        assert_eq!(by_deltas, whole, "seed {seed}: all deltas in any order are the whole");
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), whole, "seed {seed}: {json}");
    }
}

#[test]
fn grow_counters_obey_the_laws() {
    laws::<GrowCounter>();
}

#[test]
fn up_down_counters_obey_the_laws() {
    laws::<UpDownCounter>();
}

#[test]
fn registers_obey_the_laws() {
    laws::<Register<u64>>();
}

#[test]
fn sets_obey_the_laws() {
    laws::<ObservedSet<u64>>();
}

#[test]
fn values_table() {
    let mut counter = GrowCounter::default();
    counter.add("a", 2);
    counter.add("b", 3);
    counter.add("a", 5);
    assert_eq!((counter.value(), counter.of("a"), counter.of("none")), (10, 7, 0));
    counter.add("b", u64::MAX);
    assert_eq!(counter.of("b"), u64::MAX, "it stops at the end");

    let mut counter = UpDownCounter::default();
    for amount in [5, -7, i64::MIN, 1] {
        counter.add("a", amount);
    }
    assert_eq!(counter.value(), -1 + i128::from(i64::MIN));

    let mut register = Register::default();
    assert_eq!(register.value(), None);
    register.set("a", 10, "first");
    register.set("b", 3, "clock behind");
    assert_eq!(register.value(), Some(&"clock behind"), "what is set after something was read wins over it");
    let (mut one, mut other) = (Register::default(), Register::default());
    one.set("a", 10, 1);
    other.set("b", 10, 2);
    assert_eq!((merged(&one, &other).value(), merged(&other, &one).value()), (Some(&2), Some(&2)));
}

#[test]
fn what_is_added_while_it_is_removed_elsewhere_stays() {
    let mut a = ObservedSet::default();
    a.insert("a", 7);
    let mut b = a.clone();
    a.remove(&7);
    b.insert("b", 7);
    assert!(merged(&a, &b).contains(&7));
    assert!(merged(&b, &a).contains(&7));
    let mut c = merged(&a, &b);
    c.remove(&7);
    assert!(!merged(&merged(&a, &b), &c).contains(&7), "it was seen, so it is gone");
}

#[test]
fn what_is_removed_takes_no_memory() {
    let mut set = ObservedSet::default();
    let mut other = ObservedSet::default();
    for number in 0..1000 {
        set.insert("a", number);
        other.merge(&set);
        let delta = other.remove(&number);
        set.merge(&delta);
    }
    assert!(set.is_empty());
    assert_eq!(serde_json::to_string(&set).unwrap(), r#"{"elements":[],"seen":{"upto":{"a":1000}}}"#);
}

#[test]
fn malformed_snapshots_are_refused() {
    let shared = Shared::<GrowCounter>::new();
    for json in ["", "{", "[]", r#"{"counts":{"a":-1}}"#, r#"{"counts":{"a":"x"}}"#, "null"] {
        assert!(matches!(shared.merge(json), Err(ReplicaError::Malformed(_))), "{json}");
    }
    assert_eq!(shared.read(GrowCounter::value), 0);
}

fn event(event: Option<ClusterEvent>) -> String {
    match event {
        Some(ClusterEvent::Joined(member)) => format!("+{}", member.id),
        Some(ClusterEvent::Left(member)) => format!("-{}", member.id),
        Some(ClusterEvent::Updated(member)) => format!("~{}", member.id),
        None => "end".into(),
    }
}

fn events(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<ClusterEvent>) -> String {
    let mut seen = Vec::new();
    while let Ok(next) = receiver.try_recv() {
        seen.push(event(Some(next)));
    }
    seen.join(" ")
}

fn ids(node: &Node) -> String {
    node.members().iter().map(|member| member.id.as_str()).collect()
}

#[tokio::test]
async fn nodes_come_and_go() {
    let hub = Hub::new();
    let (a, b, twin) = (hub.node("a"), hub.node("b"), hub.node("b"));
    let (mut first, mut second) = (a.subscribe(), a.subscribe());
    assert_eq!(ids(&a), "");
    a.join(&[]).await.unwrap();
    a.join(&[]).await.unwrap();
    assert_eq!(b.join(&["nobody".into()]).await, Err(ClusterError::NoSeed(1)));
    b.join(&["nobody".into(), "a".into()]).await.unwrap();
    assert_eq!(twin.join(&["a".into()]).await, Err(ClusterError::Taken("b".into())));
    twin.leave().await.unwrap();
    assert_eq!((ids(&a).as_str(), ids(&b).as_str()), ("ab", "ab"), "a twin that never joined takes nobody along");
    b.update(BTreeMap::from([("zone".into(), "north".into())]));
    b.update(BTreeMap::from([("zone".into(), "north".into())]));
    assert_eq!(a.members()[1].meta["zone"], "north");
    b.leave().await.unwrap();
    b.leave().await.unwrap();
    assert_eq!((ids(&a).as_str(), ids(&b).as_str()), ("a", ""));
    assert_eq!(events(&mut first), "+a +b ~b -b");
    assert_eq!(events(&mut second), "+a +b ~b -b");
    let elsewhere = Hub::new().node("a");
    elsewhere.join(&[]).await.unwrap();
    assert_eq!(ids(&elsewhere), "a", "two hubs know nothing of each other");
}

#[tokio::test]
async fn packets_go_to_those_that_have_joined() {
    let hub = Hub::new();
    let (a, b) = (hub.node("a"), hub.node("b"));
    let (mut at_b, mut at_a) = (b.receive("news"), a.receive("news"));
    assert_eq!(a.send("b", "news", b"early").await, Err(SendError::NoNode("b".into())));
    a.join(&[]).await.unwrap();
    b.join(&["a".into()]).await.unwrap();
    a.send("b", "news", b"one").await.unwrap();
    a.send("b", "other", b"not for news").await.unwrap();
    b.broadcast("news", b"all").await;
    let packet = at_b.try_recv().unwrap();
    assert_eq!((packet.from.as_str(), packet.body.as_slice()), ("a", b"one".as_slice()));
    assert_eq!(at_b.try_recv().unwrap().body, b"all");
    assert_eq!(at_a.try_recv().unwrap().body, b"all");
    assert!(at_b.try_recv().is_err());
}

#[tokio::test]
async fn a_ring_shares_out_the_paths_of_a_cluster() {
    let hub = Hub::new();
    let nodes: Vec<_> = ["a", "b", "c"].iter().map(|id| Arc::new(hub.node(*id))).collect();
    let systems: Vec<_> = nodes.iter().map(|_| system()).collect();
    let registries: Vec<_> =
        nodes.iter().zip(&systems).map(|(node, system)| RingRegistry::new(system.clone(), node.clone())).collect();
    let paths: Vec<_> = (0..300).map(|number| format!("/user/{number}")).collect();
    assert!(paths.iter().all(|path| registries[1].is_local(path)), "alone it owns all");
    for node in &nodes {
        node.join(&[]).await.unwrap();
    }
    let owners: Vec<_> = paths.iter().map(|path| registries[0].owner_of(path)).collect();
    for (node, registry) in nodes.iter().zip(&registries) {
        let share = paths.iter().zip(&owners).filter(|(path, owner)| {
            assert_eq!(registry.owner_of(path), **owner, "all agree");
            assert_eq!(registry.is_local(path), **owner == node.local().id);
            **owner == node.local().id
        });
        assert!((60..150).contains(&share.count()));
    }
    nodes[2].leave().await.unwrap();
    for (path, owner) in paths.iter().zip(&owners) {
        let now = registries[0].owner_of(path);
        assert!(if owner == "c" { now != "c" } else { now == *owner }, "only what c had has moved");
    }
    assert!(paths.iter().all(|path| registries[2].is_local(path)), "who left is alone again");
    let actor = systems[0].spawn(probe("here", &Diary::default())).unwrap();
    assert_eq!(registries[0].find("/user/here").unwrap().id(), actor.id());
    assert!(registries[1].find("/user/here").is_none());
    assert_eq!(registries[0].list().len(), 1);
    assert!(Registry::is_local(&systems[0], "/user/anything"), "a system without a cluster owns all");
    for system in systems {
        system.stop().await;
    }
}

type Peer = (Arc<Gossip<Node>>, Arc<Shared<ObservedSet<String>>>);

async fn peer(hub: &Hub, id: &str) -> Peer {
    let node = Arc::new(hub.node(id));
    node.join(&[]).await.unwrap();
    let gossip = Gossip::new(node);
    let set = Shared::new();
    gossip.register("flags", set.clone()).unwrap();
    tokio::spawn(gossip.clone().run(Duration::from_secs(10)));
    settle().await;
    (gossip, set)
}

fn flags(peer: &Peer) -> Vec<String> {
    peer.1.read(|set| set.iter().cloned().collect())
}

#[tokio::test(start_paused = true)]
async fn changes_spread_at_once_and_what_was_missed_at_the_interval() {
    let hub = Hub::new();
    let (a, b) = (peer(&hub, "a").await, peer(&hub, "b").await);
    let delta = a.1.change(|set| set.insert("a", "red".into()));
    a.0.replicate_delta("flags", &delta).unwrap();
    settle().await;
    assert_eq!(flags(&b), ["red"]);
    // A change that nobody was told of, and a node that comes late.
    a.1.change(|set| set.insert("a", "green".into()));
    let c = peer(&hub, "c").await;
    assert!(flags(&b) == ["red"] && flags(&c).is_empty());
    tokio::time::sleep(Duration::from_secs(11)).await;
    settle().await;
    assert_eq!((flags(&b), flags(&c)), (vec!["green".into(), "red".into()], vec!["green".into(), "red".into()]));
    let delta = c.1.change(|set| set.remove(&"red".into()));
    c.0.replicate_delta("flags", &delta).unwrap();
    settle().await;
    for peer in [&a, &b, &c] {
        assert_eq!((flags(peer), peer.0.refused()), (vec!["green".to_owned()], 0));
    }
    b.0.close();
    b.0.close();
    let delta = c.1.change(|set| set.insert("c", "blue".into()));
    c.0.replicate_delta("flags", &delta).unwrap();
    settle().await;
    assert_eq!((flags(&a).len(), flags(&b).len()), (2, 1), "who has closed hears nothing");
}

#[tokio::test]
async fn delivery_table() {
    let node = Arc::new(Hub::new().node("here"));
    let gossip = Gossip::new(node);
    let counter = Shared::<GrowCounter>::new();
    gossip.register("used", counter.clone()).unwrap();
    assert_eq!(gossip.register("used", Shared::<GrowCounter>::new()), Err(ReplicaError::Taken("used".into())));
    assert_eq!(gossip.replicate("other"), Err(ReplicaError::Unknown("other".into())));
    let update = |version: u32, origin: &str, key: &str, kind: &str, body: &str| {
        format!(r#"{{"version":{version},"origin":"{origin}","key":"{key}","type":"{kind}","body":{body}}}"#)
    };
    let body = r#"{"counts":{"x":4}}"#;
    #[rustfmt::skip]
    let cases = [
        ("another node's", update(1, "there", "used", "grow_counter", body), Ok(Delivered::Merged), 4),
        ("the same again", update(1, "there", "used", "grow_counter", body), Ok(Delivered::Merged), 4),
        ("its own echo", update(1, "here", "used", "grow_counter", r#"{"counts":{"x":9}}"#), Ok(Delivered::Echo), 4),
        ("an unknown key", update(1, "there", "none", "grow_counter", body), Ok(Delivered::UnknownKey), 4),
        ("a line end at the end", update(1, "there", "used", "grow_counter", body) + "\n", Ok(Delivered::Merged), 4),
        ("another type", update(1, "there", "used", "register", body), Err("the key used holds a grow_counter, not a register"), 4),
        ("another version", update(2, "there", "used", "grow_counter", body), Err("version 2 is unknown: this is version 1"), 4),
        ("no JSON", "{".into(), Err("malformed: "), 4),
        ("a body of another shape", update(1, "there", "used", "grow_counter", "[1]"), Err("malformed: "), 4),
        ("more", update(1, "there", "used", "grow_counter", r#"{"counts":{"x":5,"y":1}}"#), Ok(Delivered::Merged), 6),
    ];
    for (name, body, expected, value) in cases {
        match (gossip.deliver(body.as_bytes()), expected) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected, "{name}"),
            (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{name}: {error}"),
            (seen, _) => panic!("{name}: {seen:?}"),
        }
        assert_eq!(counter.read(GrowCounter::value), value, "{name}");
    }
    gossip.close();
    assert_eq!(gossip.deliver(b"anything"), Ok(Delivered::Closed));
}
