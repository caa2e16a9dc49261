//! `jiter`, through its iterator: no tree is built, what is not wanted is skipped, and its tape is used again.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::mem;

use ::jiter::{Jiter, JiterResult, Peek};

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::stack::Reader;

pub(crate) struct Walk<D> {
    tape: Vec<u8>,
    dialect: PhantomData<D>,
}

impl<D: Dialect> Reader for Walk<D> {
    fn new() -> Self {
        Self { tape: Vec::new(), dialect: PhantomData }
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        if D::is_end_mark(&payload) {
            return;
        }
        let mut json = Jiter::with_tape(payload.as_bytes(), mem::take(&mut self.tape));
        if D::walk(&mut json, answer).and_then(|()| json.finish()).is_err() {
            answer.failure();
        }
        self.tape = json.into_tape();
    }
}

/// Calls `field` with the place of each key that is in `names`, and skips the others. Null is an empty object.
#[inline]
pub(crate) fn fields<const N: usize>(
    json: &mut Jiter<'_>,
    names: [&str; N],
    mut field: impl FnMut(&mut Jiter<'_>, usize) -> JiterResult<()>,
) -> JiterResult<()> {
    if json.peek()? == Peek::Null {
        return json.known_null();
    }
    let place = |key: &str| names.iter().position(|name| *name == key);
    let mut key = json.known_object()?.map(place);
    while let Some(found) = key {
        match found {
            Some(at) => field(json, at)?,
            None => json.next_skip()?,
        }
        key = json.next_key()?.map(place);
    }
    Ok(())
}

/// Calls `item` at each item of an array. Null is an empty array.
#[inline]
pub(crate) fn items(json: &mut Jiter<'_>, mut item: impl FnMut(&mut Jiter<'_>) -> JiterResult<()>) -> JiterResult<()> {
    if json.peek()? == Peek::Null {
        return json.known_null();
    }
    let mut next = json.known_array()?;
    while next.is_some() {
        item(json)?;
        next = json.array_step()?;
    }
    Ok(())
}

/// Calls `take` with a string. Null is none.
#[inline]
pub(crate) fn string(json: &mut Jiter<'_>, take: impl FnOnce(&str)) -> JiterResult<()> {
    if json.peek()? == Peek::Null {
        return json.known_null();
    }
    take(json.known_str()?);
    Ok(())
}

/// Calls `take` with an integer. Null is none.
#[inline]
pub(crate) fn integer(json: &mut Jiter<'_>, take: impl FnOnce(i64)) -> JiterResult<()> {
    let peek = json.peek()?;
    if peek == Peek::Null {
        return json.known_null();
    }
    let ::jiter::NumberInt::Int(number) = json.known_int(peek)?;
    take(number);
    Ok(())
}
