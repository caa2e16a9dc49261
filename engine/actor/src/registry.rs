//! Where an actor lives: on this node, or on the one that a hash ring of the cluster says.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;

use crate::cluster::{Cluster, ClusterEvent};
use crate::handle::Handle;
use crate::ring::Ring;
use crate::system::System;

/// Finds actors by their paths.
pub trait Registry: Send + Sync {
    /// The actor, if it lives on this node.
    fn find(&self, path: &str) -> Option<Handle>;

    /// The actors of this node.
    fn list(&self) -> Vec<Handle>;

    /// The node that an actor with this path belongs on.
    fn owner_of(&self, path: &str) -> String;

    /// Whether that is this node.
    fn is_local(&self, path: &str) -> bool;
}

/// A system alone owns all its paths.
impl Registry for System {
    fn find(&self, path: &str) -> Option<Handle> {
        Self::find(self, path)
    }

    fn list(&self) -> Vec<Handle> {
        Self::list(self)
    }

    fn owner_of(&self, _: &str) -> String {
        self.name().to_owned()
    }

    fn is_local(&self, _: &str) -> bool {
        true
    }
}

/// A system whose paths are shared out among the nodes of a cluster by a hash ring.
///
/// Before the node has joined, and after it has left, it owns all paths itself.
pub struct RingRegistry<C> {
    system: System,
    cluster: Arc<C>,
    ring: RwLock<Ring>,
    events: std::sync::Mutex<mpsc::UnboundedReceiver<ClusterEvent>>,
}

impl<C: Cluster> RingRegistry<C> {
    /// The registry of a system on a node. 128 points a node.
    #[must_use]
    pub fn new(system: System, cluster: Arc<C>) -> Self {
        // Subscribed before the members are read: what happens in between is seen twice rather than not at all.
        let events = cluster.subscribe().into();
        let registry = Self { system, cluster, ring: RwLock::default(), events };
        registry.rebuild();
        registry
    }

    fn rebuild(&self) {
        let ring = Ring::of(self.cluster.members().into_iter().map(|member| member.id));
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }

    /// Events are read when somebody asks: a registry needs no task of its own.
    fn refresh(&self) {
        let mut changed = false;
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(event) = events.try_recv() {
            changed |= !matches!(event, ClusterEvent::Updated(_));
        }
        if changed {
            self.rebuild();
        }
    }
}

impl<C: Cluster> Registry for RingRegistry<C> {
    fn find(&self, path: &str) -> Option<Handle> {
        self.system.find(path)
    }

    fn list(&self) -> Vec<Handle> {
        self.system.list()
    }

    fn owner_of(&self, path: &str) -> String {
        self.refresh();
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.owner(path.as_bytes()).map_or_else(|| self.cluster.local().id, str::to_owned)
    }

    fn is_local(&self, path: &str) -> bool {
        self.owner_of(path) == self.cluster.local().id
    }
}
