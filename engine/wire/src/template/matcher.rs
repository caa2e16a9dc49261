//! Holds a frame against a template: literals are compared, holes are scanned. The hot loop of the engine.

use std::ops::Range;

use thalweg_abi::types::{FLAG_TEXT_ESCAPED, StreamEvent};

use crate::simd::{BLOCK, Vector, Work, block_at};
use crate::template::hole;
use crate::template::shape::{Hole, Program, SLOTS_MAX, Segment, Template};

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

/// Holds the frame at `start` against a program of the template, and notes where its holes are.
#[inline(always)]
pub(super) fn fit<V: Vector>(
    vector: V,
    template: &Template,
    program: &Program,
    input: &[u8],
    start: usize,
    mut note: impl FnMut(usize, Range<usize>),
) -> Result<Fit, Stop> {
    let mut at = start;
    let mut text = start..start;
    let mut is_escaped = false;
    for (number, segment) in program.segments().iter().enumerate() {
        let from = literal(vector, template.literals(), segment, input, at)?;
        at = match segment.hole {
            Hole::End => return Ok(Fit { end: from, text, is_escaped }),
            Hole::Text => {
                let (end, has_escape) = hole::string(vector, input, from)?;
                (text, is_escaped) = (from..end, has_escape);
                end
            }
            Hole::String => hole::string(vector, input, from)?.0,
            Hole::Number => hole::number(vector, input, from)?,
            Hole::Blanks => hole::blanks(vector, input, from)?,
        };
        note(number, from..at);
    }
    Err(Stop::Miss)
}

/// Compares one literal with the input at `at`. Returns the index behind it.
#[inline(always)]
fn literal<V: Vector>(vector: V, literals: &[u8], segment: &Segment, input: &[u8], at: usize) -> Result<usize, Stop> {
    let (start, length) = (usize::from(segment.start), usize::from(segment.length));
    let end = at + length;
    let Some(bytes) = input.get(at..end) else { return Err(cut_literal(literals, segment, input, at)) };
    let is_same = if length >= BLOCK {
        is_long_same(vector, &literals[start..start + length], bytes)
    } else if let (Some(one), Some(other)) = (block_at(literals, start), block_at(input, at)) {
        vector.equal(vector.load(one), vector.load(other)) | u32::MAX << length == u32::MAX
    } else if let Some(other) = input.last_chunk() {
        // At the end of the input: the last block, against the literal and as many bytes before it.
        let before = at + BLOCK - input.len();
        match block_at(literals, start - before) {
            Some(one) => {
                let wanted = ((1_u64 << length) - 1) << before;
                u64::from(vector.equal(vector.load(one), vector.load(other))) & wanted == wanted
            }
            None => false,
        }
    } else {
        literals[start..start + length] == *bytes
    };
    if is_same { Ok(end) } else { Err(Stop::Miss) }
}

/// Whether two slices of one length, at least a block, are equal.
#[inline(always)]
fn is_long_same<V: Vector>(vector: V, one: &[u8], other: &[u8]) -> bool {
    differences(vector, one, other).is_some_and(|differences| vector.is_zero(differences))
}

/// A block that is zero if two slices of one length, at least a block, are equal.
#[inline(always)]
pub(super) fn differences<V: Vector>(vector: V, one: &[u8], other: &[u8]) -> Option<V::Block> {
    let differ = |one, other| vector.xor(vector.load(one), vector.load(other));
    let mut differences = differ(one.last_chunk()?, other.last_chunk()?);
    let (one_pairs, one_rest) = one.as_chunks::<{ 2 * BLOCK }>();
    let (other_pairs, other_rest) = other.as_chunks::<{ 2 * BLOCK }>();
    for (one, other) in one_pairs.iter().zip(other_pairs) {
        let (ones, others) = (one.as_chunks().0, other.as_chunks().0);
        for (one, other) in ones.iter().zip(others) {
            differences = vector.or(differences, differ(one, other));
        }
    }
    if let (Some(one), Some(other)) = (one_rest.first_chunk(), other_rest.first_chunk()) {
        differences = vector.or(differences, differ(one, other));
    }
    Some(differences)
}

#[cold]
#[inline(never)]
fn cut_literal(literals: &[u8], segment: &Segment, input: &[u8], at: usize) -> Stop {
    let start = usize::from(segment.start);
    let rest = input.get(at..).unwrap_or_default();
    if literals[start..].starts_with(rest) { Stop::Short } else { Stop::Miss }
}

/// Takes one frame after the other as long as they fit the tight program of a template.
pub(super) struct Run<'r, 'c> {
    pub(super) template: &'r Template,
    pub(super) input: &'c [u8],
    pub(super) at: usize,
    pub(super) batch: &'r mut Vec<StreamEvent<'c>>,
    /// Events that the batch may have.
    pub(super) room: usize,
    /// Bytes that a frame may have.
    pub(super) frame_max: usize,
}

/// How far a run came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) at: usize,
    /// Why it went no further; `None` when the input ended with a frame, or the batch is full.
    pub(super) stop: Option<Stop>,
    /// The last frame ended with CR where the input ends: an LF may follow.
    pub(super) is_line_feed_due: bool,
    pub(super) has_escapes: bool,
}

impl Work for Run<'_, '_> {
    type Output = Came;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Came {
        let Self { template, input, at, batch, room, frame_max } = self;
        let mut came = Came { at, stop: None, is_line_feed_due: false, has_escapes: false };
        while batch.len() < room && came.at < input.len() {
            match fit(vector, template, &template.tight, input, came.at, |_, _| ()) {
                Ok(fit) if fit.end - came.at <= frame_max => {
                    came.at = fit.end;
                    came.has_escapes |= fit.is_escaped;
                    batch.push(event(template, input, &fit));
                    if template.ends_with_cr {
                        came.is_line_feed_due = came.at == input.len();
                        came.at += usize::from(input.get(came.at) == Some(&b'\n'));
                    }
                }
                Ok(_) => {
                    came.stop = Some(Stop::Miss);
                    break;
                }
                Err(stop) => {
                    came.stop = Some(stop);
                    break;
                }
            }
        }
        came
    }
}

/// The event of a frame that fits.
#[inline(always)]
pub(super) fn event<'c>(template: &Template, input: &'c [u8], fit: &Fit) -> StreamEvent<'c> {
    let flags = if fit.is_escaped { FLAG_TEXT_ESCAPED } else { 0 };
    let event = template.event.with_text(&input[fit.text.clone()]).with_flags(flags);
    match &template.aux {
        None => event,
        Some(aux) => event.with_aux(aux.slice(input, &fit.text)),
    }
}

/// Holds one frame at the start of the input against one of the programs, noting its holes.
pub(super) struct One<'r> {
    pub(super) template: &'r Template,
    pub(super) program: &'r Program,
    pub(super) input: &'r [u8],
    pub(super) at: usize,
    pub(super) places: &'r mut Places,
}

impl Work for One<'_> {
    type Output = Result<Fit, Stop>;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Result<Fit, Stop> {
        let places = self.places;
        fit(vector, self.template, self.program, self.input, self.at, |number, place| {
            if let Some(slot) = places.get_mut(number) {
                *slot = place;
            }
        })
    }
}
