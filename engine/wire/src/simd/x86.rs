//! AVX2, for which the processor is asked, and SSE2, which every x86-64 has.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi8, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_loadu_si128, _mm_min_epu8,
    _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128, _mm_xor_si128, _mm256_add_epi8,
    _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_min_epi8, _mm256_min_epu8,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_testz_si256,
    _mm256_xor_si256,
};

use crate::simd::{BLOCK, Vector, Work};

/// Proof that the processor has AVX2 and the bit instructions that came with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        let is_there =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt");
        is_there.then_some(Self(()))
    }

    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: a value of this type exists only where the processor has the features.
        unsafe { with_avx2(self, work) }
    }
}

#[target_feature(enable = "avx2,bmi1,popcnt")]
fn with_avx2<W: Work>(vector: Avx2, work: W) -> W::Output {
    work.run(vector)
}

impl Vector for Avx2 {
    type Block = __m256i;

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> __m256i {
        // SAFETY: `self` proves AVX2; 32 bytes are readable, and no alignment is asked for.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn equal(self, one: __m256i, other: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        let same = unsafe { _mm256_cmpeq_epi8(one, other) };
        self.high_bits(same)
    }

    #[inline(always)]
    fn is_byte(self, block: __m256i, byte: u8) -> u32 {
        // SAFETY: `self` proves AVX2.
        let all = unsafe { _mm256_set1_epi8(byte.cast_signed()) };
        self.equal(block, all)
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn string_stops(self, block: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        let stops = unsafe {
            let quotes = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(b'"'.cast_signed()));
            let backslashes = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(b'\\'.cast_signed()));
            let controls = _mm256_cmpeq_epi8(_mm256_min_epu8(block, _mm256_set1_epi8(0x1f)), block);
            _mm256_or_si256(_mm256_or_si256(quotes, backslashes), controls)
        };
        self.high_bits(stops)
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn plain_stops(self, block: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        let stops = unsafe {
            let quotes = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(b'"'.cast_signed()));
            let backslashes = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(b'\\'.cast_signed()));
            // With a sign, what is outside of ASCII is smaller than any control byte.
            let others = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), block);
            _mm256_or_si256(_mm256_or_si256(quotes, backslashes), others)
        };
        self.high_bits(stops)
    }

    #[inline(always)]
    fn high_bits(self, block: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_movemask_epi8(block) }.cast_unsigned()
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn unusual(self, block: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        let unusual = unsafe {
            // As signed numbers the bytes outside of ASCII are the lowest.
            _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), block)
        };
        self.high_bits(unusual)
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn are_usual(self, blocks: [__m256i; 4]) -> bool {
        let [first, second, third, fourth] = blocks;
        // SAFETY: `self` proves AVX2.
        let lowest = unsafe { _mm256_min_epi8(_mm256_min_epi8(first, second), _mm256_min_epi8(third, fourth)) };
        self.unusual(lowest) == 0
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn non_digits(self, block: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        let digits = unsafe {
            // What lies in 0..10 after '0' was taken away stays itself under a minimum with 9.
            let values = _mm256_add_epi8(block, _mm256_set1_epi8(b'0'.wrapping_neg().cast_signed()));
            _mm256_cmpeq_epi8(_mm256_min_epu8(values, _mm256_set1_epi8(9)), values)
        };
        !self.high_bits(digits)
    }

    #[inline(always)]
    fn xor(self, one: __m256i, other: __m256i) -> __m256i {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_xor_si256(one, other) }
    }

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn and(self, one: __m256i, other: __m256i) -> __m256i {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_and_si256(one, other) }
    }

    #[inline(always)]
    fn or(self, one: __m256i, other: __m256i) -> __m256i {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_or_si256(one, other) }
    }

    #[inline(always)]
    fn is_zero(self, block: __m256i) -> bool {
        // SAFETY: `self` proves AVX2.
        unsafe { _mm256_testz_si256(block, block) == 1 }
    }
}

/// Two registers of 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sse2;

impl Sse2 {
    /// Not inlined, so that the better way has the registers of its callers to itself.
    #[inline(never)]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        work.run(self)
    }

    #[inline(always)]
    fn mask(halves: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        let [low, high] = halves.map(|half| unsafe { _mm_movemask_epi8(half) }.cast_unsigned());
        low | high << 16
    }

    #[inline(always)]
    fn pairs(one: [__m128i; 2], other: [__m128i; 2], act: impl Fn(__m128i, __m128i) -> __m128i) -> [__m128i; 2] {
        [act(one[0], other[0]), act(one[1], other[1])]
    }
}

impl Vector for Sse2 {
    type Block = [__m128i; 2];

    #[inline(always)]
    fn load(self, bytes: &[u8; BLOCK]) -> [__m128i; 2] {
        let (halves, _) = bytes.as_chunks::<16>();
        // SAFETY: every x86-64 has SSE2; 16 bytes are readable, and no alignment is asked for.
        [0, 1].map(|n: usize| unsafe { _mm_loadu_si128(halves[n].as_ptr().cast()) })
    }

    #[inline(always)]
    fn equal(self, one: [__m128i; 2], other: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        Self::mask(Self::pairs(one, other, |one, other| unsafe { _mm_cmpeq_epi8(one, other) }))
    }

    #[inline(always)]
    fn is_byte(self, block: [__m128i; 2], byte: u8) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        let all = unsafe { _mm_set1_epi8(byte.cast_signed()) };
        self.equal(block, [all; 2])
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn string_stops(self, block: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        Self::mask(block.map(|half| unsafe {
            let quotes = _mm_cmpeq_epi8(half, _mm_set1_epi8(b'"'.cast_signed()));
            let backslashes = _mm_cmpeq_epi8(half, _mm_set1_epi8(b'\\'.cast_signed()));
            let controls = _mm_cmpeq_epi8(_mm_min_epu8(half, _mm_set1_epi8(0x1f)), half);
            _mm_or_si128(_mm_or_si128(quotes, backslashes), controls)
        }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn plain_stops(self, block: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        Self::mask(block.map(|half| unsafe {
            let quotes = _mm_cmpeq_epi8(half, _mm_set1_epi8(b'"'.cast_signed()));
            let backslashes = _mm_cmpeq_epi8(half, _mm_set1_epi8(b'\\'.cast_signed()));
            let others = _mm_cmpgt_epi8(_mm_set1_epi8(0x20), half);
            _mm_or_si128(_mm_or_si128(quotes, backslashes), others)
        }))
    }

    #[inline(always)]
    fn high_bits(self, block: [__m128i; 2]) -> u32 {
        Self::mask(block)
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn unusual(self, block: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        Self::mask(block.map(|half| unsafe { _mm_cmpgt_epi8(_mm_set1_epi8(0x20), half) }))
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn are_usual(self, blocks: [[__m128i; 2]; 4]) -> bool {
        // SAFETY: every x86-64 has SSE2, which has no signed minimum of bytes.
        let unusual = |half| unsafe { _mm_cmpgt_epi8(_mm_set1_epi8(0x20), half) };
        let unusual = blocks.map(|[low, high]| self.or([unusual(low); 2], [unusual(high); 2])[0]);
        let all = self.or([unusual[0], unusual[1]], [unusual[2], unusual[3]]);
        Self::mask(all) == 0
    }

    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    fn non_digits(self, block: [__m128i; 2]) -> u32 {
        // SAFETY: every x86-64 has SSE2.
        !Self::mask(block.map(|half| unsafe {
            let values = _mm_add_epi8(half, _mm_set1_epi8(b'0'.wrapping_neg().cast_signed()));
            _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values)
        }))
    }

    #[inline(always)]
    fn xor(self, one: [__m128i; 2], other: [__m128i; 2]) -> [__m128i; 2] {
        // SAFETY: every x86-64 has SSE2.
        Self::pairs(one, other, |one, other| unsafe { _mm_xor_si128(one, other) })
    }

    #[inline(always)]
    fn zero(self) -> [__m128i; 2] {
        // SAFETY: every x86-64 has SSE2.
        [unsafe { _mm_setzero_si128() }; 2]
    }

    #[inline(always)]
    fn and(self, one: [__m128i; 2], other: [__m128i; 2]) -> [__m128i; 2] {
        // SAFETY: every x86-64 has SSE2.
        Self::pairs(one, other, |one, other| unsafe { _mm_and_si128(one, other) })
    }

    #[inline(always)]
    fn or(self, one: [__m128i; 2], other: [__m128i; 2]) -> [__m128i; 2] {
        // SAFETY: every x86-64 has SSE2.
        Self::pairs(one, other, |one, other| unsafe { _mm_or_si128(one, other) })
    }

    #[inline(always)]
    fn is_zero(self, block: [__m128i; 2]) -> bool {
        // SAFETY: every x86-64 has SSE2.
        let zero = unsafe { _mm_set1_epi8(0) };
        self.equal(block, [zero; 2]) == u32::MAX
    }
}
