//! All that is measured, in the order of the tables.

use std::cell::RefCell;
use std::rc::Rc;

use thalweg_benches::reply::{self, Cut, Reply};
use thalweg_benches::{anthropic, ollama, openai, responses};

use crate::rivals::dialect::Dialect;
use crate::rivals::dialect::anthropic::Anthropic;
use crate::rivals::dialect::chat::Chat;
use crate::rivals::dialect::ollama::Ollama;
use crate::rivals::dialect::responses::Responses;
use crate::rivals::framer::eventsource_stream::EventsourceStream;
use crate::rivals::framer::lines::Lines;
use crate::rivals::framer::sse_core::SseCore;
use crate::rivals::framer::sseer::Sseer;
use crate::rivals::group::Group;
use crate::rivals::input::Input;
use crate::rivals::reader::async_openai;
use crate::rivals::reader::serde_json::{SerdeJson, Tree};
use crate::rivals::reader::sonic_rs::SonicRs;
use crate::rivals::recorded::{self, Probe, Recorded};
use crate::rivals::settings::Settings;
use crate::rivals::stack::{Framer, Stack};
use crate::rivals::stacks::{Stacks, Way, probe};

/// A group before its input is made.
pub(crate) struct Plan {
    section: String,
    column: String,
    way: Way,
    input: Make,
    stacks: Fill,
}

impl Plan {
    /// What criterion and a filter on the command line call it.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.section, self.column)
    }

    /// Makes the input, and the decoders for it.
    pub(crate) fn fill(self, settings: Settings) -> Group {
        let made = (self.input)(settings, self.stacks);
        let input = Rc::new(made.input);
        let is_cold = matches!(self.way, Way::Cold(_));
        let mut group = Group {
            section: self.section,
            column: self.column,
            note: made.note,
            events: if is_cold { 1 } else { input.events },
            bytes: if is_cold { input.bytes / input.events } else { input.bytes },
            rows: Vec::new(),
            rounds: if is_cold { settings.cold_rounds } else { settings.rounds },
            sample_time: settings.sample_time,
            is_cold,
        };
        let left_out = &made.left_out;
        (self.stacks)(&mut Stacks { group: &mut group, input: &input, way: self.way, left_out });
        group
    }
}

/// An input, and what must be known with it.
struct Made {
    input: Input,
    note: String,
    left_out: Vec<String>,
}

impl Made {
    const fn of(input: Input) -> Self {
        Self { input, note: String::new(), left_out: Vec::new() }
    }
}

/// What this run measures.
pub(crate) fn all(settings: Settings) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut push = |section: &str, column: &str, way: Way, input: Make, stacks| {
        plans.push(Plan { section: section.to_owned(), column: column.to_owned(), way, input, stacks });
    };
    let cuts = if settings.is_full { Cut::ALL.to_vec() } else { vec![Cut::Bytes(16 << 10), Cut::Events] };

    let dialects: [(&str, Generate, Fill); _] = [
        ("openai-chat", openai::input, chat),
        ("openai-chat, padded", openai::padded_input, chat),
        ("anthropic", anthropic::input, |stacks| stacks.sse::<Anthropic>()),
        ("openai-responses", responses::input, |stacks| {
            stacks.sse::<Responses>();
            stacks.pair::<EventsourceStream, async_openai::Responses>(ASYNC_OPENAI);
        }),
        ("ollama", ollama::input, |stacks| stacks.lines::<Ollama>()),
    ];
    for (dialect, make, stacks) in dialects {
        for cut in &cuts {
            let cut = *cut;
            let said =
                move |settings: Settings, _: Fill| Made::of(Input::said(&make(settings.input_bytes).replies, cut));
            push(dialect, cut.name(), Way::InTurn, Box::new(said), stacks);
        }
    }
    for (dialect, make) in [("openai-chat", openai::input as Generate), ("anthropic", anthropic::input)] {
        for cut in &cuts {
            let cut = *cut;
            let framed =
                move |settings: Settings, _: Fill| Made::of(Input::framed(&make(settings.input_bytes).replies, cut));
            push(&format!("framing only, {dialect}"), cut.name(), Way::InTurn, Box::new(framed), |stacks| {
                stacks.framers();
                stacks.ceilings();
            });
        }
    }
    if settings.is_full && recorded::folder().is_some() {
        let protocols: [(&str, Twin, Fill); _] = [
            ("openai-chat", twin::<SseCore, Chat>, chat),
            ("anthropic", twin::<SseCore, Anthropic>, |stacks| stacks.sse::<Anthropic>()),
            ("openai-responses", twin::<SseCore, Responses>, |stacks| {
                stacks.sse::<Responses>();
                stacks.pair::<EventsourceStream, async_openai::Responses>(ASYNC_OPENAI);
            }),
            ("ollama", twin::<Lines, Ollama>, |stacks| stacks.lines::<Ollama>()),
        ];
        for (protocol, twin, stacks) in protocols {
            for cut in [Cut::Bytes(16 << 10), Cut::Events] {
                let recorded = move |_: Settings, stacks: Fill| recordings(protocol, cut, twin(), stacks);
                push(&format!("{protocol}, recorded"), cut.name(), Way::InTurn, Box::new(recorded), stacks);
            }
        }
    }
    let walked: Rc<[u64]> = (0..WALKED_BYTES as u64 / 8).collect();
    let few = |_: Settings, _: Fill| Made::of(Input::said(&replies(8, 400), Cut::Events));
    push("openai-chat, one stream", "cold", Way::Cold(walked), Box::new(few), |stacks| {
        stacks.ours::<Chat>();
        stacks.fast::<Chat>();
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
        stacks.pair::<EventsourceStream, async_openai::Chat>(ASYNC_OPENAI);
    });
    let many = |settings: Settings, _: Fill| Made::of(Input::said(&replies(settings.streams, 40), Cut::Events));
    push("openai-chat, 1,000 streams", "event", Way::SideBySide, Box::new(many), |stacks| {
        stacks.ours::<Chat>();
        stacks.fast::<Chat>();
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
        stacks.pair::<EventsourceStream, async_openai::Chat>(ASYNC_OPENAI);
    });
    // The first with rivals that read the whole event again with every chunk: there it takes them minutes.
    let small = |settings: Settings, _: Fill| Made::of(large(settings.large_event / 64));
    push("one large event in 1 KiB pieces", "256KiB", Way::InTurn, Box::new(small), |stacks| {
        linear(stacks);
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
    });
    let large_event = |settings: Settings, _: Fill| Made::of(large(settings.large_event));
    push("one large event in 1 KiB pieces", "16MiB", Way::InTurn, Box::new(large_event), linear);
    plans
}

type Generate = fn(usize) -> reply::Input;
type Make = Box<dyn FnOnce(Settings, Fill) -> Made>;
type Fill = fn(&mut Stacks<'_>);
type Twin = fn() -> Probe;

fn chat(stacks: &mut Stacks<'_>) {
    stacks.sse::<Chat>();
    stacks.pair::<EventsourceStream, async_openai::Chat>(ASYNC_OPENAI);
}

fn linear(stacks: &mut Stacks<'_>) {
    stacks.ours::<Chat>();
    stacks.pair::<SseCore, SonicRs<Chat>>("sse-core + sonic-rs");
    stacks.pair::<SseCore, SerdeJson<Chat>>("sse-core + serde_json");
    stacks.pair::<Sseer, SonicRs<Chat>>("sseer + sonic-rs");
}

fn replies(count: usize, deltas: usize) -> Vec<Reply> {
    (0..count as u64).map(|number| openai::reply_of(number, deltas)).collect()
}

/// What recordings say, as those read it that are slow and simple.
fn twin<F: Framer, D: Dialect>() -> Probe {
    ("twin".to_owned(), probe(Stack::<F, Tree<D>>::new()))
}

/// The recordings of a protocol that these stacks read alike.
fn recordings(protocol: &str, cut: Cut, twin: Probe, stacks: Fill) -> Made {
    let probes = Rc::new(RefCell::new(Vec::new()));
    let mut group = Group::empty();
    let (input, way) = (Rc::new(Input { bodies: Vec::new(), events: 0, bytes: 0 }), Way::Probe(Rc::clone(&probes)));
    stacks(&mut Stacks { group: &mut group, input: &input, way, left_out: &[] });
    let Recorded { bodies, events, refusing, note } = recorded::read(protocol, cut, twin, probes.take());
    let bytes = bodies.iter().flat_map(|body| &body.chunks).map(|chunk| chunk.len() as u64).sum();
    Made { input: Input { bodies, events, bytes }, note, left_out: refusing }
}

/// A stream with one delta of so much text.
fn large(bytes: usize) -> Input {
    let mut reply = Reply {
        text: "All that flows, flows along the line of the deepest points. ".repeat(bytes / 60),
        ..Reply::default()
    };
    reply.push("", &format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{}"}},"finish_reason":"stop"}}],"usage":{{"completion_tokens":1}}}}"#, reply.text));
    reply.output_tokens = 1;
    Input::said(&[reply], Cut::Bytes(1 << 10))
}

/// Stack of most Rust programs that speak to OpenAI.
pub(crate) const ASYNC_OPENAI: &str = "eventsource-stream + async-openai types";

/// Four times the second-level cache of a usual server.
const WALKED_BYTES: usize = 4 << 20;
