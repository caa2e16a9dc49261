//! From path to actor, in the same time whether there are ten or a million.
//!
//! Among a million, what costs is memory that no cache holds. So the hash lies in the table beside its actor, the path at
//! the head of the cell itself, and a lookup touches two such places. Hashes have a secret, so that nobody fills one place on purpose.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cell::Control;
use crate::path::{Id, Path};
use crate::table::Table;

/// The actors of a system by their paths. In shards, so that threads seldom meet.
pub(crate) struct Names {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
}

type Shard = Table<Arc<dyn Control>>;

impl Names {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, hasher: RandomState::new() }
    }

    fn shard(&self, path: &str) -> (u64, &RwLock<Shard>) {
        let hash = self.hasher.hash_one(path);
        // Bits from the middle: the table within uses the lowest.
        (hash, &self.shards[(hash >> 32) as usize % SHARDS])
    }

    /// Takes the actor in, unless its path is taken.
    pub(crate) fn insert(&self, actor: Arc<dyn Control>) -> bool {
        let (hash, shard) = self.shard(actor.path().as_str());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.find(hash, |other| other.path() == actor.path()).is_some() {
            return false;
        }
        shard.insert(hash, actor);
        true
    }

    /// Frees the path, unless a successor has it.
    pub(crate) fn remove(&self, path: &Path, id: Id) {
        let (hash, shard) = self.shard(path.as_str());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let removed = shard.remove(hash, |actor| actor.id() == id);
        drop(shard);
        drop(removed);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Arc<dyn Control>> {
        let (hash, shard) = self.shard(path);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.find(hash, |actor| actor.path().as_str() == path).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn Control>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.iter().cloned());
        }
        all
    }
}

const SHARDS: usize = 64;
