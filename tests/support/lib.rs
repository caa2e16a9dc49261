//! What the tests that cross crates share: naive twins, corpus reader, transcripts.

pub mod c;
pub mod cases;
pub mod counting;
pub mod naive_sse;
pub mod random;
pub mod spoken;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
