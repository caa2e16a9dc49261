//! Which nodes there are. A trait; the implementation in this process is [`crate::Hub`], a distributed one is another crate.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;

/// A future in a box, so that the traits can be used as objects.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, unique in the cluster.
    pub id: String,
    /// Where it can be reached.
    pub address: String,
    /// Whatever it says about itself.
    pub meta: BTreeMap<String, String>,
}

/// What happens to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterEvent {
    /// A node came.
    Joined(Member),
    /// A node went.
    Left(Member),
    /// A node says something else about itself.
    Updated(Member),
}

/// Membership, as one node sees it.
pub trait Cluster: Send + Sync {
    /// The node itself.
    fn local(&self) -> Member;

    /// Joins the cluster that the seeds belong to. Joining twice is joining once.
    fn join<'a>(&'a self, seeds: &'a [String]) -> Boxed<'a, Result<(), ClusterError>>;

    /// Leaves. Leaving twice is leaving once.
    fn leave(&self) -> Boxed<'_, Result<(), ClusterError>>;

    /// All nodes that have joined, by name; nobody before the node itself has joined.
    fn members(&self) -> Vec<Member>;

    /// Changes what the node says about itself.
    fn update(&self, meta: BTreeMap<String, String>);

    /// All events from now on. Each subscriber gets each of them, in order.
    fn subscribe(&self) -> mpsc::UnboundedReceiver<ClusterEvent>;
}

/// Why a node could not join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Another node has the name.
    #[error("a node named {0} has joined before")]
    Taken(String),
    /// No seed answers.
    #[error("none of {0} seeds is a node of the cluster")]
    NoSeed(usize),
}
