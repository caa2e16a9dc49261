//! Inputs of the benchmarks, and the table that they end with. Depends on nothing.
//!
//! The inputs are made, not recorded: a small generator with a fixed seed writes replies of the shape that real servers
//! send, and knows what must come out.
#![forbid(unsafe_code)]

pub mod anthropic;
pub mod machine;
pub mod ollama;
pub mod openai;
pub mod random;
pub mod record;
pub mod reply;
pub mod responses;
pub mod table;

/// Whether this run measures (`cargo bench`) or only checks the answers (`cargo test --benches`).
#[must_use]
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
