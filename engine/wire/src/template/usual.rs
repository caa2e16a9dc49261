//! The hottest loop: frames in which nothing changes but the text, which is short and plain.
//!
//! It looks at nothing else, so that all it needs stays in registers. A frame that is not of this form is looked at more
//! closely elsewhere, be it a hit or a miss.

use thalweg_abi::types::StreamEvent;

use crate::simd::{BLOCK, Vector, Work, block_at};
use crate::template::matcher::differences;
use crate::template::shape::{Hole, Segment, Template};

/// Takes one frame after the other as long as they are of the usual form. Gives the index of the first byte not taken.
pub(super) struct RunUsual<'r, 'c> {
    pub(super) template: &'r Template,
    pub(super) input: &'c [u8],
    pub(super) at: usize,
    pub(super) batch: &'r mut Vec<StreamEvent<'c>>,
    /// Events that the batch may have.
    pub(super) room: usize,
    /// Bytes that a frame may have.
    pub(super) frame_max: usize,
}

/// Whether the tight program of a template has one hole, the text, behind a literal of at least a block.
pub(super) fn is_usual(template: &Template) -> bool {
    match template.tight.segments() {
        [head, _] => {
            let is_text = head.hole == Hole::Text && usize::from(head.length) >= BLOCK;
            is_text && template.aux.is_none() && !template.ends_with_cr
        }
        _ => false,
    }
}

impl<'c> Work for RunUsual<'_, 'c> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> usize {
        let Self { template, input, at, batch, room, frame_max } = self;
        let Some(form) = Form::of(vector, template) else { return at };
        // A longer text is not taken here.
        if form.head.len() + form.tail.len() + BLOCK > frame_max {
            return at;
        }
        let event = template.event;
        let mut rest = input.get(at..).unwrap_or_default();
        while batch.len() < room
            && let Some((text, behind)) = form.take(vector, rest)
        {
            batch.push(event.with_text(text));
            rest = behind;
        }
        input.len() - rest.len()
    }
}

/// The literals, laid out for the loop.
struct Form<'r, V: Vector> {
    head: &'r [u8],
    tail: &'r [u8],
    /// The block that begins with the tail, and the bits that are not of the tail.
    tail_first: V::Block,
    behind_tail: u32,
    /// The block that ends with the tail, and the bits that are not of the tail.
    tail_last: V::Block,
    before_tail: u32,
}

impl<'r, V: Vector> Form<'r, V> {
    #[inline(always)]
    fn of(vector: V, template: &'r Template) -> Option<Self> {
        let [head, tail] = template.tight.segments() else { return None };
        let literals = template.literals();
        let slice = |segment: &Segment| {
            let start = usize::from(segment.start);
            literals.get(start..start + usize::from(segment.length))
        };
        let (start, length) = (usize::from(tail.start), usize::from(tail.length).min(BLOCK));
        let end = start + usize::from(tail.length);
        let bits = (1_u64 << length) - 1;
        Some(Self {
            head: slice(head)?,
            tail: slice(tail)?,
            tail_first: vector.load(block_at(literals, start)?),
            behind_tail: !(bits as u32),
            tail_last: vector.load(block_at(literals, end.checked_sub(BLOCK)?)?),
            before_tail: !((bits << (BLOCK - length)) as u32),
        })
    }

    /// The text of the frame at the start of `rest`, and what is behind the frame.
    #[inline(always)]
    fn take<'c>(&self, vector: V, rest: &'c [u8]) -> Option<(&'c [u8], &'c [u8])> {
        let (head, behind) = rest.split_at_checked(self.head.len())?;
        let head_differs = differences(vector, self.head, head)?;
        let Some(block) = behind.first_chunk() else { return self.take_last(vector, head_differs, rest, behind) };
        let block = vector.load(block);
        let stops = vector.string_stops(block);
        let (text, behind) = behind.split_at_checked(stops.trailing_zeros() as usize)?;
        // What lies below the first stop belongs to the text.
        let is_plain = vector.high_bits(block) & stops.wrapping_sub(1) & !stops == 0;
        let (tail, next) = behind.split_at_checked(self.tail.len())?;
        let is_same = if self.behind_tail == 0 {
            vector.is_zero(vector.or(head_differs, differences(vector, self.tail, tail)?))
        } else {
            let same = match behind.first_chunk() {
                Some(block) => vector.equal(self.tail_first, vector.load(block)) | self.behind_tail,
                // The frame is the last one.
                None if next.is_empty() => self.is_last(vector, rest)?,
                None => return None,
            };
            vector.is_zero(head_differs) && same == u32::MAX
        };
        // A quote ends the text, for the tail begins with one.
        (is_plain && is_same).then_some((text, next))
    }

    /// As [`Form::take`], where the input ends less than a block behind the head.
    #[inline(always)]
    fn take_last<'c>(
        &self,
        vector: V,
        head_differs: V::Block,
        rest: &'c [u8],
        behind: &'c [u8],
    ) -> Option<(&'c [u8], &'c [u8])> {
        let block = vector.load(rest.last_chunk()?);
        let moved = |mask: u32| (u64::from(mask) >> (BLOCK - behind.len())) as u32;
        let stops = moved(vector.string_stops(block));
        let (text, tail) = behind.split_at_checked(stops.trailing_zeros() as usize)?;
        let is_plain = moved(vector.high_bits(block)) & stops.wrapping_sub(1) & !stops == 0;
        let is_same = tail.len() == self.tail.len() && self.is_last(vector, rest)? == u32::MAX;
        (is_plain && is_same && vector.is_zero(head_differs)).then_some((text, &[]))
    }

    /// Where the end of `rest` is the tail, which is shorter than a block; all bits when it is all there.
    #[inline(always)]
    fn is_last(&self, vector: V, rest: &[u8]) -> Option<u32> {
        Some(vector.equal(self.tail_last, vector.load(rest.last_chunk()?)) | self.before_tail)
    }
}
