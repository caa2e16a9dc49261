//! Where the lines of a text end, 64 bytes at a time, and in the same pass whether it is plain ASCII.

use super::{BLOCK, Level, Vector, Work};

/// Line ends that fit in one list; those of a step of 64 bytes always do.
pub(crate) const ENDS_MAX: usize = STEP + 34;

/// Bytes of one step.
const STEP: usize = 2 * BLOCK;

/// Bytes of the longest text: its places fit the list.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 15;

/// What was seen of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Bytes looked at: all, or as many as have line ends for the list.
    pub(crate) bytes: usize,
    /// Line feeds found.
    pub(crate) count: usize,
    /// Whether there may be a carriage return among the bytes.
    pub(crate) has_return: bool,
    /// Whether there may be bytes outside of ASCII.
    pub(crate) has_high: bool,
}

/// Notes the places of line feeds in `bytes[start..]`, counted from `start`. About `length` bytes are looked at, no more
/// than [`TEXT_BYTES_MAX`]; those before `start` may be looked at again.
#[inline]
pub(crate) fn line_ends(level: Level, bytes: &[u8], start: usize, length: usize, ends: &mut [u16; ENDS_MAX]) -> Seen {
    level.run(LineEnds { bytes, start, length: length.min(TEXT_BYTES_MAX - STEP), ends })
}

struct LineEnds<'b, 'e> {
    bytes: &'b [u8],
    start: usize,
    length: usize,
    ends: &'e mut [u16; ENDS_MAX],
}

impl Work for LineEnds<'_, '_> {
    type Output = Seen;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Seen {
        let Self { bytes, start, length, ends } = self;
        let text = bytes.get(start..).unwrap_or_default();
        let mut marks = Marks { vector, returns: 0, high: 0 };
        let (mut at, mut count) = (0, 0);
        let (steps, _) = text.as_chunks();
        for step in &steps[..steps.len().min(length.div_ceil(STEP))] {
            note(marks.line_feeds(step), at, ends, &mut count);
            at += STEP;
            if count > ENDS_MAX - STEP {
                break;
            }
        }
        let left = text.len() - at;
        if left > 0 && left < STEP && count <= ENDS_MAX - STEP && at < length {
            let feeds = match bytes.last_chunk() {
                // The last bytes of all; those before were seen or do not count.
                Some(step) => marks.line_feeds(step) >> (STEP - left),
                None => {
                    let mut step = [0; STEP];
                    step[..left].copy_from_slice(&text[at..]);
                    marks.line_feeds(&step)
                }
            };
            note(feeds, at, ends, &mut count);
            at = text.len();
        }
        Seen { bytes: at, count, has_return: marks.returns != 0, has_high: marks.high != 0 }
    }
}

struct Marks<V> {
    vector: V,
    returns: u32,
    high: u32,
}

impl<V: Vector> Marks<V> {
    #[inline(always)]
    fn line_feeds(&mut self, step: &[u8; STEP]) -> u64 {
        let vector = self.vector;
        let (blocks, _) = step.as_chunks::<BLOCK>();
        let [low, high] = [vector.load(&blocks[0]), vector.load(&blocks[1])];
        self.returns |= vector.is_byte(low, b'\r') | vector.is_byte(high, b'\r');
        self.high |= vector.high_bits(vector.or(low, high));
        u64::from(vector.is_byte(low, b'\n')) | u64::from(vector.is_byte(high, b'\n')) << BLOCK
    }
}

/// Writes the places of the bits down, which fit. A step has mostly two at most, so two are written whether they are
/// there or not, which no branch has to guess.
#[inline(always)]
fn note(feeds: u64, at: usize, ends: &mut [u16; ENDS_MAX], count: &mut usize) {
    let Some(slots) = ends.get_mut(*count..) else { return };
    let mut left = feeds;
    let mut next = || {
        let place = (at + left.trailing_zeros() as usize) as u16;
        left &= left.wrapping_sub(1);
        place
    };
    *count += feeds.count_ones() as usize;
    if let [first, second, others @ ..] = slots {
        (*first, *second) = (next(), next());
        if feeds.count_ones() > 2 {
            for slot in others.iter_mut().take(feeds.count_ones() as usize - 2) {
                *slot = next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::levels;

    /// The same, a byte at a time, but that only the bytes that count are looked at.
    fn naive(text: &[u8], bytes: usize) -> (Vec<u16>, bool, bool) {
        let text = &text[..bytes];
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at as u16);
        (ends.collect(), text.contains(&b'\r'), !text.is_ascii())
    }

    fn check(bytes: &[u8], start: usize) {
        for level in levels() {
            let mut ends = [u16::MAX; ENDS_MAX];
            let seen = line_ends(level, bytes, start, usize::MAX, &mut ends);
            let text = &bytes[start..];
            let (expected, has_return, has_high) = naive(text, seen.bytes);
            assert_eq!(&ends[..seen.count], expected, "{level:?}: {bytes:?} from {start}");
            // What is said too much costs time only.
            assert!(seen.has_return || !has_return, "{level:?}: {bytes:?} from {start}");
            assert!(seen.has_high || !has_high, "{level:?}: {bytes:?} from {start}");
            if start == 0 {
                assert_eq!((seen.has_return, seen.has_high), (has_return, has_high), "{level:?}: {bytes:?}");
            }
            let is_full = seen.count > ENDS_MAX - STEP || seen.bytes + STEP >= TEXT_BYTES_MAX;
            assert!(seen.bytes == text.len() || is_full, "{level:?}: {} of {} bytes", seen.bytes, text.len());
        }
    }

    #[test]
    fn every_kind_of_byte_at_every_place_of_short_texts_is_seen() {
        for length in 0..150 {
            for start in [0, 1, length / 2, length] {
                check(&vec![b'x'; length], start.min(length));
                for place in start.min(length)..length {
                    for byte in [b'\n', b'\r', 0xff] {
                        let mut bytes = vec![b'x'; length];
                        bytes[place] = byte;
                        bytes[length - 1] = b'\n';
                        check(&bytes, start);
                    }
                }
            }
        }
    }

    #[test]
    fn line_ends_in_every_pattern_are_noted_in_order() {
        for pattern in 0..1_u32 << 10 {
            let bytes: Vec<u8> = (0..200).map(|n| if pattern >> (n % 10) & 1 == 1 { b'\n' } else { b'x' }).collect();
            check(&bytes, 0);
            check(&bytes, 3);
        }
    }

    #[test]
    fn a_long_text_is_seen_in_parts() {
        let mut bytes = vec![b'x'; 3 * TEXT_BYTES_MAX];
        check(&bytes, 0);
        bytes[TEXT_BYTES_MAX - 1] = b'\n';
        check(&bytes, 0);
        check(&bytes, 5);
    }
}
