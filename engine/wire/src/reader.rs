//! Reads a chunk: by template what fits one, and else through framer and codec. All events leave in the order of the wire.

use std::mem;
use std::num::NonZeroU32;

use thalweg_abi::decode::{Decode, Events, Progress, recycle_events, recycle_frames};
use thalweg_abi::types::{
    FLAG_AT_EOF, FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE, FRAME_AT_EOF, FRAME_EVENT, FrameRef, StreamEvent,
};

use crate::error::Error;
use crate::framer::{FRAMES_MAX, Filled, Framer};
use crate::framing::Framing;
use crate::limits::Limits;
use crate::pipeline::Sink;
use crate::seam;
use crate::simd::Level;
use crate::span::{Span, Walk};
use crate::stage::{Escapes, Stage, capacity};
use crate::template::{Ended, Hits, Read, Templates, Volatile};

/// All between the bytes of a chunk and the sink.
#[derive(Debug)]
pub(crate) struct Reader<D> {
    pub(crate) decoder: D,
    pub(crate) framer: Framer,
    pub(crate) stage: Stage,
    pub(crate) templates: Templates,
    pub(crate) volatile: Volatile,
    pub(crate) is_template_on: bool,
    pub(crate) check: Check,
    pub(crate) level: Level,
    /// Frames in a row that were not repeatable.
    unrepeatable: u16,
    framing: Framing,
    limits: Limits,
    /// Empty between calls; kept for their memory.
    spans: Vec<Span>,
    frames: Vec<FrameRef<'static>>,
    pub(crate) frame_count: u64,
    pub(crate) template_hits: u64,
    pub(crate) template_lies: u64,
}

/// For so many frames in a row without a repeatable one the codec gets one more a call, as it should not be slowed down by
/// what is never learnt; nothing is learnt from a call with several.
const UNREPEATABLE_A_FRAME: u16 = 16;

impl<D: Decode> Reader<D> {
    pub(crate) fn new(decoder: D, framing: Framing, limits: Limits) -> Self {
        Self {
            decoder,
            framer: Framer::new(framing, limits),
            stage: Stage::default(),
            templates: Templates::new(),
            volatile: Volatile::default(),
            is_template_on: true,
            check: Check::default(),
            level: Level::detect(),
            unrepeatable: 0,
            framing,
            limits,
            spans: Vec::new(),
            frames: Vec::new(),
            frame_count: 0,
            template_hits: 0,
            template_lies: 0,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.decoder.reset();
        self.framer.reset();
        self.stage.reset();
        self.templates.disarm_all();
        self.unrepeatable = 0;
        self.frame_count = 0;
        self.template_hits = 0;
        self.template_lies = 0;
    }

    /// Reads a chunk from `at` on. Returns where it ended: behind that lies the beginning of a frame that a template may
    /// take, and of which the framer does not know.
    #[inline]
    pub(crate) fn read(&mut self, chunk: &[u8], at: usize, sink: &mut Sink<'_>) -> Result<usize, Error> {
        let batch = recycle_events(mem::take(&mut self.stage.batch));
        self.read_behind(chunk, at, batch, sink)
    }

    /// As [`Reader::read`]. The events in `batch` come before.
    #[inline]
    pub(crate) fn read_behind(
        &mut self,
        chunk: &[u8],
        at: usize,
        batch: Vec<StreamEvent<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<usize, Error> {
        // From here on its events may also lie in the chunk.
        let mut batch = batch;
        let has_escapes = !batch.is_empty();
        let mut at = at;
        // Where some frame may be too long, that is looked at elsewhere.
        if self.check.is_off() && chunk.len() - at <= self.limits.event_bytes_max && self.framer.is_between_frames() {
            at = self.templates.run_usual(self.level, chunk, at, &mut batch, FRAMES_MAX);
            if at == chunk.len() && !batch.is_empty() {
                // Most chunks of a fast stream end here.
                self.template_hits += batch.len() as u64;
                self.stage.hand_on_most(batch, Escapes::of(has_escapes), sink);
                return Ok(at);
            }
        }
        let ended = if batch.len() >= FRAMES_MAX { Ended::Full } else { Ended::Untried };
        let hits = Hits { at, ended, has_escapes, is_line_feed_due: false };
        self.read_on(chunk, batch, hits, sink)
    }

    /// Reads the rest of a chunk, where the current template did not take all of it.
    #[inline(never)]
    fn read_on(
        &mut self,
        chunk: &[u8],
        batch: Vec<StreamEvent<'_>>,
        mut hits: Hits,
        sink: &mut Sink<'_>,
    ) -> Result<usize, Error> {
        // Most chunks need none.
        let mut walk = None;
        let mut given = Some(batch);
        loop {
            let mut batch = match given.take() {
                Some(batch) => batch,
                None => recycle_events(mem::take(&mut self.stage.batch)),
            };
            let start = hits.at;
            let before = batch.len();
            let mut expected = None;
            if hits.ended == Ended::Untried && self.templates.is_armed() && self.framer.is_between_frames() {
                let room = before + self.check.room();
                hits = self.templates.run(self.level, chunk, hits, &mut batch, room, self.limits.event_bytes_max);
                if self.check.takes(batch.len() - before) {
                    expected = batch.pop();
                    (hits.at, hits.ended, hits.is_line_feed_due) = (start, Ended::Miss, false);
                }
            }
            self.template_hits += batch.len() as u64;
            if batch.len() > before {
                self.unrepeatable = 0;
            }
            if hits.is_line_feed_due {
                self.framer.expect_line_feed();
            }
            let escapes = Escapes::of(hits.has_escapes);
            let Hits { mut at, mut ended, .. } = hits;
            if ended == Ended::Short && !seam::takes(chunk.len() - at, self.limits) {
                ended = Ended::Miss;
            }
            match ended {
                Ended::Whole | Ended::Full | Ended::Short => self.stage.hand_on(batch, escapes, sink),
                Ended::Untried | Ended::Miss => {
                    let walk = walk.get_or_insert_with(|| Walk::new(chunk));
                    walk.at = at;
                    ended = match self.next(batch, escapes, expected.as_ref(), walk, sink)? {
                        Filled::Whole => Ended::Whole,
                        Filled::Part => Ended::Full,
                    };
                    at = walk.at;
                }
            }
            match ended {
                Ended::Short => return Ok(at),
                Ended::Whole => return Ok(chunk.len()),
                Ended::Full | Ended::Untried | Ended::Miss => {}
            }
            hits = Hits { at, ended: Ended::Untried, has_escapes: false, is_line_feed_due: false };
        }
    }

    /// Has the codec read the next frame, and hands its events on behind those in `batch`. `expected` is what a template
    /// says of it, where the two are to be compared.
    #[inline(never)]
    fn next(
        &mut self,
        batch: Vec<StreamEvent<'_>>,
        escapes: Escapes,
        expected: Option<&StreamEvent<'_>>,
        walk: &mut Walk<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Filled, Error> {
        // From here on its events may also lie in what the framer and the codec own.
        let mut batch = batch;
        let count = match self.is_template_on {
            true => usize::from(self.unrepeatable / UNREPEATABLE_A_FRAME).min(FRAMES_MAX),
            false => FRAMES_MAX,
        };
        if count > 1 {
            self.stage.hand_on(batch, escapes, sink);
            return self.many(walk, count, sink);
        }
        let start = walk.at;
        let found = self.framer.next(walk);
        let Ok(Some(span)) = found else {
            self.stage.hand_on(batch, escapes, sink);
            return found.map(|_| Filled::Whole);
        };
        let frame = self.framer.frame(walk.chunk, &span, FRAME_EVENT);
        let mut expected = expected.copied();
        if self.framing == Framing::EventStream
            && self.is_template_on
            && self.templates.is_armed()
            && let Some((position, fit)) = self.templates.payload(frame.event(), frame.data())
        {
            let event = self.templates.event(position, frame.data(), &fit);
            if !self.check.takes(1) {
                self.template_hits += 1;
                self.unrepeatable = 0;
                batch.push(event);
                self.stage.hand_on(batch, Escapes::Perhaps, sink);
                return Ok(Filled::Part);
            }
            expected = Some(event);
        }
        self.frame_count += 1;
        let frames = [frame];
        let before = batch.len();
        let mut read = 0;
        let capacity = capacity(&batch, frames.len());
        let mut events = Events::new(&mut batch, capacity);
        let progress = self.decoder.decode(&frames, &mut read, &mut events);
        let promise = match &batch[before..] {
            [.., event] if event.has(FLAG_REPEATABLE | FLAG_FROM_NOW) => Promise::FromNow,
            [event] if event.has(FLAG_REPEATABLE) => Promise::Kept,
            _ => Promise::None,
        };
        let is_lasting = batch[before..].last().is_some_and(|event| event.has(FLAG_LASTING));
        self.stage.take_note(&mut batch[before..]);
        let told = &batch[before..];
        let is_moved = read > 0 || !told.is_empty();
        let repeatable = match told {
            [.., event] if promise != Promise::None && progress == Ok(Progress::Done) && read == 1 => Some(event),
            _ => None,
        };
        if let Some(expected) = &expected
            && !matches!(told, [event] if is_same(event, expected))
        {
            self.template_lies += 1;
            self.is_template_on = false;
            self.templates.disarm_all();
        }
        match repeatable {
            Some(event) => {
                self.unrepeatable = 0;
                if promise == Promise::FromNow {
                    self.templates.disarm();
                }
                let data = frame.data();
                let (wire, event_type) = match self.framing {
                    Framing::EventStream => (Some((data, &b""[..])), frame.event()),
                    _ => (self.framer.wire(&walk.chunk[start..walk.at], &span), &b""[..]),
                };
                if self.is_template_on
                    && expected.is_none()
                    && let Some((bytes, tail)) = wire
                {
                    let read = Read { bytes, tail, data, event_type, event: *event, is_lasting };
                    self.templates.learn(self.framing, &read, &self.volatile, self.template_hits);
                }
            }
            // Whatever it was, the codec may be in another state now.
            None => {
                self.unrepeatable = self.unrepeatable.saturating_add(1);
                self.templates.disarm();
            }
        }
        self.stage.hand_on(batch, Escapes::Perhaps, sink);
        match progress.map_err(Error::Codec)? {
            Progress::Done if read == 1 => Ok(Filled::Part),
            Progress::More if is_moved => {
                self.stage.decode(&mut self.decoder, &frames, read, 0, sink)?;
                Ok(Filled::Part)
            }
            Progress::Done | Progress::More => Err(Error::CodecStuck { frames: 1, read }),
        }
    }

    /// Frames many events of the chunk and has the codec read them with one call.
    fn many(&mut self, walk: &mut Walk<'_>, count: usize, sink: &mut Sink<'_>) -> Result<Filled, Error> {
        let filled = self.framer.fill(walk, &mut self.spans, count);
        if !self.spans.is_empty() {
            self.decode(walk.chunk, FRAME_EVENT, sink)?;
        }
        filled
    }

    /// Reads a chunk without any template.
    pub(crate) fn read_in_full(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        while self.many(&mut walk, FRAMES_MAX, sink)? == Filled::Part {}
        Ok(())
    }

    /// Has the codec read the frame whose end is missing at the end of the body.
    pub(crate) fn read_last(&mut self, span: Span, sink: &mut Sink<'_>) -> Result<(), Error> {
        self.spans.clear();
        self.spans.push(span);
        self.decode(&[], FRAME_EVENT | FRAME_AT_EOF, sink)
    }

    /// Has the codec read the frames that were found.
    fn decode(&mut self, chunk: &[u8], kind: u32, sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut frames = recycle_frames(mem::take(&mut self.frames));
        let framer = &self.framer;
        frames.extend(self.spans.iter().map(|span| framer.frame(chunk, span, kind)));
        self.frame_count += frames.len() as u64;
        self.templates.disarm();
        let flags = if kind & FRAME_AT_EOF == 0 { 0 } else { FLAG_AT_EOF };
        let repeatable = self.stage.repeatable;
        let result = self.stage.decode(&mut self.decoder, &frames, 0, flags, sink);
        let is_one = self.stage.repeatable > repeatable;
        let count = frames.len() as u16;
        self.unrepeatable = if is_one { 0 } else { self.unrepeatable.saturating_add(count) };
        self.frames = recycle_frames(frames);
        result
    }
}

/// What the codec promises of frames that are as the one that it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// Nothing: whatever the frame was, the codec may be in another state now.
    None,
    /// They give the same event, and this one has left no trace.
    Kept,
    /// They give the same event from now on. All other promises are void, but those that last.
    FromNow,
}

/// Whether two events say the same.
fn is_same(one: &StreamEvent<'_>, other: &StreamEvent<'_>) -> bool {
    let numbers = |event: &StreamEvent<'_>| (event.kind(), event.flags(), event.sub(), event.block(), event.num());
    numbers(one) == numbers(other) && one.text() == other.text() && one.aux() == other.aux()
}

/// How often the codec reads what a template has read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Check {
    every: Option<NonZeroU32>,
    /// Hits before the next check.
    left: u32,
}

impl Check {
    pub(crate) const fn new(every: NonZeroU32) -> Self {
        Self { every: Some(every), left: every.get() - 1 }
    }

    #[inline]
    const fn is_off(&self) -> bool {
        self.every.is_none()
    }

    /// Hits that a run may have: one to be checked, or those before.
    #[inline]
    fn room(&self) -> usize {
        match self.every {
            None => FRAMES_MAX,
            Some(_) => (self.left as usize).clamp(1, FRAMES_MAX),
        }
    }

    /// Counts the hits of a run. Whether the only one is to be checked.
    #[inline]
    fn takes(&mut self, hits: usize) -> bool {
        let Some(every) = self.every else { return false };
        if self.left == 0 && hits > 0 {
            self.left = every.get() - 1;
            return true;
        }
        self.left -= hits as u32;
        false
    }
}
