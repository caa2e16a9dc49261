//! Who is measured on what.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;

use crate::rivals::answer::{Content, Tally};
use crate::rivals::dialect::Dialect;
use crate::rivals::framer::eventsource_stream::EventsourceStream;
use crate::rivals::framer::lines::Lines;
use crate::rivals::framer::naive::Naive;
use crate::rivals::framer::sse_core::SseCore;
use crate::rivals::framer::sse_stream::SseStream;
use crate::rivals::framer::sseer::Sseer;
use crate::rivals::group::Group;
use crate::rivals::input::Input;
use crate::rivals::ours::{self, Frames};
use crate::rivals::reader::jiter::Walk;
use crate::rivals::reader::serde_json::{SerdeJson, Tree};
use crate::rivals::reader::simd_json::SimdJson;
use crate::rivals::reader::sonic_rs::SonicRs;
use crate::rivals::recorded::{Probe, Read};
use crate::rivals::stack::{Count, Decoder, Framer, Reader, Stack};
use crate::rivals::work::{Ceiling, Cold, InTurn, SideBySide};

/// Name of the engine in the tables; all ratios are to this row.
pub(crate) const OURS: &str = "thalweg";
/// The same, its codec called as a plugin is.
pub(crate) const LOADED: &str = "thalweg, codec as a plugin";
/// The same, without the fast path for events that repeat.
pub(crate) const PARSING: &str = "thalweg, templates off";

/// How stacks are put to work on their input.
#[derive(Clone)]
pub(crate) enum Way {
    /// One stream after the other.
    InTurn,
    /// All streams at once.
    SideBySide,
    /// One event after a walk over so much memory.
    Cold(Rc<[u64]>),
    /// Not at all: each is asked what it reads.
    Probe(Rc<RefCell<Vec<Probe>>>),
}

/// A group that is being filled with stacks.
pub(crate) struct Stacks<'a> {
    pub(crate) group: &'a mut Group,
    pub(crate) input: &'a Rc<Input>,
    pub(crate) way: Way,
    /// Names of those that are left out.
    pub(crate) left_out: &'a [String],
}

impl Stacks<'_> {
    /// The engine: its codec linked in, as a plugin, and with every event parsed.
    pub(crate) fn ours<D: Dialect>(&mut self) {
        self.add(OURS, ours::linked_in::<D>);
        self.add(LOADED, ours::loaded::<D>);
        self.add(PARSING, ours::parsing::<D>);
    }

    /// A rival's framer with a rival's reader.
    pub(crate) fn pair<F: Framer, R: Reader>(&mut self, name: &str) {
        self.add(name, Stack::<F, R>::new);
    }

    /// The best stacks of every framer and of every reader of JSON, and those that most programs use.
    pub(crate) fn sse<D: Dialect>(&mut self) {
        self.ours::<D>();
        self.fast::<D>();
        self.pair::<SseCore, SimdJson<D>>("sse-core + simd-json");
        self.pair::<SseCore, Walk<D>>("sse-core + jiter");
        self.pair::<Sseer, SerdeJson<D>>("sseer + serde_json");
        self.pair::<SseStream, SerdeJson<D>>("sse-stream + serde_json");
        self.pair::<EventsourceStream, SerdeJson<D>>("eventsource-stream + serde_json");
        self.pair::<Naive, Tree<D>>("naive loop + serde_json Value");
    }

    /// The fastest of them.
    pub(crate) fn fast<D: Dialect>(&mut self) {
        self.pair::<SseCore, SonicRs<D>>("sse-core + sonic-rs");
        self.pair::<SseCore, SerdeJson<D>>("sse-core + serde_json");
        self.pair::<Sseer, SonicRs<D>>("sseer + sonic-rs");
    }

    /// The same for NDJSON.
    pub(crate) fn lines<D: Dialect>(&mut self) {
        self.ours::<D>();
        self.pair::<Lines, SonicRs<D>>("memchr lines + sonic-rs");
        self.pair::<Lines, SerdeJson<D>>("memchr lines + serde_json");
        self.pair::<Lines, SimdJson<D>>("memchr lines + simd-json");
        self.pair::<Lines, Walk<D>>("memchr lines + jiter");
        self.pair::<Lines, Tree<D>>("memchr lines + serde_json Value");
    }

    /// Framers alone.
    pub(crate) fn framers(&mut self) {
        self.add(OURS, Frames::new);
        self.pair::<SseCore, Count>("sse-core");
        self.pair::<SseStream, Count>("sse-stream");
        self.pair::<Sseer, Count>("sseer");
        self.pair::<EventsourceStream, Count>("eventsource-stream");
    }

    /// What bounds them all.
    pub(crate) fn ceilings(&mut self) {
        let longest = self.input.bodies.iter().flat_map(|body| &body.chunks).map(Bytes::len).max();
        let mut target = vec![0; longest.unwrap_or(0)];
        let copy = move |chunk: &[u8]| {
            let target = &mut target[..chunk.len()];
            target.copy_from_slice(chunk);
            std::hint::black_box(target);
        };
        self.group.push("(memcpy)", Box::new(Ceiling { input: Rc::clone(self.input), work: copy }));
        let find = |chunk: &[u8]| {
            memchr::memchr_iter(b'\n', chunk).for_each(|at| {
                std::hint::black_box(at);
            });
        };
        self.group.push("(memchr, every line end)", Box::new(Ceiling { input: Rc::clone(self.input), work: find }));
    }

    fn add<D: Decoder>(&mut self, name: &str, open: impl Fn() -> D) {
        if self.left_out.iter().any(|left_out| left_out == name) {
            return;
        }
        let input = Rc::clone(self.input);
        match &self.way {
            Way::Probe(probes) => probes.borrow_mut().push((name.to_owned(), probe(open()))),
            Way::InTurn => self.group.push(name, Box::new(InTurn { name: name.to_owned(), decoder: open(), input })),
            Way::SideBySide => {
                let decoders = input.bodies.iter().map(|_| open()).collect();
                self.group.push(name, Box::new(SideBySide { name: name.to_owned(), decoders, input }));
            }
            Way::Cold(walked) => {
                let streams = InTurn { name: name.to_owned(), decoder: open(), input };
                let walked = Rc::clone(walked);
                self.group.push(name, Box::new(Cold { streams, walked, body: 0, chunk: 0, tally: Tally::default() }));
            }
        }
    }
}

/// Reads one stream after the other with one decoder.
pub(crate) fn probe<D: Decoder>(mut decoder: D) -> Read {
    Box::new(move |chunks| {
        let mut content = Content::default();
        decoder.reset();
        chunks.iter().for_each(|chunk| decoder.feed(chunk, &mut content));
        decoder.finish(&mut content);
        content
    })
}
