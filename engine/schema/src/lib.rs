//! JSON Schemas of tool arguments: compiled once, asked often.
//!
//! A crate of its own because the validator is generic: whoever uses it compiles it, and here that is done once, beside
//! everything else, and at a level of its own.

#![forbid(unsafe_code)]

mod coerce;
mod schema;

pub use schema::{Schema, SchemaError, Validation};
