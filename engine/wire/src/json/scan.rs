//! The inner loop of JSON: the way to the end of a string.

use crate::simd::half::{self, HALF};
use crate::simd::{Level, Vector, Work, string_stop};

/// Index of the first byte at or after `from` that a string does not hold as it is: a quote, a backslash or a control
/// byte. The length of `data` when there is none.
#[inline(always)]
pub(super) fn find_special(data: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = data.get(at..).and_then(|rest| rest.first_chunk()) {
        let stops = half::string_stops(block);
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += HALF;
        if at - from >= LONG_BYTES {
            return find_far(data, at);
        }
    }
    find_near_end(data, at)
}

/// The rest of a long string.
#[inline(never)]
fn find_far(data: &[u8], from: usize) -> usize {
    Level::detect().run(StringStop { data, from })
}

/// The search with whatever the processor has.
struct StringStop<'a> {
    data: &'a [u8],
    from: usize,
}

impl Work for StringStop<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> usize {
        string_stop(vector, self.data, self.from)
    }
}

/// Bytes after which it pays to ask what the processor has to offer.
const LONG_BYTES: usize = 4 * HALF;

/// Fewer bytes are left than are looked at together: the last ones of all are, and those before `from` do not count.
#[inline(never)]
fn find_near_end(data: &[u8], from: usize) -> usize {
    match data.last_chunk() {
        Some(block) => {
            let first = data.len() - HALF;
            let stops = half::string_stops(block) >> (from - first).min(HALF);
            if stops != 0 { from + stops.trailing_zeros() as usize } else { data.len() }
        }
        None => {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
            data.get(from..).and_then(|rest| rest.iter().position(is_special)).map_or(data.len(), |n| from + n)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(data: &[u8], from: usize) -> usize {
        (from..data.len()).find(|&at| matches!(data[at], b'"' | b'\\' | 0..=0x1f)).unwrap_or(data.len())
    }

    #[test]
    fn every_byte_at_every_place_is_judged_as_by_the_naive_search() {
        for byte in 0..=255 {
            for len in (1..20).chain([100, 130]) {
                for place in 0..len {
                    for filler in [b'a', 0x20, 0x21, 0x7f, 0x80, 0xff] {
                        let mut data = vec![filler; len];
                        data[place] = byte;
                        for from in 0..=len {
                            assert_eq!(find_special(&data, from), naive(&data, from), "{data:?} from {from}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_second_special_byte_does_not_hide_the_first() {
        let bytes = [b'"', b'#', b'\\', b']', 0x1f, 0x20, 0, 1, 0x80, b'a'];
        for first in bytes {
            for second in bytes {
                for third in bytes {
                    let data = [first, second, third, b'a', b'a', b'a', b'a', b'"'];
                    assert_eq!(find_special(&data, 0), naive(&data, 0), "{data:?}");
                }
            }
        }
    }
}
