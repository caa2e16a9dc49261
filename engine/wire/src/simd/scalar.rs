//! Plain Rust: what the other vectors are held against, and what runs where there is none of them.

use crate::simd::{BLOCK, Vector};

/// No vector at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Vector for Scalar {
    type Block = [u8; BLOCK];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [u8; BLOCK] {
        *bytes
    }

    #[inline(always)]
    fn equal(self, one: [u8; BLOCK], other: [u8; BLOCK]) -> u32 {
        mask(|n| one[n] == other[n])
    }

    #[inline(always)]
    fn is_byte(self, block: [u8; BLOCK], byte: u8) -> u32 {
        mask(|n| block[n] == byte)
    }

    #[inline(always)]
    fn string_stops(self, block: [u8; BLOCK]) -> u32 {
        mask(|n| block[n] < 0x20 || block[n] == b'"' || block[n] == b'\\')
    }

    #[inline(always)]
    fn plain_stops(self, block: [u8; BLOCK]) -> u32 {
        mask(|n| !matches!(block[n], b' '..=0x7f) || matches!(block[n], b'"' | b'\\'))
    }

    #[inline(always)]
    fn high_bits(self, block: [u8; BLOCK]) -> u32 {
        mask(|n| block[n] >= 0x80)
    }

    #[inline(always)]
    fn unusual(self, block: [u8; BLOCK]) -> u32 {
        mask(|n| block[n] < 0x20 || block[n] >= 0x80)
    }

    #[inline(always)]
    fn are_usual(self, blocks: [[u8; BLOCK]; 4]) -> bool {
        blocks.into_iter().all(|block| self.unusual(block) == 0)
    }

    #[inline(always)]
    fn non_digits(self, block: [u8; BLOCK]) -> u32 {
        mask(|n| !block[n].is_ascii_digit())
    }

    #[inline(always)]
    fn xor(self, one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
        std::array::from_fn(|n| one[n] ^ other[n])
    }

    #[inline(always)]
    fn zero(self) -> [u8; BLOCK] {
        [0; BLOCK]
    }

    #[inline(always)]
    fn and(self, one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
        std::array::from_fn(|n| one[n] & other[n])
    }

    #[inline(always)]
    fn or(self, one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
        std::array::from_fn(|n| one[n] | other[n])
    }

    #[inline(always)]
    fn is_zero(self, block: [u8; BLOCK]) -> bool {
        block == [0; BLOCK]
    }
}

#[inline(always)]
fn mask(is_set: impl Fn(usize) -> bool) -> u32 {
    (0..BLOCK).fold(0, |mask, n| mask | u32::from(is_set(n)) << n)
}
