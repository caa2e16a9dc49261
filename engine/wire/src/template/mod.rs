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
mod volatile;

use thalweg_abi::types::StreamEvent;

pub(crate) use learn::Read;
pub(crate) use matcher::Fit;
pub(crate) use volatile::Volatile;

use crate::framing::Framing;
use crate::simd::Level;
use crate::simd::plan::{Frames, One, Usual};
use learn::Lesson;
use matcher::{Places, Stop, Which, any, event, fit};
use shape::Template;

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
    /// Nothing was tried yet.
    Untried,
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

    /// The codec's state may have changed: only what holds in all of its states may still be used.
    #[inline]
    pub(crate) fn disarm(&mut self) {
        if self.armed > 0 {
            self.armed = 0;
            for template in &mut self.list {
                template.is_armed &= template.is_lasting;
                self.armed += usize::from(template.is_armed);
            }
        }
    }

    /// The reply is over, or the codec is not to be believed.
    pub(crate) fn disarm_all(&mut self) {
        self.armed = 0;
        self.list.iter_mut().for_each(|template| template.is_armed = false);
    }

    /// Reads frames that are as those before them, and appends their events until `batch` has `room`. Gives the first byte
    /// that was not read.
    #[inline(always)]
    pub(crate) fn run_usual<'c>(
        &mut self,
        level: Level,
        input: &'c [u8],
        at: usize,
        batch: &mut Vec<StreamEvent<'c>>,
        room: usize,
    ) -> usize {
        let Some(template) = self.list.get_mut(self.current) else { return at };
        if !template.is_armed || template.is_special() {
            return at;
        }
        let end = level.run(Usual { plan: &template.plan, input, at, batch, room });
        template.has_fit |= end > at;
        end
    }

    /// Reads frames as long as they fit the tight program of any template, and appends their events until `batch` has
    /// `room`. What [`Templates::run_usual`] takes was taken.
    #[inline(never)]
    pub(crate) fn run_tight<'c>(
        &mut self,
        level: Level,
        input: &'c [u8],
        at: usize,
        batch: &mut Vec<StreamEvent<'c>>,
        room: usize,
        frame_max: usize,
    ) -> Hits {
        let mut hits = Hits { at, ended: Ended::Miss, has_escapes: false, is_line_feed_due: false };
        if at == input.len() {
            hits.ended = Ended::Whole;
            return hits;
        }
        if input.len() - at > frame_max {
            // Some frame may be too long, which is looked at elsewhere.
            return hits;
        }
        // Templates in a row that did not fit.
        let mut misses = 0;
        let mut position = self.current;
        while misses < self.list.len() {
            let Some(template) = self.list.get_mut(position) else { break };
            if template.is_armed {
                let plan = &template.plan;
                let end = if template.is_special() {
                    // Its event is not made of its text alone.
                    let found = level.run(One { plan, input, at: hits.at, any });
                    found.map_or(hits.at, |(text, is_escaped, end)| {
                        let fit = Fit { end, text, is_escaped };
                        hits.has_escapes |= is_escaped;
                        batch.push(event(template, input, &fit));
                        hits.is_line_feed_due = template.ends_with_cr && end == input.len();
                        end + usize::from(template.ends_with_cr && input.get(end) == Some(&b'\n'))
                    })
                } else {
                    let (end, has_escapes) = level.run(Frames { plan, input, at: hits.at, batch, room, any });
                    hits.has_escapes |= has_escapes;
                    end
                };
                if end > hits.at {
                    hits.at = end;
                    template.has_fit = true;
                    self.current = position;
                    misses = 0;
                    if hits.at == input.len() || batch.len() >= room {
                        hits.ended = if hits.at == input.len() { Ended::Whole } else { Ended::Full };
                        break;
                    }
                    if template.is_special() {
                        continue;
                    }
                }
            }
            misses += 1;
            position = if position + 1 < self.list.len() { position + 1 } else { 0 };
        }
        hits
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
        let has_escapes = hits.has_escapes;
        hits = self.run_tight(level, input, hits.at, batch, room, frame_max);
        hits.has_escapes |= has_escapes;
        while hits.ended == Ended::Miss {
            let frame = &input[hits.at..];
            let (position, fit) = match self.find(frame, frame_max, |_, _| true) {
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
            hits = self.run_tight(level, input, at, batch, room, frame_max);
            hits.has_escapes |= has_escapes;
        }
        hits
    }

    /// The template that the frame at the start of `input` fits, looked for step by step. One that fits only the wide
    /// program is made tight anew.
    #[inline(never)]
    fn find(
        &mut self,
        input: &[u8],
        frame_max: usize,
        takes: impl Fn(&Template, &Fit) -> bool,
    ) -> Result<(usize, Fit), Ended> {
        let mut places = Places::default();
        let count = self.list.len();
        for program in [Which::Tight, Which::Wide] {
            for step in 0..count {
                // The one that fit last is tried first, and every tight program before any wide one.
                let position = (self.current + step) % count;
                let template = &self.list[position];
                if !template.is_armed {
                    continue;
                }
                let fit = fit(template, program, input, |number, place| {
                    if let Some(slot) = places.get_mut(number) {
                        *slot = place;
                    }
                });
                match fit {
                    Ok(fit) if fit.end <= frame_max && takes(template, &fit) => {
                        let template = &mut self.list[position];
                        if program == Which::Tight {
                            template.has_fit = true;
                        } else if !template.tighten(&input[..fit.end], &places) {
                            continue;
                        }
                        return Ok((position, fit));
                    }
                    Err(Stop::Short) if input.len() <= frame_max => return Err(Ended::Short),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        Err(Ended::Miss)
    }

    /// The template that the frame at the start of `input` fits, which was put together from several chunks.
    #[inline]
    pub(crate) fn one(&mut self, level: Level, input: &[u8], frame_max: usize) -> Result<(usize, Fit), Ended> {
        let (count, current) = (self.list.len(), self.current);
        for position in (current..count).chain(0..current) {
            let template = &mut self.list[position];
            if template.is_armed
                && input.len() <= frame_max
                && let Some((text, is_escaped, end)) = level.run(One { plan: &template.plan, input, at: 0, any })
            {
                template.has_fit = true;
                self.current = position;
                return Ok((position, Fit { end, text, is_escaped }));
            }
        }
        let found = self.find(input, frame_max, |_, _| true)?;
        self.current = found.0;
        Ok(found)
    }

    /// The template that a payload fits which stands alone.
    #[inline]
    pub(crate) fn payload(&mut self, event_type: &[u8], data: &[u8]) -> Option<(usize, Fit)> {
        let takes = |template: &Template, fit: &Fit| fit.end == data.len() && template.is_of(event_type);
        let found = self.find(data, data.len(), takes).ok()?;
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
    pub(crate) fn learn(&mut self, framing: Framing, read: &Read<'_>, volatile: &Volatile, hits: u64) {
        if self.confirm(read) {
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
    fn confirm(&mut self, read: &Read<'_>) -> bool {
        if !read.tail.is_empty() {
            return false;
        }
        let frame = read.bytes;
        let mut places = Places::default();
        for position in 0..self.list.len() {
            let template = &self.list[position];
            let end = frame.len() - usize::from(template.ends_with_cr && frame.ends_with(b"\r\n"));
            let input = &frame[..end];
            let mut fit = |program| fit(template, program, input, |number, place| places[number] = place);
            let (found, is_tight) = match fit(Which::Tight) {
                Ok(found) => (found, true),
                Err(_) => match fit(Which::Wide) {
                    Ok(found) => (found, false),
                    Err(_) => continue,
                },
            };
            let template = &mut self.list[position];
            if found.end == end
                && template.is_of(read.event_type)
                && template.is_lasting == read.is_lasting
                && (is_tight || template.tighten(input, &places))
                && template.confirm(frame, &found.text, &read.event)
            {
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
        let free = self.list.iter().position(|template| is_free(template) && template.plan.event().kind() == kind);
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
