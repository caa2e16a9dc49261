//! The OpenAI chat completions dialect.
#![forbid(unsafe_code)]
