//! Keeps replicated values of several nodes alike.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};

use crate::crdt::Replicated;
use crate::sync::lock;
use crate::transport::Transport;

/// Spreads changes of named values to other nodes, and takes in theirs.
pub trait Replicator: Send + Sync {
    /// Takes a value into care under a name.
    ///
    /// # Errors
    /// [`ReplicaError::Taken`].
    fn register(&self, key: &str, replica: Arc<dyn Replica>) -> Result<(), ReplicaError>;

    /// Sends the whole value to the others.
    ///
    /// # Errors
    /// [`ReplicaError::Unknown`].
    fn replicate(&self, key: &str) -> Result<(), ReplicaError>;

    /// Sends a change.
    ///
    /// # Errors
    /// [`ReplicaError::Unknown`].
    fn replicate_delta(&self, key: &str, delta: &str) -> Result<(), ReplicaError>;

    /// Takes in what another node sent. Its own echo is dropped, and so is a key that nobody registered here.
    ///
    /// # Errors
    /// [`ReplicaError`] if it cannot be read or is of another type.
    fn deliver(&self, body: &[u8]) -> Result<Delivered, ReplicaError>;

    /// Sends every value: whatever was lost is mended.
    fn sync(&self);

    /// No more is sent or taken in. Closing twice is closing once.
    fn close(&self);
}

/// A value in somebody's care, whatever its type.
pub trait Replica: Send + Sync {
    /// Its name on the wire.
    fn kind(&self) -> String;

    /// The whole value as JSON.
    fn snapshot(&self) -> String;

    /// Takes in a value or a delta.
    ///
    /// # Errors
    /// [`ReplicaError::Malformed`].
    fn merge(&self, json: &str) -> Result<(), ReplicaError>;
}

/// A replicated value that tasks of this node share.
pub struct Shared<T>(Mutex<T>);

impl<T: Replicated> Shared<T> {
    /// An empty value.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(T::default())))
    }

    /// Looks at it.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.0))
    }

    /// Changes it, and gives the delta as JSON, for [`Replicator::replicate_delta`].
    pub fn change(&self, change: impl FnOnce(&mut T) -> T) -> String {
        json(&change(&mut lock(&self.0)))
    }
}

impl<T: Replicated> Replica for Shared<T> {
    fn kind(&self) -> String {
        T::kind()
    }

    fn snapshot(&self) -> String {
        self.read(json)
    }

    fn merge(&self, json: &str) -> Result<(), ReplicaError> {
        let other: T = serde_json::from_str(json).map_err(|error| ReplicaError::Malformed(error.to_string()))?;
        lock(&self.0).merge(&other);
        Ok(())
    }
}

/// JSON of a value: it has no maps with keys that are not text, and its own types never fail to serialize.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// What became of something that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It is merged.
    Merged,
    /// It came from this node.
    Echo,
    /// Nobody registered the key here.
    UnknownKey,
    /// The replicator is closed.
    Closed,
}

/// Why a value could not be replicated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaError {
    /// The key is in use.
    #[error("the key {0} is registered before")]
    Taken(String),
    /// The key is not registered.
    #[error("the key {0} is not registered")]
    Unknown(String),
    /// The type is another one.
    #[error("the key {key} holds a {ours}, not a {theirs}")]
    Type {
        /// The key.
        key: String,
        /// What is registered here.
        ours: String,
        /// What came.
        theirs: String,
    },
    /// It is of a version that this one cannot read.
    #[error("version {0} is unknown: this is version 1")]
    Version(u32),
    /// It cannot be read.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// A replicator over any transport: changes at once, and everything again at an interval.
pub struct Gossip<T> {
    transport: Arc<T>,
    replicas: Mutex<BTreeMap<String, Arc<dyn Replica>>>,
    closed: AtomicBool,
    closing: Notify,
    /// What waits to be sent by [`Gossip::run`].
    outbox: mpsc::UnboundedSender<String>,
    outgoing: Mutex<Option<mpsc::UnboundedReceiver<String>>>,
    refused: AtomicU64,
}

/// The JSON on the wire.
#[derive(Serialize, Deserialize)]
struct Update<'a> {
    version: u32,
    origin: String,
    key: String,
    r#type: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

impl<T: Transport + 'static> Gossip<T> {
    /// A replicator that sends and takes in nothing by itself: see [`Gossip::run`].
    #[must_use]
    pub fn new(transport: Arc<T>) -> Arc<Self> {
        let (outbox, outgoing) = mpsc::unbounded_channel();
        Arc::new(Self {
            transport,
            outbox,
            outgoing: Mutex::new(Some(outgoing)),
            replicas: Mutex::default(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            refused: AtomicU64::new(0),
        })
    }

    /// Sends changes, takes in what arrives, and sends everything each `interval`, until it is closed. Runs once.
    pub async fn run(self: Arc<Self>, interval: Duration) {
        let Some(mut outgoing) = lock(&self.outgoing).take() else { return };
        let mut packets = self.transport.receive(CHANNEL);
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        let mut closing = std::pin::pin!(self.closing.notified());
        closing.as_mut().enable();
        ticks.tick().await;
        while !self.closed.load(Ordering::Acquire) {
            let next = std::future::poll_fn(|cx| {
                use std::task::Poll;
                if closing.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Close);
                }
                if let Poll::Ready(Some(body)) = outgoing.poll_recv(cx) {
                    return Poll::Ready(Next::Send(body));
                }
                match packets.poll_recv(cx) {
                    Poll::Ready(Some(packet)) => return Poll::Ready(Next::Packet(packet.body)),
                    Poll::Ready(None) => return Poll::Ready(Next::Close),
                    Poll::Pending => {}
                }
                ticks.poll_tick(cx).map(|_| Next::Tick)
            });
            match next.await {
                Next::Close => return,
                Next::Tick => self.sync(),
                Next::Send(body) => self.transport.broadcast(CHANNEL, body.as_bytes()).await,
                // What cannot be read is counted: another node's fault must not end this one.
                Next::Packet(body) => {
                    if self.deliver(&body).is_err() {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    /// How many packets could not be read or were of another type.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn replica(&self, key: &str) -> Result<Arc<dyn Replica>, ReplicaError> {
        lock(&self.replicas).get(key).cloned().ok_or_else(|| ReplicaError::Unknown(key.to_owned()))
    }

    fn send(&self, key: &str, kind: String, body: &str) -> Result<(), ReplicaError> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let body: &RawValue = serde_json::from_str(body).map_err(|error| ReplicaError::Malformed(error.to_string()))?;
        let origin = self.transport.node().to_owned();
        let update = json(&Update { version: 1, origin, key: key.to_owned(), r#type: kind, body });
        // Fails only once `run` is over, that is, closed.
        let _ = self.outbox.send(update);
        Ok(())
    }
}

enum Next {
    Packet(Vec<u8>),
    Send(String),
    Tick,
    Close,
}

impl<T: Transport + 'static> Replicator for Gossip<T> {
    fn register(&self, key: &str, replica: Arc<dyn Replica>) -> Result<(), ReplicaError> {
        match lock(&self.replicas).entry(key.to_owned()) {
            Entry::Occupied(_) => Err(ReplicaError::Taken(key.to_owned())),
            Entry::Vacant(place) => {
                place.insert(replica);
                Ok(())
            }
        }
    }

    fn replicate(&self, key: &str) -> Result<(), ReplicaError> {
        let replica = self.replica(key)?;
        self.send(key, replica.kind(), &replica.snapshot())
    }

    fn replicate_delta(&self, key: &str, delta: &str) -> Result<(), ReplicaError> {
        let replica = self.replica(key)?;
        self.send(key, replica.kind(), delta)
    }

    fn deliver(&self, body: &[u8]) -> Result<Delivered, ReplicaError> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(Delivered::Closed);
        }
        let update: Update<'_> =
            serde_json::from_slice(body).map_err(|error| ReplicaError::Malformed(error.to_string()))?;
        if update.version != 1 {
            return Err(ReplicaError::Version(update.version));
        }
        if update.origin == self.transport.node() {
            return Ok(Delivered::Echo);
        }
        let Ok(replica) = self.replica(&update.key) else { return Ok(Delivered::UnknownKey) };
        let ours = replica.kind();
        if ours != update.r#type {
            return Err(ReplicaError::Type { key: update.key, ours, theirs: update.r#type });
        }
        replica.merge(update.body.get())?;
        Ok(Delivered::Merged)
    }

    fn sync(&self) {
        let keys: Vec<_> = lock(&self.replicas).keys().cloned().collect();
        for key in keys {
            // Only a key that was never registered is an error, and none is ever taken out.
            let _ = self.replicate(&key);
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }
}

const CHANNEL: &str = "crdt";
