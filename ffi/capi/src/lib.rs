//! The C library of thalweg, and the only source of `thalweg.h`.
//!
//! What a C program holds are handles: addresses of tagged objects that this crate made and only this crate looks into.
//! Every function checks its pointers, stops panics, and fills the caller's error; the comments on them are the text of
//! the header. How the library is used is told by `docs/C.md`.
//!
//! Nothing here decodes, drives or stores: the engine below does. This crate hands on, and lends out.

#![expect(unsafe_code, reason = "a C library is made of pointers; each use says why it holds")]

pub mod agent;
mod ask;
mod block;
pub mod budget;
mod built_in;
pub mod callback;
pub mod client;
pub mod compact;
pub mod control;
pub mod crew;
pub mod decoder;
mod drain;
pub mod engine;
pub mod events;
mod failure;
mod fault;
mod guard;
mod handle;
pub mod hook;
mod json;
pub mod keep;
pub mod key;
mod middle;
pub mod observe;
pub mod packed;
mod price;
mod process;
pub mod program;
pub mod provider;
pub mod reader;
pub mod run;
pub mod sequence;
mod signal;
pub mod state;
pub mod steer;
pub mod store;
mod team;
mod text;
pub mod tool;
pub mod version;

pub use drain::Batch;
