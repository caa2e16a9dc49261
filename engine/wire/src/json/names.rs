//! The keys that a codec reads of an object.

use super::Text;
use crate::simd::half::{self, HALF};

/// A fixed list of keys, in the order in which they mostly stand on the wire.
///
/// A look-up starts behind the key found last, so an object in the usual order is read with one comparison a key, and a
/// key of no interest is mostly told by its first byte and length.
#[derive(Debug)]
pub struct Names<const N: usize> {
    names: [&'static str; N],
    quoted: [Quoted; N],
    seen: u64,
}

/// A name as it stands on the wire: between quotes, with a colon.
#[derive(Clone, Copy, Debug)]
struct Quoted {
    /// The first bytes of it.
    head: [u8; HALF],
    /// The last bytes of it, if the head is not all.
    tail: [u8; HALF],
    length: usize,
}

impl<const N: usize> Names<N> {
    /// The list of `names`, which differ.
    #[must_use]
    pub const fn new(names: [&'static str; N]) -> Self {
        let mut seen = 0;
        let mut all = [Quoted { head: [0; HALF], tail: [0; HALF], length: 0 }; N];
        let mut at = 0;
        while at < N {
            seen |= bit(names[at].as_bytes());
            all[at] = quoted(names[at].as_bytes());
            at += 1;
        }
        Self { names, quoted: all, seen }
    }

    /// The list without its length in the type.
    pub(super) const fn list(&self) -> List<'_> {
        List { names: &self.names, quoted: &self.quoted }
    }

    /// Place of a name in the list, for constants.
    ///
    /// # Panics
    /// When it is not in the list, which the compiler says.
    #[must_use]
    pub const fn place(&self, name: &str) -> usize {
        let mut at = 0;
        while at < N {
            if is_same(self.names[at].as_bytes(), name.as_bytes()) {
                return at;
            }
            at += 1;
        }
        panic!("this name is not in the list");
    }

    /// Place of `key` in the list; the search starts at `hint`.
    #[inline]
    #[must_use]
    pub fn find(&self, key: Text<'_>, hint: usize) -> Option<usize> {
        if !key.is_escaped() && self.seen & bit(key.raw()) == 0 {
            return None;
        }
        self.list().find(key, hint)
    }
}

/// The names of a list, however many.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<'n> {
    names: &'n [&'static str],
    quoted: &'n [Quoted],
}

impl List<'_> {
    /// What is behind the key and the colon at `data[at..]`, if the key is the one at `place` of the list.
    #[inline(always)]
    pub(super) fn behind(&self, data: &[u8], at: usize, place: usize) -> Option<usize> {
        let quoted = self.quoted.get(place)?;
        let rest = data.get(at..)?;
        let is_here = match rest.first_chunk() {
            Some(head) if quoted.length <= HALF => half::is_prefix(head, &quoted.head, quoted.length),
            Some(head) => half::is_prefix(head, &quoted.head, HALF) && quoted.has_tail(rest, self.names[place]),
            None => is_whole(rest, self.names[place]),
        };
        is_here.then_some(at + quoted.length)
    }

    /// Place of `key`; the search starts at `hint`.
    #[inline(never)]
    pub(super) fn find(&self, key: Text<'_>, hint: usize) -> Option<usize> {
        if key.is_escaped() {
            return self.names.iter().position(|name| key.is(name.as_bytes()));
        }
        let (before, behind) = self.names.split_at(hint.min(self.names.len()));
        let is_key = |name: &&str| name.as_bytes() == key.raw();
        let place = behind.iter().position(is_key).map(|place| place + before.len());
        place.or_else(|| before.iter().position(is_key))
    }
}

/// Two quotes and a colon.
const EXTRA: usize = 3;

impl Quoted {
    /// Whether `rest` goes on like a name that is longer than its head.
    #[inline]
    fn has_tail(&self, rest: &[u8], name: &str) -> bool {
        let tail = rest.get(self.length - HALF..).and_then(|tail| tail.first_chunk());
        match tail {
            Some(tail) if self.length <= 2 * HALF => half::is_prefix(tail, &self.tail, HALF),
            _ => is_whole(rest, name),
        }
    }
}

/// The whole name, where the payload ends soon.
#[inline(never)]
fn is_whole(rest: &[u8], name: &str) -> bool {
    let end = rest.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(name.as_bytes()));
    end.is_some_and(|end| end.starts_with(b"\":"))
}

/// `==`, which constants cannot use.
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const fn quoted(name: &[u8]) -> Quoted {
    let mut quoted = Quoted { head: [0; HALF], tail: [0; HALF], length: name.len() + EXTRA };
    let mut at = 0;
    while at < quoted.length {
        let byte = match at {
            0 => b'"',
            n if n <= name.len() => name[n - 1],
            n if n == name.len() + 1 => b'"',
            _ => b':',
        };
        if at < HALF {
            quoted.head[at] = byte;
        }
        if quoted.length >= HALF && at >= quoted.length - HALF {
            quoted.tail[at + HALF - quoted.length] = byte;
        }
        at += 1;
    }
    quoted
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

    #[test]
    fn a_name_is_seen_on_the_wire_only_if_all_of_it_is_there() {
        for len in 0..40 {
            let name: &'static str = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst".get(..len).unwrap();
            let names = Names::new([name]);
            let wire = format!("\"{name}\":");
            for behind in 0..20 {
                let data = [b"?", wire.as_bytes(), &b"\"xyz,]}0123456789abcdef"[..behind]].concat();
                assert_eq!(names.list().behind(&data, 1, 0), Some(1 + wire.len()), "{name} before {behind} bytes");
                for place in 1..=wire.len() {
                    let mut other = data.clone();
                    other[place] ^= 1;
                    assert_eq!(names.list().behind(&other, 1, 0), None, "{name} with another byte at {place}");
                    assert_eq!(names.list().behind(&data[..place], 1, 0), None, "{name} cut at {place}");
                }
            }
            assert_eq!(names.list().behind(wire.as_bytes(), 0, 1), None);
        }
    }
}
