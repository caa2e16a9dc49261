//! A hash table whose every entry lies in one place.
//!
//! Among a million entries a lookup costs what it touches that no cache holds. The table of the standard library touches two
//! places, its control bytes and the entry; here the hash lies beside what it stands for, and an entry that is not where it
//! belongs lies right behind.

/// Entries found by a hash that the caller gives; several may have the same.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// A power of two of them, at least half of them empty; or none at all.
    slots: Vec<Slot<T>>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    hash: u64,
    entry: Option<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }
}

impl<T> Table<T> {
    /// The entry with this hash for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.slots[self.place(hash, is_it)?].entry.as_ref()
    }

    /// Adds an entry, also if there is one like it.
    pub(crate) fn insert(&mut self, hash: u64, entry: T) {
        if (self.len + 1) * 2 > self.slots.len() {
            self.grow();
        }
        self.len += 1;
        self.put(Slot { hash, entry: Some(entry) });
    }

    /// Takes out the entry with this hash for which `is_it` holds.
    pub(crate) fn remove(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let mut gap = self.place(hash, is_it)?;
        let removed = self.slots[gap].entry.take();
        self.len -= 1;
        // What lies behind the gap moves up, unless it would then lie before the place where it is looked for first.
        let mask = self.slots.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let slot = &self.slots[at];
            if slot.entry.is_none() {
                return removed;
            }
            let first = slot.hash as usize & mask;
            if at.wrapping_sub(first) & mask >= at.wrapping_sub(gap) & mask {
                self.slots.swap(gap, at);
                gap = at;
            }
        }
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref())
    }

    #[inline]
    fn place(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = &self.slots[at];
            match &slot.entry {
                None => return None,
                Some(entry) if slot.hash == hash && is_it(entry) => return Some(at),
                Some(_) => at = (at + 1) & mask,
            }
        }
    }

    fn put(&mut self, new: Slot<T>) {
        let mask = self.slots.len() - 1;
        let mut at = new.hash as usize & mask;
        // There is an empty one: half of them are.
        while self.slots[at].entry.is_some() {
            at = (at + 1) & mask;
        }
        self.slots[at] = new;
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let empty = std::iter::repeat_with(|| Slot { hash: 0, entry: None }).take(slots).collect();
        for slot in std::mem::replace(&mut self.slots, empty) {
            if slot.entry.is_some() {
                self.put(slot);
            }
        }
    }
}

const SLOTS_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_holds_what_a_set_holds_however_the_hashes_fall() {
        // All alike, at the end of the table, a few, many.
        let hashes: [fn(u32) -> u64; 4] = [
            |_| 7,
            |key| u64::MAX - u64::from(key % 3),
            |key| u64::from(key % 5) * 3,
            |key| u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ];
        for (kind, hash) in hashes.into_iter().enumerate() {
            let (mut table, mut twin) = (Table::default(), BTreeSet::new());
            let mut state = 1_u64;
            for step in 0..20_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = (state >> 40) as u32 % if step % 2_000 < 1_000 { 60 } else { 20 };
                let is_it = |other: &u32| *other == key;
                assert_eq!(table.find(hash(key), is_it), twin.get(&key), "{kind} {step}");
                if state >> 63 == 0 {
                    assert_eq!(table.remove(hash(key), is_it), twin.take(&key), "{kind} {step}");
                } else if twin.insert(key) {
                    table.insert(hash(key), key);
                }
                if step % 101 == 0 {
                    assert_eq!(table.iter().copied().collect::<BTreeSet<u32>>(), twin, "{kind} {step}");
                }
            }
        }
    }
}
