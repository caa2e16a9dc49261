//! From path to actor, in the same time whether there are ten or a million.
//!
//! Among a million, what costs is memory that no cache holds. So the table holds hashes, the path lies at the head of the
//! cell itself, and a lookup touches two such places: the bucket and the cell.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use crate::cell::Control;
use crate::path::{Id, Path};

/// The actors of a system by their paths. In shards, so that threads seldom meet.
pub(crate) struct Names {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    by_hash: HashMap<u64, Arc<dyn Control>, BuildHasherDefault<Whole>>,
    /// Those whose hash another one has. Hashes have a secret, so that nobody fills this on purpose.
    twins: HashMap<Path, Arc<dyn Control>>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, hasher: RandomState::new() }
    }

    fn shard(&self, path: &str) -> (u64, &RwLock<Shard>) {
        let hash = self.hasher.hash_one(path);
        // Bits from the middle: the map within uses the lowest and the highest.
        (hash, &self.shards[(hash >> 32) as usize % SHARDS])
    }

    /// Takes the actor in, unless its path is taken.
    pub(crate) fn insert(&self, actor: Arc<dyn Control>) -> bool {
        let (hash, shard) = self.shard(actor.path().as_str());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let shard = &mut *shard;
        if shard.twins.contains_key(actor.path()) {
            return false;
        }
        match shard.by_hash.entry(hash) {
            Entry::Vacant(place) => {
                place.insert(actor);
                true
            }
            Entry::Occupied(other) if other.get().path() == actor.path() => false,
            Entry::Occupied(_) => shard.twins.insert(actor.path().clone(), actor).is_none(),
        }
    }

    /// Frees the path, unless a successor has it.
    pub(crate) fn remove(&self, path: &Path, id: Id) {
        let (hash, shard) = self.shard(path.as_str());
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let removed = if shard.by_hash.get(&hash).is_some_and(|actor| actor.id() == id) {
            shard.by_hash.remove(&hash)
        } else if shard.twins.get(path).is_some_and(|actor| actor.id() == id) {
            shard.twins.remove(path)
        } else {
            None
        };
        drop(shard);
        drop(removed);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Arc<dyn Control>> {
        let (hash, shard) = self.shard(path);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        match shard.by_hash.get(&hash) {
            Some(actor) if actor.path().as_str() == path => Some(actor.clone()),
            _ if shard.twins.is_empty() => None,
            _ => shard.twins.get(path).cloned(),
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn Control>> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.by_hash.values().chain(shard.twins.values()).cloned());
        }
        all
    }
}

/// Takes a hash for what it is.
#[derive(Default)]
struct Whole(u64);

impl Hasher for Whole {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only numbers are ever hashed here; other bytes would still give a hash.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

const SHARDS: usize = 64;
