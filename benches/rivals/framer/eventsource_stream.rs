//! `eventsource-stream`: the framer of async-openai and of many others.

use std::borrow::Cow;

use ::eventsource_stream::EventStream;
use bytes::Bytes;

use crate::rivals::framer::feed::{Feed, drain};
use crate::rivals::stack::Framer;

pub(crate) struct EventsourceStream {
    feed: Feed,
    stream: EventStream<Feed>,
}

impl Framer for EventsourceStream {
    fn new() -> Self {
        let feed = Feed::default();
        Self { stream: EventStream::new(feed.clone()), feed }
    }

    fn feed(&mut self, chunk: &Bytes, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        self.feed.put(chunk);
        drain(&mut self.stream, |event| each(event.data.into()))
    }

    fn finish(&mut self, mut each: impl FnMut(Cow<'_, str>)) -> bool {
        self.feed.close();
        drain(&mut self.stream, |event| each(event.data.into()))
    }
}
