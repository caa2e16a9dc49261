//! `sse-stream`: the framer of rmcp.

use std::borrow::Cow;

use ::sse_stream::SseByteStream;
use bytes::Bytes;

use crate::rivals::framer::feed::{Feed, drain};
use crate::rivals::stack::Framer;

pub(crate) struct SseStream {
    feed: Feed,
    stream: SseByteStream<Feed>,
}

impl Framer for SseStream {
    fn new() -> Self {
        let feed = Feed::default();
        Self { stream: SseByteStream::new(feed.clone()), feed }
    }

    fn feed(&mut self, chunk: &Bytes, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        self.feed.put(chunk);
        drain(&mut self.stream, |event| each(event.data.unwrap_or_default().into()))
    }

    fn finish(&mut self, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        self.feed.close();
        drain(&mut self.stream, |event| each(event.data.unwrap_or_default().into()))
    }
}
