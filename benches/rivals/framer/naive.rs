//! What one writes in an hour: a buffer, and a search for the blank line. Shares nothing with the engine.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;

use crate::rivals::stack::Framer;

pub(crate) struct Naive {
    buffer: Vec<u8>,
}

impl Framer for Naive {
    fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    fn feed(&mut self, chunk: &Bytes, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        self.buffer.extend_from_slice(chunk);
        let mut start = 0;
        while let Some(len) = memmem::find(&self.buffer[start..], b"\n\n") {
            let event = String::from_utf8_lossy(&self.buffer[start..start + len]);
            let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            each(data.join("\n").into());
            start += len + 2;
        }
        self.buffer.drain(..start);
        true
    }
}
