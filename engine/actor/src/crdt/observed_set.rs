//! A set to which nodes add and from which they remove what they have seen.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Replicated;
use super::context::{Dot, Seen};

/// A set. Removing takes away the additions that were seen; one that happens at the same time elsewhere stays.
///
/// It keeps no tombstones: each addition has a number of its node, and a replica that has seen the number but lacks the
/// element knows that it was removed. What is removed for good takes no memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Ord + DeserializeOwned"))]
pub struct ObservedSet<T> {
    /// As a list of pairs, since the keys of JSON are texts.
    #[serde(with = "pairs")]
    elements: BTreeMap<T, BTreeSet<Dot>>,
    seen: Seen,
}

impl<T> Default for ObservedSet<T> {
    fn default() -> Self {
        Self { elements: BTreeMap::new(), seen: Seen::default() }
    }
}

impl<T: Ord + Clone> ObservedSet<T> {
    /// Adds in the name of `node`.
    pub fn insert(&mut self, node: &str, element: T) -> Self {
        let dot = self.seen.next(node);
        let mut delta = Self::default();
        // The new addition stands for those before it.
        let before = self.elements.insert(element.clone(), BTreeSet::from([dot.clone()])).unwrap_or_default();
        self.seen.insert(dot.clone());
        delta.elements.insert(element, BTreeSet::from([dot.clone()]));
        before.into_iter().for_each(|dot| delta.seen.insert(dot));
        delta.seen.insert(dot);
        delta
    }

    /// Removes what was seen of it.
    pub fn remove(&mut self, element: &T) -> Self {
        let mut delta = Self::default();
        let removed = self.elements.remove(element).unwrap_or_default();
        removed.into_iter().for_each(|dot| delta.seen.insert(dot));
        delta
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(&self, element: &T) -> bool {
        self.elements.contains_key(element)
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.keys()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

impl<T: Ord + Clone + Serialize + DeserializeOwned + Send + 'static> Replicated for ObservedSet<T> {
    fn kind() -> String {
        "observed_set".into()
    }

    fn merge(&mut self, other: &Self) {
        // An addition stays if both have it, or if the one that lacks it has not seen it.
        self.elements.retain(|element, ours| {
            let theirs = other.elements.get(element);
            ours.retain(|dot| theirs.is_some_and(|theirs| theirs.contains(dot)) || !other.seen.contains(dot));
            !ours.is_empty()
        });
        for (element, theirs) in &other.elements {
            let new: Vec<_> = theirs.iter().filter(|dot| !self.seen.contains(dot)).cloned().collect();
            if !new.is_empty() {
                self.elements.entry(element.clone()).or_default().extend(new);
            }
        }
        self.seen.merge(&other.seen);
    }
}

mod pairs {
    use std::collections::BTreeMap;

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
