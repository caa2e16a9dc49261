//! Reads a chunk: by template what fits one, and else through framer and codec. All events leave in the order of the wire.

use std::mem;
use std::num::NonZeroU32;

use thalweg_abi::decode::{Decode, Events, Progress, recycle_events, recycle_frames};
use thalweg_abi::types::{FLAG_AT_EOF, FLAG_REPEATABLE, FRAME_AT_EOF, FRAME_EVENT, FrameRef, StreamEvent};

use crate::error::Error;
use crate::framer::{FRAMES_MAX, Filled, Framer};
use crate::framing::Framing;
use crate::limits::Limits;
use crate::pipeline::Sink;
use crate::seam;
use crate::simd::Level;
use crate::span::{Span, Walk};
use crate::stage::{Escapes, Stage, capacity};
use crate::template::{Ended, Read, Templates, Volatile};

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
    unrepeatable: u8,
    framing: Framing,
    limits: Limits,
    /// Empty between calls; kept for their memory.
    spans: Vec<Span>,
    frames: Vec<FrameRef<'static>>,
    pub(crate) frame_count: u64,
    pub(crate) template_hits: u64,
    pub(crate) template_lies: u64,
}

/// What is left of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing that the framer does not know of.
    Nothing,
    /// The beginning of a frame that a template may take; it has at least so many bytes.
    Short { bytes_min: usize },
}

/// Frames in a row without a repeatable one after which the codec gets many a call, as it cannot be slowed down by what
/// is never learnt.
const UNREPEATABLE_MAX: u8 = 16;

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
        self.templates.disarm();
        self.unrepeatable = 0;
        self.frame_count = 0;
        self.template_hits = 0;
        self.template_lies = 0;
    }

    /// Reads a chunk. `first` is the event of a frame that began in an earlier one.
    pub(crate) fn read(
        &mut self,
        walk: &mut Walk<'_>,
        mut first: Option<StreamEvent<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<Left, Error> {
        loop {
            if let Some(left) = self.batch(walk, first.take(), sink)? {
                return Ok(left);
            }
        }
    }

    /// Reads frames up to the next that no template fits, that one included, and hands their events on. `None` when there
    /// may be more in the chunk.
    fn batch(
        &mut self,
        walk: &mut Walk<'_>,
        first: Option<StreamEvent<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Left>, Error> {
        let mut batch = recycle_events(mem::take(&mut self.stage.batch));
        let mut escapes = first.as_ref().map_or(Escapes::None, |_| Escapes::Perhaps);
        let mut ended = Ended::Miss;
        let mut expected = None;
        batch.extend(first);
        if self.templates.is_armed() && self.framer.is_between_frames() {
            let (before, start) = (batch.len(), walk.at);
            let room = before + self.check.room();
            let max = self.limits.event_bytes_max;
            let hits = self.templates.run(self.level, walk.chunk, start, &mut batch, room, max);
            (walk.at, ended) = (hits.at, hits.ended);
            if self.check.takes(batch.len() - before) {
                expected = batch.pop();
                (walk.at, ended) = (start, Ended::Miss);
            } else if hits.is_line_feed_due {
                self.framer.expect_line_feed();
            }
            if hits.has_escapes {
                escapes = Escapes::Perhaps;
            }
        }
        self.template_hits += batch.len() as u64;
        let left = match ended {
            Ended::Whole => Some(Left::Nothing),
            Ended::Full => None,
            Ended::Short { bytes_min } if seam::takes(walk.rest().len(), self.limits) => {
                Some(Left::Short { bytes_min })
            }
            Ended::Short { .. } | Ended::Miss => return self.next(batch, escapes, expected, walk, sink),
        };
        self.stage.hand_on(batch, escapes, sink);
        Ok(left)
    }

    /// Has the codec read the next frame, and hands its events on behind those in `batch`. `expected` is what a template
    /// says of it, where the two are to be compared.
    fn next(
        &mut self,
        batch: Vec<StreamEvent<'_>>,
        escapes: Escapes,
        expected: Option<StreamEvent<'_>>,
        walk: &mut Walk<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Left>, Error> {
        // From here on its events may also lie in what the framer and the codec own.
        let mut batch = batch;
        if self.unrepeatable >= UNREPEATABLE_MAX || !self.is_template_on {
            self.stage.hand_on(batch, escapes, sink);
            return self.many(walk, sink);
        }
        let start = walk.at;
        let found = self.framer.next(walk);
        let Ok(Some(span)) = found else {
            self.stage.hand_on(batch, escapes, sink);
            return found.map(|_| Some(Left::Nothing));
        };
        self.frame_count += 1;
        let frame = self.framer.frame(walk.chunk, &span, FRAME_EVENT);
        let frames = [frame];
        let before = batch.len();
        let mut read = 0;
        let capacity = capacity(&batch, frames.len());
        let mut events = Events::new(&mut batch, capacity);
        let progress = self.decoder.decode(&frames, &mut read, &mut events);
        let is_repeatable = matches!(&batch[before..], [event] if event.has(FLAG_REPEATABLE));
        self.stage.take_note(&mut batch[before..]);
        let told = &batch[before..];
        let is_moved = read > 0 || !told.is_empty();
        let repeatable = match told {
            [event] if is_repeatable && progress == Ok(Progress::Done) && read == 1 => Some(event),
            _ => None,
        };
        if let Some(expected) = expected
            && !matches!(told, [event] if is_same(event, &expected))
        {
            self.template_lies += 1;
            self.is_template_on = false;
            self.templates.disarm();
        }
        match repeatable {
            Some(event) => {
                self.unrepeatable = 0;
                if self.is_template_on
                    && expected.is_none()
                    && let Some((bytes, tail)) = self.framer.wire(&walk.chunk[start..walk.at], &span)
                {
                    let read = Read { bytes, tail, data: frame.data(), event: *event };
                    self.templates.learn(self.framing, &read, &self.volatile);
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
            Progress::Done if read == 1 => Ok(None),
            Progress::More if is_moved => {
                self.stage.decode(&mut self.decoder, &frames, read, 0, sink)?;
                Ok(None)
            }
            Progress::Done | Progress::More => Err(Error::CodecStuck { frames: 1, read }),
        }
    }

    /// Frames many events of the chunk and has the codec read them with one call.
    fn many(&mut self, walk: &mut Walk<'_>, sink: &mut Sink<'_>) -> Result<Option<Left>, Error> {
        let filled = self.framer.fill(walk, &mut self.spans);
        if !self.spans.is_empty() {
            self.decode(walk.chunk, FRAME_EVENT, sink)?;
        }
        Ok((filled? == Filled::Whole).then_some(Left::Nothing))
    }

    /// Reads a chunk without any template.
    pub(crate) fn read_in_full(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut walk = Walk::new(chunk);
        while self.many(&mut walk, sink)?.is_none() {}
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
        if self.stage.repeatable > repeatable {
            self.unrepeatable = 0;
        }
        self.frames = recycle_frames(frames);
        result
    }
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
