//! Who an actor is: a number that is never used twice, and a path.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The number of an actor within its system. A successor under the same name has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(crate) u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where an actor lives, such as `/user/team/worker`. Cheap to clone.
#[derive(Clone)]
pub struct Path(Text);

/// A short path lies in place, so that it can be compared without a step elsewhere.
#[derive(Clone)]
enum Text {
    Short(u8, [u8; SHORT]),
    Long(Arc<str>),
}

impl Path {
    /// The path of an actor without parent.
    pub(crate) fn top(name: &str) -> Self {
        Self::joined("/user", name)
    }

    /// The path of a child.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self::joined(self.as_str(), name)
    }

    fn joined(parent: &str, name: &str) -> Self {
        let len = parent.len() + 1 + name.len();
        if len > SHORT {
            return Self(Text::Long(format!("{parent}/{name}").into()));
        }
        let mut bytes = [0; SHORT];
        bytes[..parent.len()].copy_from_slice(parent.as_bytes());
        bytes[parent.len()] = b'/';
        bytes[parent.len() + 1..len].copy_from_slice(name.as_bytes());
        Self(Text::Short(len as u8, bytes))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short(len, bytes) => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).expect("joined of two texts with a slash between")
            }
            Text::Long(text) => text,
        }
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }
}

impl Borrow<str> for Path {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Path {}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Longest path that lies in place.
const SHORT: usize = 30;
