//! The Anthropic messages dialect.
#![forbid(unsafe_code)]
