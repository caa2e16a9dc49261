//! What the rivals need to read a dialect, as fast as each of them can: types that borrow, and a walk for `jiter`. Their
//! shape is the one that a careful user would write: only the fields that are wanted.

use ::jiter::{Jiter, JiterResult};
use ::serde_json::Value;
use serde::Deserialize;
use thalweg_abi::guest::Package;
use thalweg_wire::pipeline::Framing;

use crate::rivals::answer::Answer;

pub(crate) mod anthropic;
pub(crate) mod chat;
pub(crate) mod ollama;
pub(crate) mod responses;
pub(crate) mod text;

/// A dialect.
pub(crate) trait Dialect: 'static {
    /// The codec of it.
    type Package: Package;
    /// How its stream is cut.
    const FRAMING: Framing;
    /// One event, as types.
    type Event<'a>: Deserialize<'a>;

    /// Whether a payload is no JSON but the end of the stream.
    fn is_end_mark(_payload: &str) -> bool {
        false
    }
    /// Says what an event says.
    fn say<A: Answer>(event: &Self::Event<'_>, answer: &mut A);
    /// The same from a tree.
    fn say_tree<A: Answer>(event: &Value, answer: &mut A);
    /// The same as a walk.
    fn walk<A: Answer>(json: &mut Jiter<'_>, answer: &mut A) -> JiterResult<()>;
}
