//! The template fast path: consecutive frames of a stream are equal byte for byte outside a few JSON scalars, so what was
//! read once need not be parsed again.
//!
//! A frame that a codec has read and marked as repeatable is kept as literals with holes between them. A next frame that
//! is equal in all literals, and has in each hole what JSON allows there, gives the same event with another text. That
//! is sound: a string hole admits no quote without a backslash and no control byte, so neither the JSON nor the framing
//! can be different from what was read; the terminator is part of the last literal; and what the codec reads is never a
//! hole. Any doubt is a miss, and the frame takes the full way. What the codec reads in between may change its state, so
//! a template is used only after the codec has confirmed it in the present one.

mod hole;
mod learn;
mod matcher;
mod shape;
mod usual;
mod volatile;

use thalweg_abi::types::StreamEvent;

pub(crate) use learn::Read;
pub(crate) use matcher::Fit;
pub(crate) use volatile::Volatile;

use crate::framing::Framing;
use crate::simd::Level;
use learn::Lesson;
use matcher::{One, Places, Run, Stop, event};
use shape::Template;
use usual::RunUsual;

/// The templates of one stream.
#[derive(Debug)]
pub(crate) struct Templates {
    list: Vec<Template>,
    /// The one that has fit last.
    current: usize,
    armed: usize,
    /// Templates learnt in a row of which none has fit, and how many frames are to teach nothing now.
    barren: u8,
    pause: u8,
    /// Hits of the stream when a template was learnt last.
    hits: u32,
}

/// Templates of one stream: text, thinking and a few tool calls that come interleaved.
const TEMPLATES_MAX: usize = 4;

/// Templates in a row of which none fits, after which ever fewer frames are learnt from, down to one in 16.
const BARREN_MAX: u8 = 8;
const PAUSE_BITS_MAX: u8 = 4;

/// What ended a run of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of the input is read.
    Whole,
    /// The batch is full.
    Full,
    /// The next frame fits none.
    Miss,
    /// The next frame fits as far as it is there.
    Short,
}

/// A run of hits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hits {
    /// The first byte that was not read.
    pub(crate) at: usize,
    pub(crate) ended: Ended,
    pub(crate) has_escapes: bool,
    /// An LF at the start of the next chunk belongs to the last frame.
    pub(crate) is_line_feed_due: bool,
}

impl Templates {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), current: 0, armed: 0, barren: 0, pause: 0, hits: 0 }
    }

    /// Whether there is one that may be used.
    pub(crate) const fn is_armed(&self) -> bool {
        self.armed > 0
    }

    /// The codec's state may have changed.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        if self.armed > 0 {
            self.armed = 0;
            self.list.iter_mut().for_each(|template| template.is_armed = false);
        }
    }

    /// Reads frames that fit the tight program of the current template, and appends their events until `batch` has `room`.
    #[inline]
    pub(crate) fn run_current<'c>(
        &mut self,
        level: Level,
        input: &'c [u8],
        at: usize,
        batch: &mut Vec<StreamEvent<'c>>,
        room: usize,
        frame_max: usize,
    ) -> Hits {
        let mut hits = Hits { at, ended: Ended::Miss, has_escapes: false, is_line_feed_due: false };
        let Some(template) = self.list.get_mut(self.current).filter(|template| template.is_armed) else { return hits };
        loop {
            let mut room_now = room;
            if template.is_usual {
                let before = hits.at;
                let batch = &mut *batch;
                hits.at = level.run(RunUsual { template, input, at: before, batch, room, frame_max });
                template.has_fit |= hits.at > before;
                room_now = batch.len() + 1;
            }
            if hits.at == input.len() {
                hits.ended = Ended::Whole;
                return hits;
            }
            if batch.len() >= room {
                hits.ended = Ended::Full;
                return hits;
            }
            // The next frame is not of the usual form: a look at all that it may be.
            let batch = &mut *batch;
            let came = level.run(Run { template, input, at: hits.at, batch, room: room_now, frame_max });
            template.has_fit |= came.at > hits.at;
            hits.at = came.at;
            hits.has_escapes |= came.has_escapes;
            hits.is_line_feed_due = came.is_line_feed_due;
            match came.stop {
                Some(Stop::Short) => hits.ended = Ended::Short,
                Some(Stop::Miss) => {}
                None => continue,
            }
            return hits;
        }
    }

    /// Reads frames until one fits no template, going on behind `hits`, and appends their events until `batch` has `room`.
    pub(crate) fn run<'c>(
        &mut self,
        level: Level,
        input: &'c [u8],
        mut hits: Hits,
        batch: &mut Vec<StreamEvent<'c>>,
        room: usize,
        frame_max: usize,
    ) -> Hits {
        while hits.ended == Ended::Miss {
            let frame = &input[hits.at..];
            let (position, fit) = match self.find(level, frame, frame_max, |_, _| true) {
                Ok(found) => found,
                Err(ended) => return Hits { ended, ..hits },
            };
            self.current = position;
            let template = &self.list[position];
            batch.push(event(template, frame, &fit));
            let has_escapes = hits.has_escapes | fit.is_escaped;
            let mut at = hits.at + fit.end;
            if template.ends_with_cr {
                hits.is_line_feed_due = at == input.len();
                at += usize::from(input.get(at) == Some(&b'\n'));
            }
            if at == input.len() {
                return Hits { at, ended: Ended::Whole, has_escapes, ..hits };
            }
            if batch.len() >= room {
                return Hits { at, ended: Ended::Full, has_escapes, ..hits };
            }
            hits = self.run_current(level, input, at, batch, room, frame_max);
            hits.has_escapes |= has_escapes;
        }
        hits
    }

    /// The template that the frame at the start of `input` fits. One that fits only the wide program is made tight
    /// anew.
    #[inline(never)]
    fn find(
        &mut self,
        level: Level,
        input: &[u8],
        frame_max: usize,
        takes: impl Fn(&Template, &Fit) -> bool,
    ) -> Result<(usize, Fit), Ended> {
        let mut places = Places::default();
        let mut ended = Ended::Miss;
        let count = self.list.len();
        for step in 0..2 * count {
            // The one that fit last is tried first, and every tight program before any wide one.
            let position = (self.current + step) % count;
            let template = &self.list[position];
            if !template.is_armed {
                continue;
            }
            let is_wide = step >= count;
            let program = if is_wide { &template.wide } else { &template.tight };
            match level.run(One { template, program, input, at: 0, places: &mut places }) {
                Ok(fit) if fit.end <= frame_max && takes(template, &fit) => {
                    let template = &mut self.list[position];
                    if is_wide {
                        template.tighten(&input[..fit.end], &places);
                    } else {
                        template.has_fit = true;
                    }
                    return Ok((position, fit));
                }
                Err(Stop::Short) if input.len() <= frame_max => ended = Ended::Short,
                Ok(_) | Err(_) => {}
            }
        }
        Err(ended)
    }

    /// The template that the frame at the start of `input` fits, which was put together from several chunks.
    pub(crate) fn one(&mut self, level: Level, input: &[u8], frame_max: usize) -> Result<(usize, Fit), Ended> {
        let found = self.find(level, input, frame_max, |_, _| true)?;
        self.current = found.0;
        Ok(found)
    }

    /// The template that a payload fits which stands alone.
    #[inline]
    pub(crate) fn payload(&mut self, level: Level, event_type: &[u8], data: &[u8]) -> Option<(usize, Fit)> {
        let takes = |template: &Template, fit: &Fit| fit.end == data.len() && template.is_of(event_type);
        let found = self.find(level, data, data.len(), takes).ok()?;
        self.current = found.0;
        Some(found)
    }

    /// The event of a frame that fits the template at `position`.
    pub(crate) fn event<'c>(&self, position: usize, input: &'c [u8], fit: &Fit) -> StreamEvent<'c> {
        event(&self.list[position], input, fit)
    }

    /// Bytes that a frame which fits has at least.
    pub(crate) fn bytes_min(&self) -> usize {
        let armed = self.list.iter().filter(|template| template.is_armed);
        armed.map(|template| template.wide.bytes_min()).min().unwrap_or(0)
    }

    /// Whether an LF behind a frame that fits the template at `position` belongs to it.
    pub(crate) fn ends_with_cr(&self, position: usize) -> bool {
        self.list[position].ends_with_cr
    }

    /// The codec has read a frame and marks its last event as repeatable: confirms the template that it fits, or makes
    /// one of it. `hits` is how many the stream has had.
    #[inline(never)]
    pub(crate) fn learn(&mut self, level: Level, framing: Framing, read: &Read<'_>, volatile: &Volatile, hits: u64) {
        if self.confirm(level, read) {
            return;
        }
        let hits = hits as u32;
        if hits != self.hits {
            (self.hits, self.barren, self.pause) = (hits, 0, 0);
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let lesson = match framing {
            Framing::Sse => Lesson::of_sse(read, volatile),
            Framing::NdJson => Lesson::of_line(read, volatile),
            Framing::EventStream => Lesson::of_payload(read, volatile),
        };
        let Some(lesson) = lesson else { return };
        let position = self.position_for(&lesson);
        self.list[position].learn(&lesson);
        self.arm(position);
        self.barren = (self.barren + 1).min(BARREN_MAX + PAUSE_BITS_MAX);
        self.pause = (1 << self.barren.saturating_sub(BARREN_MAX)) - 1;
    }

    /// Confirms the template that a frame fits which the codec has read, so that it need not be learnt again: most often one
    /// of an earlier block or reply.
    fn confirm(&mut self, level: Level, read: &Read<'_>) -> bool {
        if !read.tail.is_empty() {
            return false;
        }
        let frame = read.bytes;
        let mut places = Places::default();
        for position in 0..self.list.len() {
            let template = &self.list[position];
            let end = frame.len() - usize::from(template.ends_with_cr && frame.ends_with(b"\r\n"));
            let input = &frame[..end];
            let mut fit = |program| level.run(One { template, program, input, at: 0, places: &mut places });
            let (found, is_tight) = match fit(&template.tight) {
                Ok(found) => (found, true),
                Err(_) => match fit(&template.wide) {
                    Ok(found) => (found, false),
                    Err(_) => continue,
                },
            };
            let template = &mut self.list[position];
            if found.end == end && template.is_of(read.event_type) && template.confirm(frame, &found.text, &read.event)
            {
                if !is_tight {
                    template.tighten(input, &places);
                }
                self.arm(position);
                return true;
            }
        }
        false
    }

    fn arm(&mut self, position: usize) {
        let template = &mut self.list[position];
        self.armed += usize::from(!template.is_armed);
        template.is_armed = true;
        self.current = position;
    }

    /// The place for a new template: that of one which is out of use, best of the same kind; else a new one while there
    /// is room; else that of the one behind the current.
    fn position_for(&mut self, lesson: &Lesson<'_>) -> usize {
        let kind = lesson.event.kind();
        let is_free = |template: &Template| !template.is_armed;
        let free = self.list.iter().position(|template| is_free(template) && template.event.kind() == kind);
        if let Some(position) = free.or_else(|| self.list.iter().position(is_free)) {
            return position;
        }
        if self.list.len() < TEMPLATES_MAX {
            self.list.reserve_exact(1);
            self.list.push(Template::new());
            return self.list.len() - 1;
        }
        (self.current + 1) % self.list.len()
    }
}
