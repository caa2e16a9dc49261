//! All that is measured, in the order of the tables.

use std::rc::Rc;

use thalweg_benches::reply::{self, Cut, Reply};
use thalweg_benches::{anthropic, openai, responses};

use crate::rivals::dialect::anthropic::Anthropic;
use crate::rivals::dialect::chat::Chat;
use crate::rivals::dialect::responses::Responses;
use crate::rivals::framer::eventsource_stream::EventsourceStream;
use crate::rivals::framer::sse_core::SseCore;
use crate::rivals::framer::sseer::Sseer;
use crate::rivals::group::Group;
use crate::rivals::input::Input;
use crate::rivals::reader::async_openai;
use crate::rivals::reader::serde_json::SerdeJson;
use crate::rivals::reader::sonic_rs::SonicRs;
use crate::rivals::settings::Settings;
use crate::rivals::stacks::{Stacks, Way};

/// A group before its input is made.
pub(crate) struct Plan {
    section: String,
    column: String,
    way: Way,
    input: Box<dyn FnOnce(Settings) -> Rc<Input>>,
    stacks: Fill,
}

impl Plan {
    /// What criterion and a filter on the command line call it.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.section, self.column)
    }

    /// Makes the input, and the decoders for it.
    pub(crate) fn fill(self, settings: Settings) -> Group {
        let input = (self.input)(settings);
        let is_cold = matches!(self.way, Way::Cold(_));
        let mut group = Group {
            section: self.section,
            column: self.column,
            events: if is_cold { 1 } else { input.events },
            bytes: if is_cold { input.bytes / input.events } else { input.bytes },
            rows: Vec::new(),
            rounds: if is_cold { settings.cold_rounds } else { settings.rounds },
            sample_time: settings.sample_time,
            is_cold,
        };
        (self.stacks)(&mut Stacks { group: &mut group, input: &input, way: self.way });
        group
    }
}

/// What this run measures.
pub(crate) fn all(settings: Settings) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut push = |section: &str, column: &str, way: Way, input: Box<dyn FnOnce(Settings) -> Rc<Input>>, stacks| {
        plans.push(Plan { section: section.to_owned(), column: column.to_owned(), way, input, stacks });
    };
    let cuts = if settings.is_full { Cut::ALL.to_vec() } else { vec![Cut::Bytes(16 << 10), Cut::Events] };

    let dialects: [(&str, Make, Fill); _] = [
        ("openai-chat", openai::input, chat),
        ("openai-chat, padded", openai::padded_input, chat),
        ("anthropic", anthropic::input, |stacks| stacks.sse::<Anthropic>()),
        ("openai-responses", responses::input, |stacks| {
            stacks.sse::<Responses>();
            stacks.pair::<EventsourceStream, async_openai::Responses>(ASYNC_OPENAI);
        }),
    ];
    for (dialect, make, stacks) in dialects {
        for cut in &cuts {
            let cut = *cut;
            let said = move |settings: Settings| Input::said(&make(settings.input_bytes).replies, cut);
            push(dialect, cut.name(), Way::InTurn, Box::new(said), stacks);
        }
    }
    for (dialect, make) in [("openai-chat", openai::input as Make), ("anthropic", anthropic::input)] {
        for cut in &cuts {
            let cut = *cut;
            let framed = move |settings: Settings| Input::framed(&make(settings.input_bytes).replies, cut);
            push(&format!("framing only, {dialect}"), cut.name(), Way::InTurn, Box::new(framed), |stacks| {
                stacks.framers();
                stacks.ceilings();
            });
        }
    }
    let walked: Rc<[u64]> = (0..WALKED_BYTES as u64 / 8).collect();
    let few = |_: Settings| Input::said(&replies(8, 400), Cut::Events);
    push("openai-chat, one stream", "cold", Way::Cold(walked), Box::new(few), |stacks| {
        stacks.ours::<Chat>();
        stacks.fast::<Chat>();
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
        stacks.pair::<EventsourceStream, async_openai::Chat>(ASYNC_OPENAI);
    });
    let many = |settings: Settings| Input::said(&replies(settings.streams, 40), Cut::Events);
    push("openai-chat, 1,000 streams", "event", Way::SideBySide, Box::new(many), |stacks| {
        stacks.ours::<Chat>();
        stacks.fast::<Chat>();
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
        stacks.pair::<EventsourceStream, async_openai::Chat>(ASYNC_OPENAI);
    });
    // The first with rivals that read the whole event again with every chunk: there it takes them minutes.
    let small = |settings: Settings| large(settings.large_event / 64);
    push("one large event in 1 KiB pieces", "256KiB", Way::InTurn, Box::new(small), |stacks| {
        linear(stacks);
        stacks.pair::<EventsourceStream, SerdeJson<Chat>>("eventsource-stream + serde_json");
    });
    let large_event = |settings: Settings| large(settings.large_event);
    push("one large event in 1 KiB pieces", "16MiB", Way::InTurn, Box::new(large_event), linear);
    plans
}

type Make = fn(usize) -> reply::Input;
type Fill = fn(&mut Stacks<'_>);

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

/// A stream with one delta of so much text.
fn large(bytes: usize) -> Rc<Input> {
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
