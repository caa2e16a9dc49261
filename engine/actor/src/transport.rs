//! How nodes send each other bytes. A trait; the implementation in this process is [`crate::Hub`].

use tokio::sync::mpsc;

use crate::cluster::Boxed;

/// Bytes from one node to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The node that sent it.
    pub from: String,
    /// What it is about, such as `crdt`: whoever receives on that channel gets it.
    pub channel: String,
    /// The content.
    pub body: Vec<u8>,
}

/// Sends bytes to nodes. Packets between two nodes arrive in order or not at all.
pub trait Transport: Send + Sync {
    /// The name of this node.
    fn node(&self) -> &str;

    /// Sends to one node.
    fn send<'a>(&'a self, to: &'a str, channel: &'a str, body: &'a [u8]) -> Boxed<'a, Result<(), SendError>>;

    /// Sends to all nodes that can be reached, perhaps to this one as well.
    fn broadcast<'a>(&'a self, channel: &'a str, body: &'a [u8]) -> Boxed<'a, ()>;

    /// What comes in on a channel from now on.
    fn receive(&self, channel: &str) -> mpsc::UnboundedReceiver<Packet>;
}

/// Why bytes were not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such node, or it has left.
    #[error("there is no node named {0}")]
    NoNode(String),
    /// It is too long.
    #[error("a packet of {0} bytes is longer than the {1} that are allowed")]
    TooLong(usize, usize),
}
