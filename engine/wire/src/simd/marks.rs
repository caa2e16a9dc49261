//! Where 64 bytes have line ends, and where something that plain text has not.

use super::{BLOCK, Vector};

/// Bytes looked at in one step; one bit of a mask stands for each, the lowest for the first.
pub(crate) const STEP: usize = 2 * BLOCK;

/// A text, a step at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps<'b> {
    bytes: &'b [u8],
}

impl<'b> Steps<'b> {
    #[inline(always)]
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// Whether two steps at `at` are there and nothing but plain ASCII.
    #[inline(always)]
    pub(crate) fn are_two_usual<V: Vector>(self, vector: V, at: usize) -> bool {
        let Some(steps) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<{ 2 * STEP }>()) else {
            return false;
        };
        let (blocks, _) = steps.as_chunks::<BLOCK>();
        vector.are_usual([0, 1, 2, 3].map(|n: usize| vector.load(&blocks[n])))
    }

    /// The step at `at`, which lies before the end. What is behind the end is blank, and so are its marks.
    #[inline(always)]
    pub(crate) fn at<V: Vector>(self, vector: V, at: usize) -> Step<V> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match (rest.first_chunk(), self.bytes.last_chunk()) {
            (Some(step), _) => Step::load(vector, step, 0),
            // The last bytes of all; those before `at` are shifted out.
            (None, Some(step)) => Step::load(vector, step, STEP - rest.len()),
            (None, None) => {
                let mut step = [b' '; STEP];
                step[..rest.len()].copy_from_slice(rest);
                Step::load(vector, &step, 0)
            }
        }
    }
}

/// 64 bytes in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<V: Vector> {
    vector: V,
    halves: [V::Block; 2],
    /// Bytes at the front that do not count.
    shift: u32,
}

impl<V: Vector> Step<V> {
    #[inline(always)]
    fn load(vector: V, step: &[u8; STEP], shift: usize) -> Self {
        let (blocks, _) = step.as_chunks::<BLOCK>();
        Self { vector, halves: [vector.load(&blocks[0]), vector.load(&blocks[1])], shift: shift as u32 }
    }

    #[inline(always)]
    fn mask(self, ask: impl Fn(V, V::Block) -> u32) -> u64 {
        let [low, high] = self.halves.map(|half| u64::from(ask(self.vector, half)));
        (low | high << BLOCK) >> self.shift
    }

    /// The control bytes, line ends among them, and the bytes outside of ASCII.
    #[inline(always)]
    pub(crate) fn unusual(self) -> u64 {
        self.mask(V::unusual)
    }

    /// The line feeds.
    #[inline(always)]
    pub(crate) fn line_feeds(self) -> u64 {
        self.mask(|vector, half| vector.is_byte(half, b'\n'))
    }

    /// The bytes outside of ASCII.
    #[inline(always)]
    pub(crate) fn high(self) -> u64 {
        self.mask(V::high_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Work;
    use crate::simd::tests::levels;

    struct Ask<'b>(&'b [u8], usize);

    impl Work for Ask<'_> {
        type Output = [u64; 3];

        #[inline(always)]
        fn run<V: Vector>(self, vector: V) -> [u64; 3] {
            let step = Steps::new(self.0).at(vector, self.1);
            [step.unusual(), step.line_feeds(), step.high()]
        }
    }

    fn expected(bytes: &[u8], at: usize) -> [u64; 3] {
        let mask = |is_set: &dyn Fn(u8) -> bool| {
            let step = bytes[at..].iter().take(STEP).enumerate();
            step.filter(|(_, byte)| is_set(**byte)).fold(0, |mask, (n, _)| mask | 1 << n)
        };
        [mask(&|byte| !(0x20..0x80).contains(&byte)), mask(&|byte| byte == b'\n'), mask(&|byte| byte >= 0x80)]
    }

    #[test]
    fn every_byte_at_every_place_of_short_texts_is_marked_as_what_it_is() {
        for level in levels() {
            for length in 1..140 {
                for place in 0..length {
                    for byte in [b'\n', b'\r', 0, 0x1f, 0x20, 0x7f, 0x80, 0xff] {
                        let mut bytes = vec![b'x'; length];
                        (bytes[0], bytes[length - 1], bytes[place]) = (b'\n', 0xff, byte);
                        for at in [0, place, length / 2, length - 1] {
                            let marks = level.run(Ask(&bytes, at));
                            assert_eq!(marks, expected(&bytes, at), "{level:?}: {bytes:?} from {at}");
                        }
                    }
                }
            }
        }
    }
}
