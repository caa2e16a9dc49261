//! `serde_json`, into types that borrow, and into a `Value`.

use std::borrow::Cow;
use std::marker::PhantomData;

use ::serde_json::Value;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::stack::Reader;

/// Into the types of a dialect.
pub(crate) struct SerdeJson<D>(PhantomData<D>);

impl<D: Dialect> Reader for SerdeJson<D> {
    fn new() -> Self {
        Self(PhantomData)
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        if D::is_end_mark(&payload) {
            return;
        }
        match ::serde_json::from_str::<D::Event<'_>>(&payload) {
            Ok(event) => D::say(&event, answer),
            Err(_) => answer.failure(),
        }
    }
}

/// Into a tree, as a first version does.
pub(crate) struct Tree<D>(PhantomData<D>);

impl<D: Dialect> Reader for Tree<D> {
    fn new() -> Self {
        Self(PhantomData)
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        if D::is_end_mark(&payload) {
            return;
        }
        match ::serde_json::from_str::<Value>(&payload) {
            Ok(value) => D::say_tree(&value, answer),
            Err(_) => answer.failure(),
        }
    }
}
