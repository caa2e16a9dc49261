//! Half a block, 16 bytes, with what every processor of the kind has: keys and most strings of a payload are no longer,
//! and to ask what else the processor has would cost more than the answer.

/// Bytes that are looked at together; one bit of a mask stands for each, the lowest for the first.
pub(crate) const HALF: usize = 16;

/// Where quotes, backslashes and control bytes stand: all that a JSON string cannot hold as it is.
#[inline(always)]
pub(crate) fn string_stops(bytes: &[u8; HALF]) -> u32 {
    native::string_stops(bytes)
}

/// Whether both begin with the same `length` bytes: at least one, at most [`HALF`].
#[inline(always)]
pub(crate) fn is_prefix(one: &[u8; HALF], other: &[u8; HALF], length: usize) -> bool {
    let differs = !native::equal(one, other);
    // The bits of what lies behind `length` go over the edge.
    differs << (u32::BITS - length as u32) == 0
}

#[cfg(target_arch = "x86_64")]
mod native {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };

    use super::HALF;

    #[inline(always)]
    fn load(bytes: &[u8; HALF]) -> __m128i {
        // SAFETY: every x86-64 has SSE2; 16 bytes are readable, and no alignment is asked for.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    pub(super) fn string_stops(bytes: &[u8; HALF]) -> u32 {
        let block = load(bytes);
        // SAFETY: every x86-64 has SSE2.
        unsafe {
            let quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'"'.cast_signed()));
            let backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8(b'\\'.cast_signed()));
            let controls = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls)).cast_unsigned()
        }
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    pub(super) fn equal(one: &[u8; HALF], other: &[u8; HALF]) -> u32 {
        let (one, other) = (load(one), load(other));
        // SAFETY: every x86-64 has SSE2.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(one, other)).cast_unsigned() }
    }
}

#[cfg(target_arch = "aarch64")]
mod native {
    use std::arch::aarch64::{
        uint8x16_t, vaddvq_u16, vandq_u8, vceqq_u8, vcltq_u8, vdupq_n_u8, vld1q_u8, vorrq_u8, vreinterpretq_u16_u8,
        vzip1q_u8, vzip2q_u8,
    };

    use super::HALF;

    /// One bit for each byte of a block of bytes that are all ones or all zeroes.
    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn mask(block: uint8x16_t) -> u32 {
        const LOW: [u8; HALF] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];
        const HIGH: [u8; HALF] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: every 64-bit ARM has NEON; both tables have 16 bytes.
        unsafe {
            let low = vandq_u8(block, vld1q_u8(LOW.as_ptr()));
            let high = vandq_u8(block, vld1q_u8(HIGH.as_ptr()));
            // Pairs of a low and a high byte are 16-bit numbers, whose sum has every bit once.
            let sum = vaddvq_u16(vreinterpretq_u16_u8(vzip1q_u8(low, high)));
            u32::from(sum | vaddvq_u16(vreinterpretq_u16_u8(vzip2q_u8(low, high))))
        }
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    pub(super) fn string_stops(bytes: &[u8; HALF]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON; 16 bytes are readable.
        let stops = unsafe {
            let block = vld1q_u8(bytes.as_ptr());
            let quotes = vceqq_u8(block, vdupq_n_u8(b'"'));
            let backslashes = vceqq_u8(block, vdupq_n_u8(b'\\'));
            let controls = vcltq_u8(block, vdupq_n_u8(0x20));
            vorrq_u8(vorrq_u8(quotes, backslashes), controls)
        };
        mask(stops)
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    pub(super) fn equal(one: &[u8; HALF], other: &[u8; HALF]) -> u32 {
        // SAFETY: every 64-bit ARM has NEON; 16 bytes are readable each.
        let same = unsafe { vceqq_u8(vld1q_u8(one.as_ptr()), vld1q_u8(other.as_ptr())) };
        mask(same)
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use plain as native;

/// What the others are held against, and what runs where there is none of them.
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod plain {
    use super::HALF;

    pub(super) fn string_stops(bytes: &[u8; HALF]) -> u32 {
        mask(|n| matches!(bytes[n], b'"' | b'\\' | ..0x20))
    }

    pub(super) fn equal(one: &[u8; HALF], other: &[u8; HALF]) -> u32 {
        mask(|n| one[n] == other[n])
    }

    fn mask(is_set: impl Fn(usize) -> bool) -> u32 {
        (0..HALF).fold(0, |mask, n| mask | u32::from(is_set(n)) << n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_seen_as_by_the_plain_twin() {
        for byte in 0..=u8::MAX {
            for background in [b'a', b'"', 0, 0xff] {
                for place in 0..HALF {
                    let other = [background; HALF];
                    let mut one = other;
                    one[place] = byte;
                    assert_eq!(string_stops(&one), plain::string_stops(&one), "{one:?}");
                    assert_eq!(native::equal(&one, &other), plain::equal(&one, &other), "{one:?}");
                    for length in 1..=HALF {
                        assert_eq!(is_prefix(&one, &other, length), one[..length] == other[..length], "{length}");
                    }
                }
            }
        }
    }
}
