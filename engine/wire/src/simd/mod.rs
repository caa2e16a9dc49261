//! 32 bytes looked at as one: the kernels of the hot path, and the only unsafe code of this crate.
//!
//! A kernel is written once over [`Vector`] and runs on whatever the processor has: AVX2 where it is found when the
//! program runs, SSE2 or NEON where every processor of the kind has it, plain Rust anywhere. All give the same answers,
//! and the tests hold each against the plain one.

pub(crate) mod half;
pub(crate) mod marks;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod plan;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
use neon::Neon;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
use scalar::Scalar;
#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Sse2};

/// Bytes of a block; one bit of a mask stands for each, the lowest for the first.
pub(crate) const BLOCK: usize = 32;

/// What a kernel asks of a block of 32 bytes.
pub(crate) trait Vector: Copy {
    /// The block in registers.
    type Block: Copy;

    /// Takes the bytes in.
    fn load(self, bytes: &[u8; BLOCK]) -> Self::Block;
    /// Where both have the same byte.
    fn equal(self, one: Self::Block, other: Self::Block) -> u32;
    /// Where the byte stands.
    fn is_byte(self, block: Self::Block, byte: u8) -> u32;
    /// The quotes, the backslashes and the control bytes: all that a JSON string cannot hold as it stands.
    fn string_stops(self, block: Self::Block) -> u32;
    /// As [`Vector::string_stops`], and the bytes outside of ASCII as well.
    fn plain_stops(self, block: Self::Block) -> u32;
    /// The bytes outside of ASCII.
    fn high_bits(self, block: Self::Block) -> u32;
    /// The control bytes, and the bytes outside of ASCII.
    fn unusual(self, block: Self::Block) -> u32;
    /// Whether none of the blocks has any of these.
    fn are_usual(self, blocks: [Self::Block; 4]) -> bool;
    /// The bytes that are no ASCII digits.
    fn non_digits(self, block: Self::Block) -> u32;
    /// A block that is zero where both are equal, to be collected with [`Vector::or`].
    fn xor(self, one: Self::Block, other: Self::Block) -> Self::Block;
    /// A block without any bit.
    fn zero(self) -> Self::Block;
    /// The bits that both have.
    fn and(self, one: Self::Block, other: Self::Block) -> Self::Block;
    /// The bits of both.
    fn or(self, one: Self::Block, other: Self::Block) -> Self::Block;
    /// Whether no bit is set.
    fn is_zero(self, block: Self::Block) -> bool;
}

/// What the processor offers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Sse2(Sse2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// What tests compare with, and what other processors run.
    #[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    Scalar(Scalar),
}

/// What every processor of this kind has: for work too rare to be compiled several times.
#[cfg(target_arch = "x86_64")]
pub(crate) const BASELINE: Sse2 = Sse2;
/// What every processor of this kind has: for work too rare to be compiled several times.
#[cfg(target_arch = "aarch64")]
pub(crate) const BASELINE: Neon = Neon;
/// What every processor of this kind has: for work too rare to be compiled several times.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) const BASELINE: Scalar = Scalar;

/// A kernel, written over the vectors of any processor. `run` has to be `#[inline(always)]`, or it is compiled for the
/// oldest one.
pub(crate) trait Work {
    /// Its answer.
    type Output;
    /// Does the work.
    fn run<V: Vector>(self, vector: V) -> Self::Output;
}

impl Level {
    /// The best that this processor has. Cheap: the answer is remembered by the standard library.
    #[inline]
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Avx2::detect().map_or(Self::Sse2(Sse2), Self::Avx2);
        #[cfg(target_arch = "aarch64")]
        return Self::Neon(Neon);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        return Self::Scalar(Scalar);
    }

    /// Does the work with what this level has.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(vector) => vector.run(work),
            #[cfg(target_arch = "x86_64")]
            Self::Sse2(vector) => vector.run(work),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(vector) => work.run(vector),
            #[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
            Self::Scalar(vector) => work.run(vector),
        }
    }
}

/// The first [`BLOCK`] bytes at `at`, if there are so many.
#[inline(always)]
pub(crate) fn block_at(bytes: &[u8], at: usize) -> Option<&[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk()
}

/// The index of the first quote, backslash or control byte at or after `from`; the length if there is none.
#[inline(always)]
pub(crate) fn string_stop<V: Vector>(vector: V, bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = block_at(bytes, at) {
        let stops = vector.string_stops(vector.load(block));
        if stops != 0 {
            return at + stops.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    bytes.get(at..).and_then(|rest| rest.iter().position(is_stop)).map_or(bytes.len(), |n| at + n)
}

#[cfg(test)]
mod tests;
