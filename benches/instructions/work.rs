//! What is counted: framing alone, a codec alone, and the whole way; each dialect, at each cut.

use std::hint::black_box;
use thalweg_abi::decode::{Decode, Events, recycle_events};
use thalweg_abi::guest::{Codec, Direct};
use thalweg_abi::types::{EVENT_ERROR, EVENT_SKIPPED, EVENT_TEXT, FRAME_EVENT, FrameRef, StreamEvent};
use thalweg_benches::reply::{Cut, Input, Reply};
use thalweg_benches::{anthropic, ollama, openai, responses};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{Framing, Pipeline};
use thalweg_wire::sse::Decoder;

/// One pass over an input, at a cut.
type Pass = Box<dyn FnMut(&'static Input, Cut)>;

/// One row.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    input: fn(usize) -> Input,
    cut: Cut,
    layer: Layer,
}

#[derive(Clone, Copy)]
enum Layer {
    /// Frames only.
    Frame,
    /// More, as the function says.
    Other(fn() -> Pass),
}

/// Small, since counting takes fifty times as long as running; four replies, one of them with a tool call.
const INPUT_BYTES: usize = 400 << 10;

const K16: Cut = Cut::Bytes(16 << 10);
const K1: Cut = Cut::Bytes(1 << 10);

/// Width of the column of names.
pub(crate) const NAME_WIDTH: usize = 29;

pub(crate) const ALL: &[Work] = &[
    frame("frame/openai-chat/16KiB", openai::input, K16),
    frame("frame/openai-chat/1KiB", openai::input, K1),
    frame("frame/openai-chat/event", openai::input, Cut::Events),
    frame("frame/anthropic/16KiB", anthropic::input, K16),
    frame("frame/anthropic/1KiB", anthropic::input, K1),
    frame("frame/anthropic/event", anthropic::input, Cut::Events),
    other("codec/openai-chat", openai::input, Cut::Whole, codec::<thalweg_openai::OpenAiChat>),
    other("codec/anthropic", anthropic::input, Cut::Whole, codec::<thalweg_anthropic::AnthropicMessages>),
    other("decode/openai-chat/16KiB", openai::input, K16, decoder::<thalweg_openai::OpenAiChat>),
    other("decode/openai-chat/1KiB", openai::input, K1, decoder::<thalweg_openai::OpenAiChat>),
    other("decode/openai-chat/event", openai::input, Cut::Events, decoder::<thalweg_openai::OpenAiChat>),
    other("decode/anthropic/16KiB", anthropic::input, K16, decoder::<thalweg_anthropic::AnthropicMessages>),
    other("decode/anthropic/1KiB", anthropic::input, K1, decoder::<thalweg_anthropic::AnthropicMessages>),
    other("decode/anthropic/event", anthropic::input, Cut::Events, decoder::<thalweg_anthropic::AnthropicMessages>),
    other("decode/openai-responses/16KiB", responses::input, K16, decoder::<thalweg_openai_responses::OpenAiResponses>),
    other("decode/ollama/16KiB", ollama::input, K16, decoder::<thalweg_ollama::Ollama>),
];

const fn frame(name: &'static str, input: fn(usize) -> Input, cut: Cut) -> Work {
    Work { name, input, cut, layer: Layer::Frame }
}

const fn other(name: &'static str, input: fn(usize) -> Input, cut: Cut, pass: fn() -> Pass) -> Work {
    Work { name, input, cut, layer: Layer::Other(pass) }
}

impl Work {
    /// Events of one pass.
    pub(crate) fn events(&self) -> u64 {
        (self.input)(INPUT_BYTES).events()
    }

    /// Does the work and checks its answer, so many times.
    pub(crate) fn run(&self, passes: u64) {
        // Frames of it are kept from pass to pass.
        let input: &'static Input = Box::leak(Box::new((self.input)(INPUT_BYTES)));
        let mut work: Pass = match self.layer {
            Layer::Frame => {
                let mut decoder = Decoder::new(Limits::default());
                Box::new(move |input, cut| frames(&mut decoder, input, cut))
            }
            Layer::Other(pass) => pass(),
        };
        for _ in 0..passes {
            work(input, self.cut);
        }
    }
}

fn frames(decoder: &mut Decoder, input: &Input, cut: Cut) {
    for reply in &input.replies {
        let mut events = 0;
        decoder.reset();
        for chunk in reply.chunks(cut) {
            let fed = decoder.feed(black_box(chunk), |event| {
                events += 1;
                black_box(&event);
            });
            assert!(fed.is_ok(), "{fed:?}");
        }
        assert_eq!(events, reply.ends.len());
    }
}

/// The codec alone, on frames that were cut before: what a frame costs that no faster path takes.
fn codec<C: Codec + Default>() -> Pass
where
    C::Stream: 'static,
{
    let mut codec = Direct::new(C::default().open("{}").expect("no options are always allowed"));
    let mut replies: Vec<(Vec<FrameRef<'static>>, &'static str)> = Vec::new();
    let mut buffer = Vec::new();
    Box::new(move |input, _| {
        if replies.is_empty() {
            replies.extend(input.replies.iter().map(|reply| (cut(reply), reply.text.as_str())));
        }
        for (frames, text) in &replies {
            let mut text_bytes = 0;
            codec.reset();
            // As many a call as the engine gives.
            for frames in frames.chunks(64) {
                let mut next = 0;
                while next < frames.len() {
                    let mut events = recycle_events(std::mem::take(&mut buffer));
                    let read = codec.decode(black_box(frames), &mut next, &mut Events::new(&mut events, 72));
                    assert!(read.is_ok(), "{read:?}");
                    let texts = black_box(&events).iter().filter(|event| event.kind() == EVENT_TEXT);
                    text_bytes += texts.map(|event| event.text().len()).sum::<usize>();
                    buffer = recycle_events(events);
                }
            }
            // Escapes are still in them.
            assert!(text_bytes >= text.len());
        }
    })
}

fn cut(reply: &'static Reply) -> Vec<FrameRef<'static>> {
    let mut start = 0;
    let mut frames = Vec::new();
    for &end in &reply.ends {
        let event = &reply.body[start..end];
        let (name, data) = match event.strip_prefix(b"event: ") {
            Some(named) => named.split_at(named.iter().position(|&byte| byte == b'\n').expect("a line ends")),
            None => (&[][..], event),
        };
        let data = data.trim_ascii().strip_prefix(b"data: ").expect("each event has data");
        frames.push(FrameRef::new(FRAME_EVENT, data).with_event(name));
        start = end;
    }
    frames
}

fn decoder<C: Codec + Default>() -> Pass
where
    C::Stream: 'static,
{
    let codec = C::default();
    let stream = codec.open("{}").expect("no options are always allowed");
    let description: serde_json::Value = serde_json::from_str(codec.describe()).expect("codecs describe themselves");
    let framing = description["framing"].as_str().and_then(Framing::from_name).expect("a framing that wire knows");
    let pipeline = Pipeline::new(Direct::new(stream), framing, Limits::default());
    let mut pipeline = pipeline.with_description(codec.describe());
    Box::new(move |input, cut| events(&mut pipeline, input, cut))
}

fn events<D: Decode>(pipeline: &mut Pipeline<D>, input: &Input, cut: Cut) {
    for reply in &input.replies {
        let mut text_bytes = 0;
        let mut bad = 0;
        let mut sink = |events: &[StreamEvent<'_>]| {
            for event in black_box(events) {
                match event.kind() {
                    EVENT_TEXT => text_bytes += event.text().len(),
                    EVENT_ERROR | EVENT_SKIPPED => bad += 1,
                    _ => {}
                }
            }
        };
        pipeline.reset();
        for chunk in reply.chunks(cut) {
            let fed = pipeline.feed(black_box(chunk), &mut sink);
            assert!(fed.is_ok(), "{fed:?}");
        }
        assert!(pipeline.finish(&mut sink).is_ok());
        assert_eq!((text_bytes, bad), (reply.text.len(), 0));
    }
}
