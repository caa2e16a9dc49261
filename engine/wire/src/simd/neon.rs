//! NEON, which every 64-bit ARM has.

use std::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcgeq_u8, vcgtq_u8, vcltq_s8, vcltq_u8, vdupq_n_s8, vdupq_n_u8, veorq_u8,
    vgetq_lane_u32, vld1q_u8, vmaxvq_u8, vminq_s8, vorrq_u8, vpaddq_u8, vreinterpretq_s8_u8, vreinterpretq_u8_s8,
    vreinterpretq_u32_u8, vsubq_u8,
};

use crate::simd::{BLOCK, Vector};

/// Two registers of 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon;

/// One bit for each byte of half a register.
const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];

impl Neon {
    /// One bit for each byte, of bytes that are all ones or all zeroes.
    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn mask(halves: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON; `BITS` has 16 bytes.
        unsafe {
            let bits = vld1q_u8(BITS.as_ptr());
            let pairs = vpaddq_u8(vandq_u8(halves[0], bits), vandq_u8(halves[1], bits));
            let fours = vpaddq_u8(pairs, pairs);
            let eights = vpaddq_u8(fours, fours);
            vgetq_lane_u32::<0>(vreinterpretq_u32_u8(eights))
        }
    }

    #[inline(always)]
    fn pairs(
        one: [uint8x16_t; 2],
        other: [uint8x16_t; 2],
        act: impl Fn(uint8x16_t, uint8x16_t) -> uint8x16_t,
    ) -> [uint8x16_t; 2] {
        [act(one[0], other[0]), act(one[1], other[1])]
    }
}

impl Vector for Neon {
    type Block = [uint8x16_t; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [uint8x16_t; 2] {
        let (halves, _) = bytes.as_chunks::<16>();
        // SAFETY: every 64-bit ARM has NEON; 16 bytes are readable.
        [0, 1].map(|n: usize| unsafe { vld1q_u8(halves[n].as_ptr()) })
    }

    #[inline(always)]
    fn equal(self, one: [uint8x16_t; 2], other: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(Self::pairs(one, other, |one, other| unsafe { vceqq_u8(one, other) }))
    }

    #[inline(always)]
    fn is_byte(self, block: [uint8x16_t; 2], byte: u8) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        let all = unsafe { vdupq_n_u8(byte) };
        self.equal(block, [all; 2])
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn string_stops(self, block: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(block.map(|half| unsafe {
            let quotes = vceqq_u8(half, vdupq_n_u8(b'"'));
            let backslashes = vceqq_u8(half, vdupq_n_u8(b'\\'));
            let controls = vcltq_u8(half, vdupq_n_u8(0x20));
            vorrq_u8(vorrq_u8(quotes, backslashes), controls)
        }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn plain_stops(self, block: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(block.map(|half| unsafe {
            let quotes = vceqq_u8(half, vdupq_n_u8(b'"'));
            let backslashes = vceqq_u8(half, vdupq_n_u8(b'\\'));
            // With a sign, what is outside of ASCII is smaller than any control byte.
            let others = vcltq_s8(vreinterpretq_s8_u8(half), vdupq_n_s8(0x20));
            vorrq_u8(vorrq_u8(quotes, backslashes), others)
        }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn high_bits(self, block: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(block.map(|half| unsafe { vcgeq_u8(half, vdupq_n_u8(0x80)) }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn unusual(self, block: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(block.map(|half| unsafe { vcgtq_u8(vsubq_u8(half, vdupq_n_u8(0x20)), vdupq_n_u8(0x5f)) }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn are_usual(self, blocks: [[uint8x16_t; 2]; 4]) -> bool {
        // SAFETY: every 64-bit ARM has NEON.
        let lowest = |one, other| {
            Self::pairs(one, other, |one, other| unsafe {
                vreinterpretq_u8_s8(vminq_s8(vreinterpretq_s8_u8(one), vreinterpretq_s8_u8(other)))
            })
        };
        let [first, second, third, fourth] = blocks;
        self.unusual(lowest(lowest(first, second), lowest(third, fourth))) == 0
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn non_digits(self, block: [uint8x16_t; 2]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON.
        Self::mask(block.map(|half| unsafe { vcgtq_u8(vsubq_u8(half, vdupq_n_u8(b'0')), vdupq_n_u8(9)) }))
    }

    #[inline(always)]
    fn xor(self, one: [uint8x16_t; 2], other: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
        // SAFETY: every 64-bit ARM has NEON.
        Self::pairs(one, other, |one, other| unsafe { veorq_u8(one, other) })
    }

    #[inline(always)]
    fn zero(self) -> [uint8x16_t; 2] {
        // SAFETY: every 64-bit ARM has NEON.
        [unsafe { vdupq_n_u8(0) }; 2]
    }

    #[inline(always)]
    fn and(self, one: [uint8x16_t; 2], other: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
        // SAFETY: every 64-bit ARM has NEON.
        Self::pairs(one, other, |one, other| unsafe { vandq_u8(one, other) })
    }

    #[inline(always)]
    fn or(self, one: [uint8x16_t; 2], other: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
        // SAFETY: every 64-bit ARM has NEON.
        Self::pairs(one, other, |one, other| unsafe { vorrq_u8(one, other) })
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn is_zero(self, block: [uint8x16_t; 2]) -> bool {
        // SAFETY: every 64-bit ARM has NEON.
        unsafe { vmaxvq_u8(vorrq_u8(block[0], block[1])) == 0 }
    }
}
