//! `sonic-rs`, into types that borrow. The framer has checked the UTF-8, so it is told not to check again.

use std::borrow::Cow;
use std::marker::PhantomData;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::stack::Reader;

pub(crate) struct SonicRs<D>(PhantomData<D>);

impl<D: Dialect> Reader for SonicRs<D> {
    fn new() -> Self {
        Self(PhantomData)
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        if D::is_end_mark(&payload) {
            return;
        }
        match ::sonic_rs::from_str::<D::Event<'_>>(&payload) {
            Ok(event) => D::say(&event, answer),
            Err(_) => answer.failure(),
        }
    }
}
