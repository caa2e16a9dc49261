//! What a stack is asked to do, and the ways of asking.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use crate::rivals::answer::{Answer, Content, Tally};
use crate::rivals::input::{Body, Input};
use crate::rivals::stack::Decoder;

/// Something to measure.
pub(crate) trait Work {
    /// Does it once and compares the content of the answer itself.
    fn check(&mut self);
    /// Does it once; the answer's sizes are compared.
    fn pass(&mut self);
    /// Nanoseconds of one pass, taken over so many.
    fn sample(&mut self, times: u32) -> f64 {
        let start = cpu_nanos();
        for _ in 0..times {
            self.pass();
        }
        (cpu_nanos() - start) / f64::from(times)
    }
}

/// What this thread has had of a core: a pass that another program interrupts is no slower for it. Not for a single event,
/// since asking takes longer than reading one.
fn cpu_nanos() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn read<D: Decoder, A: Answer>(decoder: &mut D, body: &Body, answer: &mut A) {
    decoder.reset();
    for chunk in &body.chunks {
        decoder.feed(black_box(chunk), answer);
    }
    decoder.finish(answer);
}

/// Compares what was read with what was put in; `name` is whom to blame.
fn compare(name: &str, content: &Content, said: &Content) {
    assert_eq!(content.tally(), said.tally(), "{name}: sizes");
    // Too long to be shown.
    assert!(content == said, "{name}: content");
}

/// One stream after the other through one decoder.
pub(crate) struct InTurn<D> {
    pub(crate) name: String,
    pub(crate) decoder: D,
    pub(crate) input: Rc<Input>,
}

impl<D: Decoder> Work for InTurn<D> {
    fn check(&mut self) {
        for body in &self.input.bodies {
            let mut content = Content::default();
            read(&mut self.decoder, body, &mut content);
            let content = if body.is_recorded { content.of_text() } else { content };
            compare(&self.name, &content, &body.said);
        }
    }

    fn pass(&mut self) {
        for body in &self.input.bodies {
            let mut tally = Tally::default();
            read(&mut self.decoder, body, &mut tally);
            assert_eq!(body.expects(tally), body.said.tally(), "{}", self.name);
        }
    }
}

/// All streams at once, an event of each in turn, each through a decoder of its own.
pub(crate) struct SideBySide<D> {
    pub(crate) name: String,
    pub(crate) decoders: Vec<D>,
    pub(crate) input: Rc<Input>,
}

impl<D: Decoder> SideBySide<D> {
    fn read<A: Answer + Default>(&mut self) -> Vec<A> {
        let bodies = &self.input.bodies;
        let mut answers: Vec<A> = bodies.iter().map(|_| A::default()).collect();
        self.decoders.iter_mut().for_each(Decoder::reset);
        let rounds = bodies.iter().map(|body| body.chunks.len()).max().unwrap_or(0);
        for round in 0..rounds {
            for ((body, decoder), answer) in bodies.iter().zip(&mut self.decoders).zip(&mut answers) {
                if let Some(chunk) = body.chunks.get(round) {
                    decoder.feed(black_box(chunk), answer);
                }
            }
        }
        for (decoder, answer) in self.decoders.iter_mut().zip(&mut answers) {
            decoder.finish(answer);
        }
        answers
    }
}

impl<D: Decoder> Work for SideBySide<D> {
    fn check(&mut self) {
        let answers: Vec<Content> = self.read();
        for (content, body) in answers.iter().zip(&self.input.bodies) {
            compare(&self.name, content, &body.said);
        }
    }

    fn pass(&mut self) {
        let answers: Vec<Tally> = self.read();
        for (tally, body) in answers.iter().zip(&self.input.bodies) {
            assert_eq!(*tally, body.said.tally(), "{}", self.name);
        }
    }
}

/// One event after a walk over more memory than the second-level cache holds, as when a stream trickles in. The bytes of the
/// event itself are warm, since whoever reads them from a socket has just had them written.
pub(crate) struct Cold<D> {
    pub(crate) streams: InTurn<D>,
    pub(crate) walked: Rc<[u64]>,
    pub(crate) body: usize,
    pub(crate) chunk: usize,
    pub(crate) tally: Tally,
}

impl<D: Decoder> Work for Cold<D> {
    fn check(&mut self) {
        self.streams.check();
        self.streams.decoder.reset();
        (self.body, self.chunk, self.tally) = (0, 0, Tally::default());
    }

    fn pass(&mut self) {
        self.sample(1);
    }

    /// The time of one event; the clock's own 20 ns or so are in it.
    fn sample(&mut self, _: u32) -> f64 {
        let input = Rc::clone(&self.streams.input);
        let body = &input.bodies[self.body];
        let chunk = &body.chunks[self.chunk];
        black_box(self.walked.iter().fold(0, |sum: u64, value| sum ^ value));
        // A socket has just written the chunk; all else is cold, for everyone.
        black_box(chunk.iter().fold(0, |sum: u8, byte| sum ^ byte));
        let start = Instant::now();
        self.streams.decoder.feed(black_box(chunk), &mut self.tally);
        let elapsed = start.elapsed().as_nanos() as f64;
        self.chunk += 1;
        if self.chunk == body.chunks.len() {
            self.streams.decoder.finish(&mut self.tally);
            assert_eq!(self.tally, body.said.tally(), "{}", self.streams.name);
            self.streams.decoder.reset();
            (self.body, self.chunk, self.tally) = ((self.body + 1) % input.bodies.len(), 0, Tally::default());
        }
        elapsed
    }
}

/// A ceiling: something that every decoder has to do at least.
pub(crate) struct Ceiling<F> {
    pub(crate) input: Rc<Input>,
    pub(crate) work: F,
}

impl<F: FnMut(&[u8])> Work for Ceiling<F> {
    fn check(&mut self) {
        self.pass();
    }

    fn pass(&mut self) {
        for chunk in self.input.bodies.iter().flat_map(|body| &body.chunks) {
            (self.work)(black_box(chunk));
        }
    }
}
