//! The keys that a codec reads of an object.

use super::Text;

/// A fixed list of keys, in the order in which they mostly stand on the wire.
///
/// A look-up starts behind the key found last, so an object in the usual order is read with one comparison a key, and a
/// key of no interest is mostly told by its first byte and length.
#[derive(Debug)]
pub struct Names<const N: usize> {
    names: [&'static str; N],
    seen: u64,
}

impl<const N: usize> Names<N> {
    /// The list of `names`, which differ.
    #[must_use]
    pub const fn new(names: [&'static str; N]) -> Self {
        let mut seen = 0;
        let mut at = 0;
        while at < N {
            seen |= bit(names[at].as_bytes());
            at += 1;
        }
        Self { names, seen }
    }

    /// Place of `key` in the list; the search starts at `hint`.
    #[inline]
    #[must_use]
    pub fn find(&self, key: Text<'_>, hint: usize) -> Option<usize> {
        if key.is_escaped() {
            return self.names.iter().position(|name| key.is(name.as_bytes()));
        }
        let key = key.raw();
        if self.seen & bit(key) == 0 {
            return None;
        }
        let hint = hint.min(N);
        let is_key = |name: &&str| name.as_bytes() == key;
        self.names[hint..]
            .iter()
            .position(is_key)
            .map(|at| at + hint)
            .or_else(|| self.names[..hint].iter().position(is_key))
    }
}

/// The bit for the first byte and the length of a key.
#[inline]
const fn bit(key: &[u8]) -> u64 {
    let first = if key.is_empty() { 0 } else { key[0] as u64 };
    1 << ((first ^ (key.len() as u64 * 11)) & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_from_every_hint() {
        let list = ["id", "choices", "usage", "model", "x", ""];
        let names = Names::new(list);
        for (at, name) in list.iter().enumerate() {
            for hint in 0..9 {
                assert_eq!(names.find(Text::new(name.as_bytes(), false), hint), Some(at), "{name} from {hint}");
            }
        }
        assert_eq!(names.find(Text::new(br"\u0069d", true), 3), Some(0));
        for other in ["ix", "idd", "i", "models", "a very long key that is not in the list"] {
            assert_eq!(names.find(Text::new(other.as_bytes(), false), 0), None, "{other}");
        }
    }
}
