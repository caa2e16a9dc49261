//! Holds a frame against a template: literals are compared, holes are scanned. The hot loop of the engine.

use std::ops::Range;

use thalweg_abi::types::{FLAG_TEXT_ESCAPED, StreamEvent};

use crate::template::hole;
use crate::template::shape::{Hole, SLOTS_MAX, Template};

/// Why a frame does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is another frame, or a doubtful one.
    Miss,
    /// All that there is of it fits, and its end is missing.
    Short,
}

/// A frame that fits.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// The first byte behind it.
    pub(crate) end: usize,
    pub(super) text: Range<usize>,
    pub(super) is_escaped: bool,
}

/// Where the holes of a frame lie, in order.
pub(super) type Places = [Range<usize>; SLOTS_MAX];

/// A program of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Tight,
    Wide,
}

/// Holds the frame at the start of the input against a program of the template, step by step, and notes where its holes
/// are.
pub(super) fn fit(
    template: &Template,
    program: Which,
    input: &[u8],
    mut note: impl FnMut(usize, Range<usize>),
) -> Result<Fit, Stop> {
    let mut at = 0;
    let mut text = 0..0;
    let mut is_escaped = false;
    for number in 0.. {
        let step = match program {
            Which::Tight => template.plan.step(number),
            Which::Wide => template.wide.step(number),
        };
        let (place, hole) = step.ok_or(Stop::Miss)?;
        let literal = template.literals().get(place).ok_or(Stop::Miss)?;
        let rest = input.get(at..).unwrap_or_default();
        if !rest.starts_with(literal) {
            return Err(if literal.starts_with(rest) { Stop::Short } else { Stop::Miss });
        }
        let from = at + literal.len();
        if hole == Hole::End {
            return Ok(Fit { end: from, text, is_escaped });
        }
        let has_escape;
        (at, has_escape) = value(hole, input, from)?;
        if hole == Hole::Text {
            (text, is_escaped) = (from..at, has_escape);
        }
        note(number, from..at);
    }
    Err(Stop::Miss)
}

/// As [`value`], for the hot loop.
pub(super) fn any(hole: Hole, input: &[u8], from: usize) -> Option<(usize, bool)> {
    value(hole, input, from).ok()
}

/// What stands in a hole: where it ends, and whether it is a string with an escape.
#[inline(never)]
fn value(hole: Hole, input: &[u8], from: usize) -> Result<(usize, bool), Stop> {
    match hole {
        Hole::Text | Hole::String => hole::string(input, from),
        Hole::Number => hole::number(input, from).map(|end| (end, false)),
        Hole::Blanks => hole::blanks(input, from).map(|end| (end, false)),
        Hole::End => Err(Stop::Miss),
    }
}

/// The event of a frame that fits.
#[inline(always)]
pub(super) fn event<'c>(template: &Template, input: &'c [u8], fit: &Fit) -> StreamEvent<'c> {
    let flags = if fit.is_escaped { FLAG_TEXT_ESCAPED } else { 0 };
    let event = template.plan.event().with_text(&input[fit.text.clone()]).with_flags(flags);
    match &template.aux {
        None => event,
        Some(aux) => event.with_aux(aux.slice(input, &fit.text)),
    }
}
