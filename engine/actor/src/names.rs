//! From path to actor, in the same time whether there are ten or a million.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cell::Control;
use crate::path::{Id, Path};

/// The actors of a system by their paths. In shards, so that threads seldom meet.
pub(crate) struct Names {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

type Shard = RwLock<HashMap<Path, Arc<dyn Control>, RandomState>>;

impl Names {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::new();
        let shards = (0..SHARDS).map(|_| RwLock::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { shards, hasher }
    }

    fn shard(&self, path: &str) -> &Shard {
        // The upper bits: the map within uses the lower ones.
        let hash = self.hasher.hash_one(path);
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    /// Takes the actor in, unless its path is taken.
    pub(crate) fn insert(&self, actor: Arc<dyn Control>) -> bool {
        let mut shard = self.shard(actor.path().as_str()).write().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(actor.path().clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(actor);
                true
            }
        }
    }

    /// Frees the path, unless a successor has it.
    pub(crate) fn remove(&self, path: &Path, id: Id) {
        let mut shard = self.shard(path.as_str()).write().unwrap_or_else(PoisonError::into_inner);
        let removed = if shard.get(path).is_some_and(|actor| actor.id() == id) { shard.remove(path) } else { None };
        drop(shard);
        drop(removed);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Arc<dyn Control>> {
        self.shard(path).read().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn Control>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.read().unwrap_or_else(PoisonError::into_inner).values().cloned());
        }
        all
    }
}

const SHARDS: usize = 64;
