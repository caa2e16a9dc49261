//! A tool in plain C.
#![forbid(unsafe_code)]
