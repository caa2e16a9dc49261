//! A value that is set as a whole; the last one to set it wins.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Replicated;

/// When a value was set: by a clock, and by a count where clocks stand still or go backwards. The node decides between
/// two that are equal in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Microseconds by the clock of whoever set it, or of someone whose value it saw.
    pub time_us: u64,
    /// Counts what happened within that microsecond.
    pub count: u64,
    /// Who set it.
    pub node: String,
}

/// A value that the last one to set it decides.
///
/// A stamp is always later than all that were seen, even if the own clock is behind: what was set after something was
/// read wins over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register<T> {
    entry: Option<(Stamp, T)>,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self { entry: None }
    }
}

impl<T: Clone> Register<T> {
    /// Sets the value in the name of `node`, at a time.
    pub fn set(&mut self, node: &str, time_us: u64, value: T) -> Self {
        let (time_us, count) = match &self.entry {
            Some((seen, _)) if seen.time_us >= time_us => match seen.count.checked_add(1) {
                Some(count) => (seen.time_us, count),
                None => (seen.time_us.saturating_add(1), 0),
            },
            _ => (time_us, 0),
        };
        self.entry = Some((Stamp { time_us, count, node: node.to_owned() }, value));
        self.clone()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.entry.as_ref().map(|(_, value)| value)
    }

    /// When it was set, and by whom.
    #[must_use]
    pub fn stamp(&self) -> Option<&Stamp> {
        self.entry.as_ref().map(|(stamp, _)| stamp)
    }
}

impl<T: Clone + Serialize + DeserializeOwned + Send + 'static> Replicated for Register<T> {
    fn kind() -> String {
        "register".into()
    }

    fn merge(&mut self, other: &Self) {
        if other.stamp() > self.stamp() {
            self.entry.clone_from(&other.entry);
        }
    }
}
