//! The work that a client program does and measures: it is the same for the engine and for everybody else.
//!
//! A program has one client: a value of [`Client`](client::Client). [`work::run`] takes what to do from the command line, checks the answer,
//! and prints the figures as lines of `name=value`.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod client;
pub mod measure;
pub mod paced;
pub mod turns;
pub mod work;
