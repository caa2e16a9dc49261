//! A cluster in one process: nodes that know of each other through a hub, and send each other bytes in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::cluster::{Boxed, Cluster, ClusterError, ClusterEvent, Member};
use crate::sync::lock;
use crate::transport::{Packet, SendError, Transport};

/// Where nodes of one process meet. Cheap to clone. Two hubs know nothing of each other.
#[derive(Clone, Default)]
pub struct Hub(Arc<Mutex<Nodes>>);

#[derive(Default)]
struct Nodes {
    joined: BTreeMap<String, Seat>,
}

struct Seat {
    member: Member,
    node: Arc<Shared>,
}

/// What others put into a node.
struct Shared {
    events: Mutex<Vec<mpsc::UnboundedSender<ClusterEvent>>>,
    channels: Mutex<BTreeMap<String, Vec<mpsc::UnboundedSender<Packet>>>>,
}

/// A node of a [`Hub`]: its [`Cluster`] and its [`Transport`].
#[derive(Clone)]
pub struct Node {
    hub: Hub,
    id: String,
    meta: Arc<Mutex<BTreeMap<String, String>>>,
    shared: Arc<Shared>,
}

impl Hub {
    /// A hub without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A node with this name. It is nobody's neighbour before it joins.
    #[must_use]
    pub fn node(&self, id: impl Into<String>) -> Node {
        let shared = Shared { events: Mutex::default(), channels: Mutex::default() };
        Node { hub: self.clone(), id: id.into(), meta: Arc::default(), shared: Arc::new(shared) }
    }
}

impl Nodes {
    fn announce(&self, event: &ClusterEvent) {
        for seat in self.joined.values() {
            seat.node.announce(event);
        }
    }
}

impl Shared {
    fn announce(&self, event: &ClusterEvent) {
        lock(&self.events).retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }

    fn deliver(&self, packet: &Packet) {
        if let Some(receivers) = lock(&self.channels).get_mut(&packet.channel) {
            receivers.retain(|receiver| receiver.send(packet.clone()).is_ok());
        }
    }
}

impl Cluster for Node {
    fn local(&self) -> Member {
        let meta = lock(&self.meta).clone();
        Member { id: self.id.clone(), address: format!("hub:{}", self.id), meta }
    }

    fn join<'a>(&'a self, seeds: &'a [String]) -> Boxed<'a, Result<(), ClusterError>> {
        Box::pin(async move {
            let member = self.local();
            let mut nodes = lock(&self.hub.0);
            if let Some(seat) = nodes.joined.get(&self.id) {
                let same = Arc::ptr_eq(&seat.node, &self.shared);
                return if same { Ok(()) } else { Err(ClusterError::Taken(self.id.clone())) };
            }
            if !seeds.is_empty() && !seeds.iter().any(|seed| nodes.joined.contains_key(seed)) {
                return Err(ClusterError::NoSeed(seeds.len()));
            }
            nodes.joined.insert(self.id.clone(), Seat { member: member.clone(), node: self.shared.clone() });
            nodes.announce(&ClusterEvent::Joined(member));
            Ok(())
        })
    }

    fn leave(&self) -> Boxed<'_, Result<(), ClusterError>> {
        Box::pin(async move {
            let mut nodes = lock(&self.hub.0);
            let ours = nodes.joined.get(&self.id).is_some_and(|seat| Arc::ptr_eq(&seat.node, &self.shared));
            if ours && let Some(seat) = nodes.joined.remove(&self.id) {
                let event = ClusterEvent::Left(seat.member);
                nodes.announce(&event);
                self.shared.announce(&event);
            }
            Ok(())
        })
    }

    fn members(&self) -> Vec<Member> {
        let nodes = lock(&self.hub.0);
        if !nodes.joined.contains_key(&self.id) {
            return Vec::new();
        }
        nodes.joined.values().map(|seat| seat.member.clone()).collect()
    }

    fn update(&self, meta: BTreeMap<String, String>) {
        *lock(&self.meta) = meta;
        let member = self.local();
        let mut nodes = lock(&self.hub.0);
        if let Some(seat) = nodes.joined.get_mut(&self.id)
            && Arc::ptr_eq(&seat.node, &self.shared)
            && seat.member != member
        {
            seat.member = member.clone();
            nodes.announce(&ClusterEvent::Updated(member));
        }
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<ClusterEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.shared.events).push(sender);
        receiver
    }
}

impl Transport for Node {
    fn node(&self) -> &str {
        &self.id
    }

    fn send<'a>(&'a self, to: &'a str, channel: &'a str, body: &'a [u8]) -> Boxed<'a, Result<(), SendError>> {
        Box::pin(async move {
            let packet = self.packet(channel, body);
            let nodes = lock(&self.hub.0);
            let seat = nodes.joined.get(to).ok_or_else(|| SendError::NoNode(to.to_owned()))?;
            seat.node.deliver(&packet);
            Ok(())
        })
    }

    fn broadcast<'a>(&'a self, channel: &'a str, body: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(async move {
            let packet = self.packet(channel, body);
            for seat in lock(&self.hub.0).joined.values() {
                seat.node.deliver(&packet);
            }
        })
    }

    fn receive(&self, channel: &str) -> mpsc::UnboundedReceiver<Packet> {
        let (sender, receiver) = mpsc::unbounded_channel();
        lock(&self.shared.channels).entry(channel.to_owned()).or_default().push(sender);
        receiver
    }
}

impl Node {
    fn packet(&self, channel: &str, body: &[u8]) -> Packet {
        Packet { from: self.id.clone(), channel: channel.to_owned(), body: body.to_vec() }
    }
}
