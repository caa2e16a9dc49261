//! The whole way from chunk to events.

use std::hint::black_box;
use thalweg_abi::decode::Decode;
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, EVENT_TOOL_ARGUMENTS, EVENT_USAGE, StreamEvent, USAGE_OUTPUT,
};
use thalweg_benches::reply::{Cut, Input, Reply};
use thalweg_wire::pipeline::Pipeline;

/// What is read in passing, cheap enough to be measured with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    text_bytes: usize,
    argument_bytes: usize,
    stops: u32,
    output_tokens: i64,
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        Self {
            text_bytes: reply.text.len(),
            argument_bytes: reply.arguments.len(),
            stops: 1,
            output_tokens: reply.output_tokens,
        }
    }

    fn add(&mut self, event: &StreamEvent<'_>) {
        match event.kind() {
            EVENT_TEXT => self.text_bytes += event.text().len(),
            EVENT_TOOL_ARGUMENTS => self.argument_bytes += event.text().len(),
            EVENT_STOP => self.stops += 1,
            EVENT_USAGE if event.block() == USAGE_OUTPUT => self.output_tokens = event.num(),
            _ => {}
        }
    }
}

/// Decodes every reply and compares sizes.
pub(crate) fn decode<D: Decode>(input: &Input, cut: Cut, pipeline: &mut Pipeline<D>) {
    for reply in &input.replies {
        let mut answer = Answer::default();
        pipeline.reset();
        let mut sink = |events: &[StreamEvent<'_>]| {
            for event in black_box(events) {
                answer.add(event);
            }
        };
        for chunk in reply.chunks(cut) {
            let fed = pipeline.feed(black_box(chunk), &mut sink);
            assert!(fed.is_ok(), "{fed:?}");
        }
        assert!(pipeline.finish(&mut sink).is_ok());
        assert_eq!(answer, Answer::of(reply));
    }
}

/// Decodes every reply once at every cut and compares the content itself.
pub(crate) fn check<D: Decode>(input: &Input, pipeline: &mut Pipeline<D>) {
    for cut in Cut::ALL {
        for reply in &input.replies {
            let (mut text, mut arguments) = (Vec::new(), Vec::new());
            let mut sink = |events: &[StreamEvent<'_>]| {
                for event in events {
                    match event.kind() {
                        EVENT_TEXT => text.extend_from_slice(event.text()),
                        EVENT_TOOL_ARGUMENTS => arguments.extend_from_slice(event.text()),
                        EVENT_ERROR | EVENT_SKIPPED => panic!("{event:?}"),
                        _ => {}
                    }
                }
            };
            pipeline.reset();
            for chunk in reply.chunks(cut) {
                pipeline.feed(chunk, &mut sink).expect("within all limits");
            }
            pipeline.finish(&mut sink).expect("a whole reply");
            assert_eq!(String::from_utf8(text).as_deref(), Ok(reply.text.as_str()));
            assert_eq!(String::from_utf8(arguments).as_deref(), Ok(reply.arguments.as_str()));
        }
    }
}
