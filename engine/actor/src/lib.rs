//! Actors on tokio: an actor is a task with a mailbox and a supervisor; whoever holds its [`Ref`] can tell it something
//! or ask it. Knows nothing of models, HTTP or agents.
//!
//! ```
//! use thalweg_actor::{Actor, Context, Delivery, Failure, Message, Spec, System};
//!
//! struct Add(u64);
//! impl Message for Add {
//!     type Reply = u64;
//! }
//!
//! #[derive(Default)]
//! struct Sum(u64);
//! impl Actor for Sum {
//!     type Message = Add;
//!     async fn receive(&mut self, add: Delivery<'_, Add>, context: &mut Context<Add>) -> Result<(), Failure> {
//!         self.0 += add.0;
//!         context.respond(self.0);
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let system = System::new("example");
//! let sum = system.spawn(Spec::new(Sum::default).named("sum"))?;
//! sum.tell(Add(40)).await?;
//! assert_eq!(sum.ask(Add(2)).await?, 42);
//! system.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **One actor, one message at a time.** [`Actor::receive`] is never called twice at once for the same actor.
//! **Nothing is lost silently.** What cannot be delivered comes back as an error or ends in the [`DeadLetters`].
//! **Let it crash.** An error or a panic goes to the [`Supervisor`], a pure function from crash to [`Directive`].
//! **Nothing is global.** Names, state, dead letters and clocks belong to a [`System`]; a process may have many.
//!
//! The mailbox runs under the model checker: `RUSTFLAGS="--cfg loom" cargo test -p thalweg-actor --release --lib`.

#![forbid(unsafe_code)]

mod mailbox;
mod queue;
mod sync;

#[cfg(all(test, loom))]
mod models;

#[cfg(not(loom))]
mod actor;
#[cfg(not(loom))]
mod cell;
#[cfg(not(loom))]
mod cluster;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
pub mod crdt;
#[cfg(not(loom))]
mod dead_letters;
#[cfg(not(loom))]
mod envelope;
#[cfg(not(loom))]
mod failure;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
mod hub;
#[cfg(not(loom))]
mod names;
#[cfg(not(loom))]
mod path;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod random;
#[cfg(not(loom))]
mod reference;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod replicator;
#[cfg(not(loom))]
mod ring;
#[cfg(not(loom))]
mod router;
#[cfg(not(loom))]
mod runner;
#[cfg(not(loom))]
mod spec;
#[cfg(not(loom))]
mod state;
#[cfg(not(loom))]
mod supervisor;
#[cfg(not(loom))]
mod system;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod transport;

pub use mailbox::{Counters, Mailbox, Overflow, Push, Refused, Ticket};
pub use queue::Queue;

#[cfg(not(loom))]
pub use {
    actor::{Actor, Notice},
    cluster::{Boxed, Cluster, ClusterError, ClusterEvent, Member},
    context::Context,
    dead_letters::{DeadLetter, DeadLetters, LastDeadLetters, Undelivered},
    envelope::{Delivery, Envelope, Message, ReplyTo, Responded},
    failure::{Crashed, Failure, Reason, Terminated},
    handle::Handle,
    hub::{Hub, Node},
    path::{Id, Path},
    pool::Pool,
    reference::{AskError, Ref, TellError},
    registry::{Registry, RingRegistry},
    replicator::{Delivered, Gossip, Replica, ReplicaError, Replicator, Shared},
    ring::Ring,
    router::{Broadcast, ConsistentHash, LeastLoaded, RandomChoice, RoundRobin, Route, Router},
    spec::Spec,
    state::{SharedState, State},
    supervisor::{Crash, Directive, Escalate, History, Restart, Resume, Scope, Stop, Supervisor},
    system::{Builder, SpawnError, System},
    transport::{Packet, SendError, Transport},
};
