//! A counter that only grows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Replicated;

/// A counter that only grows: each node counts for itself, and the larger count is the later one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowCounter {
    counts: BTreeMap<String, u64>,
}

impl GrowCounter {
    /// Adds to the count of `node`. The delta is that count. Stops at the largest number there is.
    pub fn add(&mut self, node: &str, amount: u64) -> Self {
        let count = match self.counts.get_mut(node) {
            Some(count) => count,
            None => self.counts.entry(node.to_owned()).or_default(),
        };
        *count = count.saturating_add(amount);
        Self { counts: BTreeMap::from([(node.to_owned(), *count)]) }
    }

    /// The sum of all counts.
    #[must_use]
    pub fn value(&self) -> u128 {
        self.counts.values().map(|count| u128::from(*count)).sum()
    }

    /// The count of one node.
    #[must_use]
    pub fn of(&self, node: &str) -> u64 {
        self.counts.get(node).copied().unwrap_or(0)
    }
}

impl Replicated for GrowCounter {
    fn kind() -> String {
        "grow_counter".into()
    }

    fn merge(&mut self, other: &Self) {
        for (node, theirs) in &other.counts {
            let ours = self.counts.entry(node.clone()).or_default();
            *ours = (*ours).max(*theirs);
        }
    }
}
