//! A tool that does arithmetic.
#![forbid(unsafe_code)]
