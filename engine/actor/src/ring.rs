//! A hash ring: which of several members owns a key, such that a member that comes or goes moves only its own share.

use crate::random::mix;

/// Members on a circle, each at many points; a key belongs to the member at the next point.
///
/// The same members give the same owners in every process and in every version: the hash is FNV-1a of 64 bits, mixed.
#[derive(Clone, Debug)]
pub struct Ring {
    points_each: usize,
    members: Vec<String>,
    /// Where, and whose: the place in `members`. Sorted.
    points: Vec<(u64, u32)>,
}

impl Default for Ring {
    fn default() -> Self {
        Self::new(128)
    }
}

impl Ring {
    /// An empty ring with so many points for each member (at least one). The default is 128.
    #[must_use]
    pub fn new(points_each: usize) -> Self {
        Self { points_each: points_each.max(1), members: Vec::new(), points: Vec::new() }
    }

    /// A ring of these members.
    #[must_use]
    pub fn of<S: Into<String>>(members: impl IntoIterator<Item = S>) -> Self {
        let mut ring = Self::default();
        for member in members {
            ring.add(member);
        }
        ring
    }

    /// Adds a member; false if it is there.
    pub fn add(&mut self, member: impl Into<String>) -> bool {
        let member = member.into();
        if self.members.contains(&member) {
            return false;
        }
        let place = self.members.len() as u32;
        self.points.extend((0..self.points_each).map(|point| (point_hash(&member, point), place)));
        self.members.push(member);
        self.sort();
        true
    }

    /// Removes a member; false if it is not there.
    pub fn remove(&mut self, member: &str) -> bool {
        let Some(place) = self.members.iter().position(|other| other == member) else { return false };
        self.members.remove(place);
        let place = place as u32;
        self.points.retain(|(_, owner)| *owner != place);
        for (_, owner) in &mut self.points {
            *owner -= u32::from(*owner > place);
        }
        true
    }

    /// The members, in the order in which they came.
    #[must_use]
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// The owner of a key; nobody if there are no members.
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> Option<&str> {
        self.owner_of_hash(hash(key)).map(|place| self.members[place].as_str())
    }

    /// The owner of a key and those that stand in for it, one after the other: `count` different members at most.
    #[must_use]
    pub fn owners(&self, key: &[u8], count: usize) -> Vec<&str> {
        let start = self.first_point(hash(key));
        let mut owners = Vec::new();
        let around = self.points[start..].iter().chain(&self.points[..start]);
        for (_, place) in around {
            let member = self.members[*place as usize].as_str();
            if owners.len() == count.min(self.members.len()) {
                break;
            }
            if !owners.contains(&member) {
                owners.push(member);
            }
        }
        owners
    }

    /// The place in [`Ring::members`] of the owner of what has this hash.
    pub(crate) fn owner_of_hash(&self, hash: u64) -> Option<usize> {
        let point = self.points.get(self.first_point(hash)).or(self.points.first())?;
        Some(point.1 as usize)
    }

    fn first_point(&self, hash: u64) -> usize {
        self.points.partition_point(|(point, _)| *point < hash)
    }

    /// Should two points coincide, the name decides: the order in which members came must not.
    fn sort(&mut self) {
        let members = &self.members;
        self.points.sort_unstable_by(|one, other| {
            one.0.cmp(&other.0).then_with(|| members[one.1 as usize].cmp(&members[other.1 as usize]))
        });
    }
}

/// The hash of a key.
#[must_use]
pub(crate) fn hash(key: &[u8]) -> u64 {
    mix(fnv(FNV_START, key))
}

fn point_hash(member: &str, point: usize) -> u64 {
    let named = fnv(fnv(FNV_START, member.as_bytes()), b"#");
    mix(fnv(named, point.to_string().as_bytes()))
}

fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
