//! What a replica has seen: of each node a first part without gaps, and single later events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// An event: the `number`th of a node, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Dot(pub(crate) String, pub(crate) u64);

/// A set of dots that takes one number a node, as long as none are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// All up to this number.
    upto: BTreeMap<String, u64>,
    /// And these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    single: BTreeSet<Dot>,
}

impl Seen {
    pub(crate) fn contains(&self, dot: &Dot) -> bool {
        self.upto.get(&dot.0).is_some_and(|upto| dot.1 <= *upto) || self.single.contains(dot)
    }

    /// The next event of a node: later than all that were seen of it.
    pub(crate) fn next(&self, node: &str) -> Dot {
        let upto = self.upto.get(node).copied().unwrap_or(0);
        let single = self.single.iter().filter(|dot| dot.0 == node).map(|dot| dot.1).max().unwrap_or(0);
        Dot(node.to_owned(), upto.max(single) + 1)
    }

    pub(crate) fn insert(&mut self, dot: Dot) {
        if !self.contains(&dot) {
            self.single.insert(dot);
            self.compact();
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (node, theirs) in &other.upto {
            let ours = self.upto.entry(node.clone()).or_default();
            *ours = (*ours).max(*theirs);
        }
        self.single.extend(other.single.iter().cloned());
        self.compact();
    }

    /// Moves single events into the part without gaps. They are sorted, so one pass does it.
    fn compact(&mut self) {
        let upto = &mut self.upto;
        self.single.retain(|dot| {
            let known = upto.get(&dot.0).copied().unwrap_or(0);
            if dot.1 == known + 1 {
                upto.insert(dot.0.clone(), dot.1);
            }
            dot.1 > known + 1
        });
    }
}
