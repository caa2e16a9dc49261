//! A counter that goes both ways.

use serde::{Deserialize, Serialize};

use super::{GrowCounter, Replicated};

/// A counter that goes up and down: two that grow, and their difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpDownCounter {
    up: GrowCounter,
    down: GrowCounter,
}

impl UpDownCounter {
    /// Adds, or takes away if `amount` is negative, in the name of `node`.
    pub fn add(&mut self, node: &str, amount: i64) -> Self {
        let mut delta = Self::default();
        if amount >= 0 {
            delta.up = self.up.add(node, amount.unsigned_abs());
        } else {
            delta.down = self.down.add(node, amount.unsigned_abs());
        }
        delta
    }

    /// What is left.
    #[must_use]
    pub fn value(&self) -> i128 {
        // Sums of counts of 64 bits: more than 2^63 nodes would have to count before this is out of range.
        self.up.value() as i128 - self.down.value() as i128
    }
}

impl Replicated for UpDownCounter {
    fn kind() -> String {
        "up_down_counter".into()
    }

    fn merge(&mut self, other: &Self) {
        self.up.merge(&other.up);
        self.down.merge(&other.down);
    }
}
