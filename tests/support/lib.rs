//! What the tests that cross crates share: naive twins, corpus reader, transcripts.

pub mod c;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
