//! Who is measured on what.

use std::rc::Rc;

use crate::rivals::answer::Tally;
use crate::rivals::dialect::Dialect;
use crate::rivals::framer::eventsource_stream::EventsourceStream;
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
use crate::rivals::stack::{Count, Decoder, Framer, Reader, Stack};
use crate::rivals::work::{Ceiling, Cold, InTurn, SideBySide};

/// Name of the engine in the tables; all ratios are to this row.
pub(crate) const OURS: &str = "thalweg";
/// The same, its codec called as a plugin is.
pub(crate) const LOADED: &str = "thalweg, codec as a plugin";

/// How stacks are put to work on their input.
#[derive(Clone)]
pub(crate) enum Way {
    /// One stream after the other.
    InTurn,
    /// All streams at once.
    SideBySide,
    /// One event after a walk over so much memory.
    Cold(Rc<[u64]>),
}

/// A group that is being filled with stacks.
pub(crate) struct Stacks<'a> {
    pub(crate) group: &'a mut Group,
    pub(crate) input: &'a Rc<Input>,
    pub(crate) way: Way,
}

impl Stacks<'_> {
    /// The engine, its codec linked in and as a plugin.
    pub(crate) fn ours<D: Dialect>(&mut self) {
        self.add(OURS, ours::linked_in::<D>);
        self.add(LOADED, ours::loaded::<D>);
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
        let longest = self.input.bodies.iter().flat_map(|body| &body.chunks).map(bytes::Bytes::len).max();
        let mut target = vec![0; longest.unwrap_or(0)];
        let copy = move |chunk: &[u8]| {
            let target = &mut target[..chunk.len()];
            target.copy_from_slice(chunk);
            std::hint::black_box(target);
        };
        self.group.push("(memcpy)", Box::new(Ceiling { input: Rc::clone(self.input), work: copy }));
        let find = |chunk: &[u8]| {
            std::hint::black_box(memchr::memchr_iter(b'\n', chunk).count());
        };
        self.group.push("(memchr, every line end)", Box::new(Ceiling { input: Rc::clone(self.input), work: find }));
    }

    fn add<D: Decoder>(&mut self, name: &str, open: impl Fn() -> D) {
        let input = Rc::clone(self.input);
        match &self.way {
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
