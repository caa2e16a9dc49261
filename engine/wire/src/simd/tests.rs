//! Every kernel on every level that this processor has, against what a plain loop says.

use super::{BLOCK, Level, Scalar, Vector, Work, string_stop};

/// All levels of this processor.
pub(super) fn levels() -> Vec<Level> {
    let mut levels = vec![Level::Scalar(Scalar), Level::detect()];
    #[cfg(target_arch = "x86_64")]
    levels.push(Level::Sse2(super::Sse2));
    levels
}

struct FindStop<'a>(&'a [u8], usize);

impl Work for FindStop<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> usize {
        string_stop(vector, self.0, self.1)
    }
}

/// The answers of every kernel for two blocks.
#[derive(Debug, PartialEq, Eq)]
struct Answers {
    equal: u32,
    quotes: u32,
    stops: u32,
    high: u32,
    unusual: u32,
    are_usual: [bool; 4],
    non_digits: u32,
    differs: bool,
    is_any_set: bool,
}

struct Ask<'a>(&'a [u8; BLOCK], &'a [u8; BLOCK]);

impl Work for Ask<'_> {
    type Output = Answers;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Answers {
        let (one, other) = (vector.load(self.0), vector.load(self.1));
        Answers {
            equal: vector.equal(one, other),
            quotes: vector.is_byte(one, b'"'),
            stops: vector.string_stops(one),
            high: vector.high_bits(one),
            unusual: vector.unusual(one),
            are_usual: std::array::from_fn(|at| {
                let mut blocks = [vector.load(&[b'x'; BLOCK]); 4];
                blocks[at] = one;
                vector.are_usual(blocks)
            }),
            non_digits: vector.non_digits(one),
            differs: !vector.is_zero(vector.xor(one, other)),
            is_any_set: !vector.is_zero(vector.or(one, other)),
        }
    }
}

fn expected(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> Answers {
    let mask = |is_set: &dyn Fn(usize) -> bool| (0..BLOCK).filter(|&n| is_set(n)).fold(0, |mask, n| mask | 1 << n);
    Answers {
        equal: mask(&|n| one[n] == other[n]),
        quotes: mask(&|n| one[n] == b'"'),
        stops: mask(&|n| matches!(one[n], b'"' | b'\\' | 0..=0x1f)),
        high: mask(&|n| !one[n].is_ascii()),
        unusual: mask(&|n| one[n].is_ascii_control() && one[n] != 0x7f || !one[n].is_ascii()),
        non_digits: mask(&|n| !one[n].is_ascii_digit()),
        are_usual: [one.iter().all(|byte| (0x20..0x80).contains(byte)); 4],
        differs: one != other,
        is_any_set: one.iter().chain(other).any(|&byte| byte != 0),
    }
}

#[test]
fn every_byte_at_every_place_is_seen_as_what_it_is() {
    for level in levels() {
        for background in [b'a', b'5', 0, 0xff] {
            for byte in 0..=u8::MAX {
                for place in 0..BLOCK {
                    let other = [background; BLOCK];
                    let mut one = other;
                    one[place] = byte;
                    let got = level.run(Ask(&one, &other));
                    assert_eq!(got, expected(&one, &other), "{level:?}: {byte} at {place} among {background}");
                }
            }
        }
    }
}

#[test]
fn the_first_stop_of_a_string_is_found_wherever_it_stands() {
    for level in levels() {
        for length in 0..3 * BLOCK {
            assert_eq!(level.run(FindStop(&vec![b'x'; length], 0)), length, "{level:?}");
            for place in 0..length {
                for stop in [b'"', b'\\', 0, b'\n', 0x1f] {
                    let mut bytes = vec![0xe4; length];
                    bytes[place] = stop;
                    bytes[length - 1] = if place + 1 == length { stop } else { b'"' };
                    for from in [0, place / 2, place] {
                        let found = level.run(FindStop(&bytes, from));
                        assert_eq!(found, place, "{level:?}: {length} bytes from {from}");
                    }
                }
            }
        }
    }
}
