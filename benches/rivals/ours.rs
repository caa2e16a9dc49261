//! The engine itself: with the codec linked in, through the codec's C table, without templates, and framing alone.

use bytes::Bytes;
use thalweg_abi::decode::Decode;
use thalweg_abi::guest::{Codec, Direct, Package};
use thalweg_abi::host::{CodecStream, Host, Plugin};
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_STOP, EVENT_TEXT, EVENT_TOOL_ARGUMENTS, EVENT_USAGE, StreamEvent, USAGE_OUTPUT,
};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::Pipeline;
use thalweg_wire::sse;

use crate::rivals::answer::Answer;
use crate::rivals::dialect::Dialect;
use crate::rivals::stack::Decoder;

/// The pipeline with a codec.
pub(crate) struct Ours<D>(Pipeline<D>);

/// The codec of a dialect, linked in.
pub(crate) fn linked_in<D: Dialect>() -> impl Decoder
where
    <D::Package as Package>::Codec: Codec<Stream: 'static>,
{
    Ours(direct::<D>())
}

/// The same, without the fast path for frames that repeat: every frame is parsed.
pub(crate) fn parsing<D: Dialect>() -> impl Decoder
where
    <D::Package as Package>::Codec: Codec<Stream: 'static>,
{
    Ours(direct::<D>().without_template())
}

fn direct<D: Dialect>() -> Pipeline<Direct<<<D::Package as Package>::Codec as Codec>::Stream>> {
    let codec = D::Package::codec().expect("a package of a dialect");
    let stream = codec.open("{}").expect("no options are always allowed");
    Pipeline::new(Direct::new(stream), D::FRAMING, Limits::default()).with_description(codec.describe())
}

/// The codec of a dialect through its table of C functions, as a loaded plugin is called.
pub(crate) fn loaded<D: Dialect>() -> Ours<CodecStream> {
    let plugin = Plugin::from_guest::<D::Package>(Host::silent()).expect("a plugin of our own");
    let codec = plugin.codec().expect("it has a dialect");
    let stream = codec.open("{}").expect("no options are always allowed");
    let description = codec.describe().expect("a codec of our own");
    Ours(Pipeline::new(stream, D::FRAMING, Limits::default()).with_description(&description))
}

impl<C: Decode + 'static> Decoder for Ours<C> {
    #[inline]
    fn feed<A: Answer>(&mut self, chunk: &Bytes, answer: &mut A) {
        let fed = self.0.feed(chunk, &mut |events| say(events, answer));
        if fed.is_err() {
            answer.failure();
        }
    }

    fn finish<A: Answer>(&mut self, answer: &mut A) {
        let finished = self.0.finish(&mut |events| say(events, answer));
        if finished.is_err() || self.0.counters().dropped_at_eof > 0 {
            answer.failure();
        }
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

fn say<A: Answer>(events: &[StreamEvent<'_>], answer: &mut A) {
    for event in events {
        match event.kind() {
            EVENT_TEXT => answer.text(event.text()),
            EVENT_TOOL_ARGUMENTS => answer.arguments(event.text()),
            EVENT_STOP => answer.stop(),
            EVENT_USAGE if event.block() == USAGE_OUTPUT => answer.output_tokens(event.num()),
            EVENT_ERROR => answer.failure(),
            _ => {}
        }
    }
}

/// Framing alone.
pub(crate) struct Frames(sse::Decoder);

impl Frames {
    pub(crate) fn new() -> Self {
        Self(sse::Decoder::new(Limits::default()))
    }
}

impl Decoder for Frames {
    #[inline]
    fn feed<A: Answer>(&mut self, chunk: &Bytes, answer: &mut A) {
        // The rivals' payloads are strings. So are these: the decoder has seen to that, and the check of the whole content
        // does.
        let fed = self.0.feed(chunk, |event| answer.payload(event.data));
        if fed.is_err() {
            answer.failure();
        }
    }

    fn finish<A: Answer>(&mut self, _: &mut A) {}

    fn reset(&mut self) {
        self.0.reset();
    }
}
