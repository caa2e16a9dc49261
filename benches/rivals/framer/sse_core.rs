//! `sse-core`: the fastest published framer.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use ::sse_core::{SseDecoder, SseEvent};
use bytes::Bytes;

use crate::rivals::stack::Framer;

pub(crate) struct SseCore(SseDecoder);

impl Framer for SseCore {
    fn new() -> Self {
        // Its own limit is 512 KiB, below the largest event of the benches.
        Self(SseDecoder::with_limit(NonZeroUsize::MAX))
    }

    fn feed(&mut self, chunk: &Bytes, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        let mut rest: &[u8] = chunk;
        while let Some(event) = self.0.next(&mut rest) {
            match event {
                Ok(SseEvent::Message(message)) => each(message.data.into()),
                Ok(SseEvent::Retry(_)) => {}
                Err(_) => return false,
            }
        }
        true
    }
}
