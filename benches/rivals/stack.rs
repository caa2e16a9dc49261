//! A stack: something that cuts the stream into events, and something that reads them.

use std::borrow::Cow;

use bytes::Bytes;

use crate::rivals::answer::Answer;

/// Reads a stream chunk by chunk.
pub(crate) trait Decoder: 'static {
    /// Reads one chunk as the socket gave it.
    fn feed<A: Answer>(&mut self, chunk: &Bytes, answer: &mut A);
    /// The body has ended.
    fn finish<A: Answer>(&mut self, answer: &mut A);
    /// Back to the start of a new stream.
    fn reset(&mut self);
}

/// Cuts a stream into the payloads of its events.
pub(crate) trait Framer: 'static {
    /// At the start of a stream.
    fn new() -> Self;
    /// Reads one chunk and gives each payload that is complete; the framer owns it or lends it, as it likes best.
    /// False when the stream cannot be read.
    fn feed(&mut self, chunk: &Bytes, each: impl FnMut(Cow<'_, str>)) -> bool;
    /// The body has ended.
    fn finish(&mut self, _each: impl FnMut(Cow<'_, str>)) -> bool {
        true
    }
}

/// Reads one payload.
pub(crate) trait Reader: 'static {
    /// With nothing read yet.
    fn new() -> Self;
    /// Says what the payload says.
    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A);
}

/// A framer and a reader.
pub(crate) struct Stack<F, R> {
    framer: F,
    reader: R,
}

impl<F: Framer, R: Reader> Stack<F, R> {
    pub(crate) fn new() -> Self {
        Self { framer: F::new(), reader: R::new() }
    }
}

impl<F: Framer, R: Reader> Decoder for Stack<F, R> {
    fn feed<A: Answer>(&mut self, chunk: &Bytes, answer: &mut A) {
        if !self.framer.feed(chunk, |payload| self.reader.read(payload, answer)) {
            answer.failure();
        }
    }

    fn finish<A: Answer>(&mut self, answer: &mut A) {
        if !self.framer.finish(|payload| self.reader.read(payload, answer)) {
            answer.failure();
        }
    }

    fn reset(&mut self) {
        // What a client does for the next reply; buffers of the reader stay.
        self.framer = F::new();
    }
}

/// Reads nothing: for framing alone.
pub(crate) struct Count;

impl Reader for Count {
    fn new() -> Self {
        Self
    }

    fn read<A: Answer>(&mut self, payload: Cow<'_, str>, answer: &mut A) {
        answer.payload(payload.as_bytes());
    }
}
