//! Which worker of a pool gets a message.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::envelope::Message;
use crate::random::{Random, mix};
use crate::reference::Ref;
use crate::ring::{Ring, hash};

/// Chooses among the workers of a pool.
pub trait Router<M: Message>: Send + Sync {
    /// Who gets `message`. `workers` is never empty.
    fn route(&self, message: &M, workers: &[Ref<M>]) -> Route<M>;

    /// Workers came or went. Not called while [`Router::route`] runs.
    fn changed(&mut self, workers: &[Ref<M>]) {
        let _ = workers;
    }
}

/// The choice of a router.
pub enum Route<M> {
    /// The worker at this place.
    One(usize),
    /// Every worker; this is how a message is copied.
    All(fn(&M) -> M),
}

/// One after the other.
#[derive(Debug, Default)]
pub struct RoundRobin(AtomicUsize);

impl<M: Message> Router<M> for RoundRobin {
    fn route(&self, _: &M, workers: &[Ref<M>]) -> Route<M> {
        Route::One(self.0.fetch_add(1, Ordering::Relaxed) % workers.len())
    }
}

/// Any of them, by the numbers that a seed gives.
#[derive(Debug)]
pub struct RandomChoice(Random);

impl RandomChoice {
    /// The same seed gives the same choices.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Random::new(mix(seed)))
    }
}

impl<M: Message> Router<M> for RandomChoice {
    fn route(&self, _: &M, workers: &[Ref<M>]) -> Route<M> {
        Route::One((self.0.next() % workers.len() as u64) as usize)
    }
}

/// Every one of them. An ask gets the first answer.
#[derive(Debug, Default)]
pub struct Broadcast;

impl<M: Message + Clone> Router<M> for Broadcast {
    fn route(&self, _: &M, _: &[Ref<M>]) -> Route<M> {
        Route::All(M::clone)
    }
}

/// The one for which the fewest messages wait; among equals, one after the other.
#[derive(Debug, Default)]
pub struct LeastLoaded(AtomicUsize);

impl<M: Message> Router<M> for LeastLoaded {
    fn route(&self, _: &M, workers: &[Ref<M>]) -> Route<M> {
        let start = self.0.fetch_add(1, Ordering::Relaxed) % workers.len();
        let mut best = (usize::MAX, start);
        for place in (start..workers.len()).chain(0..start) {
            let load = workers[place].load();
            if load < best.0 {
                best = (load, place);
            }
            if load == 0 {
                break;
            }
        }
        Route::One(best.1)
    }
}

/// The same key goes to the same worker, and a worker that comes or goes moves only its own share of the keys.
pub struct ConsistentHash<F> {
    key: F,
    ring: Ring,
}

impl<F> ConsistentHash<F> {
    /// By the key that `key` writes into the buffer, on a ring with 128 points for each worker.
    pub fn by(key: F) -> Self {
        Self { key, ring: Ring::default() }
    }
}

impl<M: Message, F: Fn(&M, &mut Vec<u8>) + Send + Sync> Router<M> for ConsistentHash<F> {
    fn route(&self, message: &M, _: &[Ref<M>]) -> Route<M> {
        let mut key = Vec::new();
        (self.key)(message, &mut key);
        Route::One(self.ring.owner_of_hash(hash(&key)).unwrap_or(0))
    }

    fn changed(&mut self, workers: &[Ref<M>]) {
        let names: Vec<_> = workers.iter().map(|worker| worker.path().name()).collect();
        if names.iter().copied().eq(self.ring.members().iter().map(String::as_str)) {
            return;
        }
        // Rebuilt, so that its places are those of the workers.
        self.ring = Ring::of(names);
    }
}
