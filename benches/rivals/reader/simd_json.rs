//! `simd-json`, into types that borrow, with buffers that are used again. It parses in place: a payload that the framer
//! owns is changed, one that it lends is copied first.

use std::borrow::Cow;
use std::marker::PhantomData;

use ::simd_json::Buffers;
use ::simd_json::serde::from_slice_with_buffers;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::stack::Reader;

pub(crate) struct SimdJson<D> {
    buffers: Buffers,
    copy: Vec<u8>,
    dialect: PhantomData<D>,
}

impl<D: Dialect> Reader for SimdJson<D> {
    fn new() -> Self {
        Self { buffers: Buffers::new(4096), copy: Vec::new(), dialect: PhantomData }
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        if D::is_end_mark(&payload) {
            return;
        }
        match payload {
            Cow::Owned(payload) => self.copy = payload.into_bytes(),
            Cow::Borrowed(payload) => {
                self.copy.clear();
                self.copy.extend_from_slice(payload.as_bytes());
            }
        }
        match from_slice_with_buffers::<D::Event<'_>>(&mut self.copy, &mut self.buffers) {
            Ok(event) => D::say(&event, answer),
            Err(_) => answer.failure(),
        }
    }
}
