//! A template: the bytes that consecutive frames share, the holes between them, and the event that they give.

use std::ops::Range;

use thalweg_abi::types::{FLAG_TEXT_ESCAPED, StreamEvent};

use crate::simd::plan::Plan;
pub(super) use crate::simd::plan::Value as Hole;
use crate::template::learn::{Lesson, is_plain};

/// Holes that a template has at most; further volatile values stay literal.
pub(super) const SLOTS_MAX: usize = 8;

/// Bytes of literals that a template has at most.
pub(super) const LITERALS_MAX: usize = 1024;

/// Bytes that the name of an event has at most, where it is no part of what is compared.
pub(super) const NAME_MAX: usize = 64;

/// A volatile value longer than this is a hole at once: it is most likely another one in every frame.
const VALUE_MAX: usize = 48;

/// A literal, and the hole behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) start: u16,
    pub(super) length: u16,
    pub(super) hole: Hole,
}

/// Literals and holes in turn.
#[derive(Debug)]
pub(super) struct Program {
    segments: [Segment; SLOTS_MAX + 1],
    count: u8,
}

impl Program {
    const EMPTY: Self = Self { segments: [Segment { start: 0, length: 0, hole: Hole::End }; SLOTS_MAX + 1], count: 0 };

    #[inline(always)]
    pub(super) fn segments(&self) -> &[Segment] {
        self.segments.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Where a literal lies in the bytes of all, and what stands behind it.
    pub(super) fn step(&self, number: usize) -> Option<(Range<usize>, Hole)> {
        let segment = self.segments().get(number)?;
        let start = usize::from(segment.start);
        Some((start..start + usize::from(segment.length), segment.hole))
    }

    /// Bytes of a frame whose holes are empty.
    pub(super) fn bytes_min(&self) -> usize {
        self.segments().iter().map(|segment| usize::from(segment.length)).sum()
    }

    fn push(&mut self, literal: Range<usize>, hole: Hole) {
        let segment = Segment { start: literal.start as u16, length: literal.len() as u16, hole };
        self.segments[usize::from(self.count)] = segment;
        self.count += 1;
    }
}

/// Where the event's second text stands in a frame: it is part of a literal beside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aux {
    /// It begins so many bytes before the text.
    Before { distance: u16, length: u16 },
    /// It begins so many bytes behind the text.
    Behind { distance: u16, length: u16 },
}

impl Aux {
    #[inline(always)]
    pub(super) fn slice<'c>(self, input: &'c [u8], text: &Range<usize>) -> &'c [u8] {
        let (start, length) = match self {
            Self::Before { distance, length } => (text.start - usize::from(distance), length),
            Self::Behind { distance, length } => (text.end + usize::from(distance), length),
        };
        &input[start..start + usize::from(length)]
    }
}

/// One shape of frames. The tight program takes every volatile value that has not changed of late for a literal; the wide
/// one has holes for all of them.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) aux: Option<Aux>,
    pub(super) wide: Program,
    /// The event without its texts, the literals, and the tight program as the hot loop takes it.
    pub(super) plan: Plan,
    /// Behind all literals, the name of the event, where it is no part of what is compared; its length.
    name: u8,
    /// Which holes of the wide program the tight one has as well; one bit each.
    tight_holes: u8,
    /// Which hole of the wide program is the number of the block, if one is.
    number: Option<u8>,
    pub(super) ends_with_cr: bool,
    /// Whether it holds in all states of the codec.
    pub(super) is_lasting: bool,
    /// Whether the codec has confirmed it in its present state.
    pub(super) is_armed: bool,
    /// Whether the tight program has fit since it was made.
    pub(super) has_fit: bool,
}

impl Template {
    pub(super) const fn new() -> Self {
        Self {
            aux: None,
            wide: Program::EMPTY,
            plan: Plan::new(),
            tight_holes: 0,
            name: 0,
            number: None,
            ends_with_cr: false,
            is_lasting: false,
            is_armed: false,
            has_fit: false,
        }
    }

    #[inline(always)]
    pub(super) fn literals(&self) -> &[u8] {
        self.plan.literals()
    }

    /// Whether there is more to a frame than its text.
    #[inline(always)]
    pub(super) const fn is_special(&self) -> bool {
        self.aux.is_some() || self.ends_with_cr
    }

    /// Whether it is for events of that name, where the name is no part of what is compared.
    #[inline]
    pub(super) fn is_of(&self, event_type: &[u8]) -> bool {
        self.name() == event_type
    }

    fn name(&self) -> &[u8] {
        self.literals().get(self.literals().len() - usize::from(self.name)..).unwrap_or_default()
    }

    /// A frame that fits, with its text at `text`, was read by the codec: whether it is one that this is a template of. The
    /// event may be another one by now.
    pub(super) fn confirm(&mut self, frame: &[u8], text: &Range<usize>, event: &StreamEvent<'_>) -> bool {
        let is_same_aux = match self.aux {
            None => event.aux().is_empty(),
            Some(aux) => std::ptr::eq(aux.slice(frame, text), event.aux()),
        };
        if self.number.is_some() && self.plan.event().block() != event.block() {
            return false;
        }
        if !is_same_aux || !is_plain(event) || !std::ptr::eq(&raw const frame[text.clone()], event.text()) {
            return false;
        }
        self.plan.set_event(without_texts(event));
        true
    }

    /// Makes it a template of a frame that the codec has read.
    pub(super) fn learn(&mut self, lesson: &Lesson<'_>) {
        let is_same_shape = self.wide.segments().len() == lesson.holes().len() + 1
            && self.wide.segments().iter().zip(lesson.holes()).all(|(segment, (hole, _))| segment.hole == *hole);
        if !is_same_shape {
            self.tight_holes = 0;
        }
        for (number, (hole, place)) in lesson.holes().iter().enumerate() {
            if *hole == Hole::Text || place.len() > VALUE_MAX {
                self.tight_holes |= 1 << number;
            }
        }
        self.plan.set_event(without_texts(&lesson.event));
        self.aux = lesson.aux;
        self.ends_with_cr = lesson.ends_with_cr;
        self.is_lasting = lesson.is_lasting;
        let is_number = |(_, place): &(Hole, Range<usize>)| lesson.number.as_ref() == Some(place);
        self.number = lesson.holes().iter().position(is_number).map(|number| number as u8);
        let mut holes = [Hole::End; SLOTS_MAX];
        let mut places: [Range<usize>; SLOTS_MAX] = Default::default();
        for (number, (hole, place)) in lesson.holes().iter().enumerate() {
            (holes[number], places[number]) = (*hole, place.clone());
        }
        let count = lesson.holes().len();
        self.write(lesson.frame, lesson.tail, lesson.event_type, &holes[..count], &places[..count]);
    }

    /// The wide program has fit where the tight one has not: takes over the values of that frame. A value that changes
    /// from one frame to the next becomes a hole; one that has stood for a while stays literal, and so does the number of
    /// the block, which the event has too. Whether that is one.
    pub(super) fn tighten(&mut self, frame: &[u8], places: &[Range<usize>; SLOTS_MAX]) -> bool {
        if let Some(number) = self.number {
            let Some(block) = block_number(&frame[places[usize::from(number)].clone()]) else { return false };
            self.plan.set_event(self.plan.event().with_block(block));
        }
        let count = self.wide.segments().len().saturating_sub(1);
        let mut holes = [Hole::End; SLOTS_MAX];
        for (number, pair) in self.wide.segments().windows(2).enumerate() {
            let [before, behind] = pair else { continue };
            holes[number] = before.hole;
            let old = usize::from(before.start + before.length)..usize::from(behind.start);
            let place = &places[number];
            let has_changed = self.literals()[old] != frame[place.clone()];
            let is_number = self.number == Some(number as u8);
            if (has_changed && !self.has_fit && !is_number) || place.len() > VALUE_MAX {
                self.tight_holes |= 1 << number;
            }
        }
        let mut name = [0; NAME_MAX];
        let name = &mut name[..self.name().len()];
        name.copy_from_slice(self.name());
        self.write(frame, b"", name, &holes[..count], &places[..count]);
        true
    }

    fn write(&mut self, frame: &[u8], tail: &[u8], name: &[u8], holes: &[Hole], places: &[Range<usize>]) {
        self.has_fit = false;
        self.wide = Program::EMPTY;
        let plan = &mut self.plan;
        plan.begin((frame.len() + tail.len()).min(LITERALS_MAX) + name.len());
        let mut at = 0;
        let mut tight_start = plan.literals().len();
        for (number, (&hole, place)) in holes.iter().zip(places).enumerate() {
            let start = plan.literals().len();
            plan.push_bytes(&frame[at..place.start]);
            let end = plan.literals().len();
            self.wide.push(start..end, hole);
            at = place.end;
            if self.tight_holes >> number & 1 == 1 {
                plan.push_step(tight_start, hole);
                tight_start = end;
            } else {
                plan.push_bytes(&frame[place.clone()]);
            }
        }
        let start = plan.literals().len();
        plan.push_bytes(&frame[at..]);
        plan.push_bytes(tail);
        let end = plan.literals().len();
        self.wide.push(start..end, Hole::End);
        plan.push_step(tight_start, Hole::End);
        plan.push_bytes(name);
        self.name = name.len() as u8;
    }
}

/// The number of a block, if it is written as one.
pub(super) fn block_number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The part of an event that all frames of a template share.
const fn without_texts(event: &StreamEvent<'_>) -> StreamEvent<'static> {
    StreamEvent::new(event.kind())
        .with_flags(event.flags() & !FLAG_TEXT_ESCAPED)
        .with_sub(event.sub())
        .with_block(event.block())
        .with_num(event.num())
}
