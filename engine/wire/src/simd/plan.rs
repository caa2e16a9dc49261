//! Frames of one shape, read as fast as they can be: what lies between their values is compared in whole blocks, whose
//! differences are gathered and looked at once a frame.

use std::ops::Range;

use thalweg_abi::types::{FLAG_TEXT_ESCAPED, StreamEvent};

use super::{BLOCK, Vector, Work};

/// Literals that a plan has at most.
pub(crate) const STEPS_MAX: usize = 8;

/// What stands behind a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing: it was the last one.
    End,
    /// The content of the string that is the event's text.
    Text,
    /// The content of another string.
    String,
    /// A number.
    Number,
    /// Blanks, perhaps none.
    Blanks,
}

/// A literal, and what stands behind it.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Where it ends in the bytes of all literals.
    end: u16,
    length: u16,
    /// Blocks before the last one.
    whole: u8,
    /// Bytes of its last block: fewer than that many only if it is short.
    last: u8,
    value: Value,
}

/// How frames are read: literals and values in turn.
///
/// Every step ends within the literals, and a block of these lies before the first. A plan that is ready ends with an end.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The event of a frame without its text.
    event: StreamEvent<'static>,
    literals: Vec<u8>,
    steps: [Step; STEPS_MAX],
    count: u8,
    /// Whether all steps so far fit their fields, and whether the last one has come.
    is_whole: bool,
    is_ready: bool,
    /// Whether the text is the only value.
    is_usual: bool,
}

impl Plan {
    pub(crate) const fn new() -> Self {
        let step = Step { end: 0, length: 0, whole: 0, last: 0, value: Value::End };
        Self {
            event: StreamEvent::new(0),
            literals: Vec::new(),
            steps: [step; STEPS_MAX],
            count: 0,
            is_whole: false,
            is_ready: false,
            is_usual: false,
        }
    }

    /// Sets the event of a frame, without its text.
    pub(crate) const fn set_event(&mut self, event: StreamEvent<'static>) {
        self.event = event;
    }

    /// Begins anew, for so many bytes of literals and names.
    pub(crate) fn begin(&mut self, bytes: usize) {
        self.literals.clear();
        self.literals.reserve_exact(bytes + BLOCK);
        self.literals.extend_from_slice(&[0; BLOCK]);
        (self.count, self.is_whole, self.is_ready, self.is_usual) = (0, true, false, false);
    }

    /// The event of a frame without its text.
    pub(crate) const fn event(&self) -> &StreamEvent<'static> {
        &self.event
    }

    /// The bytes of all literals, behind a block of others.
    pub(crate) fn literals(&self) -> &[u8] {
        &self.literals
    }

    /// Where a literal lies in the bytes of all, and what stands behind it.
    pub(crate) fn step(&self, number: usize) -> Option<(Range<usize>, Value)> {
        let step = self.steps.get(..usize::from(self.count))?.get(number)?;
        Some((usize::from(step.end - step.length)..usize::from(step.end), step.value))
    }

    /// Appends bytes of a literal.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.literals.extend_from_slice(bytes);
    }

    /// Ends the literal that began at `start` of all bytes, and says what stands behind it.
    pub(crate) fn push_step(&mut self, start: usize, value: Value) {
        let length = self.literals.len() - start;
        let whole = length.saturating_sub(1) / BLOCK;
        let step = Step {
            end: self.literals.len() as u16,
            length: length as u16,
            whole: whole as u8,
            last: length.min(BLOCK) as u8,
            value,
        };
        self.is_whole &= start >= BLOCK
            && usize::from(step.end) == self.literals.len()
            && usize::from(step.whole) == whole
            && usize::from(self.count) < STEPS_MAX;
        if self.is_whole {
            self.steps[usize::from(self.count)] = step;
            self.count += 1;
        }
        self.is_ready = self.is_whole && value == Value::End;
        self.is_usual = self.is_ready && self.count == 2 && self.steps[0].value == Value::Text;
    }

    /// The plan, ready for frames of `input` from `at` on. `None` when there is too little before its first value.
    #[inline(always)]
    fn over<'r, 'c>(&'r self, input: &'c [u8], at: usize) -> Option<Reader<'r, 'c>> {
        let is_ready = self.is_ready && at <= input.len() && at + usize::from(self.steps[0].length) >= BLOCK;
        is_ready.then_some(Reader { steps: &self.steps, literals: &self.literals, input, at })
    }
}

/// Reads frames of one input.
///
/// `at` never goes back and is never past the end of the input, and where the first literal ends a block of the input lies
/// before.
#[derive(Debug)]
struct Reader<'r, 'c> {
    steps: &'r [Step; STEPS_MAX],
    literals: &'r [u8],
    input: &'c [u8],
    at: usize,
}

impl<'c> Reader<'_, 'c> {
    /// The text of the next frame, if it has the shape, in which the text is the only value, and it is plain and shorter than
    /// a block.
    #[inline(always)]
    fn next_usual<V: Vector>(&mut self, vector: V) -> Option<&'c [u8]> {
        let [head, tail, ..] = self.steps;
        let input = self.input;
        let from = self.at + usize::from(head.length);
        if from > input.len() {
            return None;
        }
        // SAFETY: `from` is within the input, and a block is before it.
        let gathered = unsafe { self.differences(vector, head, from) };
        // SAFETY: as above.
        let stops = unsafe { self.look(vector, from, |block| vector.plain_stops(block)) };
        let text_end = from + stops.trailing_zeros() as usize;
        let end = text_end + usize::from(tail.length);
        if stops == 0 || end > input.len() {
            return None;
        }
        // SAFETY: `end` is within the input, and a block is before it.
        let gathered = vector.or(gathered, unsafe { self.differences(vector, tail, end) });
        // A quote ends the text, for the tail begins with one.
        if !vector.is_zero(gathered) {
            return None;
        }
        self.at = end;
        // SAFETY: both are within the input, the second not before the first.
        Some(unsafe { input.get_unchecked(from..text_end) })
    }

    /// The text of the next frame, if it has the shape, and whether it has an escape.
    #[inline(always)]
    fn next<V: Vector>(&mut self, vector: V, any: AnyValue) -> Option<(&'c [u8], bool)> {
        let input = self.input;
        let mut at = self.at;
        let mut text = &input[..0];
        let mut is_escaped = false;
        let mut gathered = vector.zero();
        let mut number = 0;
        loop {
            let step = &self.steps[number % STEPS_MAX];
            number += 1;
            let from = at + usize::from(step.length);
            if from > input.len() {
                return None;
            }
            // SAFETY: `from` is within the input, and a block is before it, since a block is before the end of the first
            // literal, from where on it only grows. The literals are as the type says.
            gathered = vector.or(gathered, unsafe { self.differences(vector, step, from) });
            let plain = match step.value {
                // SAFETY: as above.
                Value::Text | Value::String => unsafe { self.string(vector, from) },
                Value::End => {
                    if !vector.is_zero(gathered) {
                        return None;
                    }
                    self.at = from;
                    return Some((text, is_escaped));
                }
                Value::Number => {
                    // SAFETY: as above.
                    let others = unsafe { self.look(vector, from, |block| vector.non_digits(block)) };
                    let end = from + others.trailing_zeros() as usize;
                    let is_plain =
                        matches!(input.get(from), Some(b'1'..=b'9')) && matches!(input.get(end), Some(b',' | b'}'));
                    is_plain.then_some(end)
                }
                Value::Blanks => {
                    // SAFETY: as above.
                    let others = unsafe { self.look(vector, from, |block| !vector.is_byte(block, b' ')) };
                    (others != 0).then_some(from + others.trailing_zeros() as usize)
                }
            };
            at = match plain {
                Some(end) => end,
                None if vector.is_zero(gathered) => {
                    let (end, has_escape) = any(step.value, input, from)?;
                    is_escaped |= has_escape && step.value == Value::Text;
                    // Only what lies within the input is believed.
                    end.clamp(from, input.len())
                }
                None => return None,
            };
            if step.value == Value::Text {
                // SAFETY: both are within the input, the second not before the first.
                text = unsafe { input.get_unchecked(from..at) };
            }
        }
    }

    /// Where the string ends whose content begins at `from`, if it is plain.
    ///
    /// # Safety
    /// `from` is within the input, and there is a block before it.
    #[inline(always)]
    unsafe fn string<V: Vector>(&self, vector: V, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            // SAFETY: `at` begins as the caller promises, and grows within the input.
            let stops = unsafe { self.look(vector, at, |block| vector.plain_stops(block)) };
            if stops != 0 {
                at += stops.trailing_zeros() as usize;
                // SAFETY: a stop is a byte of the input.
                return (unsafe { *self.input.get_unchecked(at) } == b'"').then_some(at);
            }
            at += BLOCK;
            if at > self.input.len() {
                return None;
            }
        }
    }

    /// A block that is zero when the literal stands before `end` of the input.
    ///
    /// # Safety
    /// `end` is within the input, and the literal or a block, whichever is longer, is before it.
    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    unsafe fn differences<V: Vector>(&self, vector: V, step: &Step, end: usize) -> V::Block {
        // SAFETY: said above; all blocks lie between the ends and `length`, or one block, before them.
        unsafe {
            let (text_end, input_end) =
                (self.literals.as_ptr().add(usize::from(step.end)), self.input.as_ptr().add(end));
            let differs =
                |one: *const u8, other: *const u8| vector.xor(vector.load(&*one.cast()), vector.load(&*other.cast()));
            let mask = MASKS.as_ptr().add(usize::from(step.last));
            let mut gathered =
                vector.and(differs(text_end.sub(BLOCK), input_end.sub(BLOCK)), vector.load(&*mask.cast()));
            let mut text = text_end.sub(usize::from(step.length));
            let mut input = input_end.sub(usize::from(step.length));
            let mut left = step.whole;
            macro_rules! blocks {
                ($count:literal) => {
                    let mut sum = differs(text, input);
                    for n in 1..$count {
                        sum = vector.or(sum, differs(text.add(n * BLOCK), input.add(n * BLOCK)));
                    }
                    gathered = vector.or(gathered, sum);
                    (text, input) = (text.add($count * BLOCK), input.add($count * BLOCK));
                };
            }
            while left >= 8 {
                blocks!(8);
                left -= 8;
            }
            if left & 4 != 0 {
                blocks!(4);
            }
            if left & 2 != 0 {
                blocks!(2);
            }
            if left & 1 != 0 {
                gathered = vector.or(gathered, differs(text, input));
            }
            gathered
        }
    }

    /// The bits that `see` gives for the block at `from`, without those of what is behind the end of the input.
    ///
    /// # Safety
    /// `from` is within the input, and there is a block before it.
    #[inline(always)]
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "one reason holds for all")]
    unsafe fn look<V: Vector>(&self, vector: V, from: usize, see: impl Fn(V::Block) -> u32) -> u32 {
        let left = self.input.len() - from;
        // SAFETY: `from` is within the input.
        let here = unsafe { self.input.as_ptr().add(from) };
        if left >= BLOCK {
            // SAFETY: a block is left.
            return see(vector.load(unsafe { &*here.cast() }));
        }
        // SAFETY: the last block of the input begins before `from`, where there is a block.
        let last = unsafe { &*here.add(left).sub(BLOCK).cast() };
        (u64::from(see(vector.load(last))) >> (BLOCK - left)) as u32
    }
}

/// Reads a value that is not plain: a string with escapes or bytes outside of ASCII, a number that is not whole, many blanks.
/// Gives its end, and whether it has an escape.
pub(crate) type AnyValue = fn(Value, &[u8], usize) -> Option<(usize, bool)>;

/// Takes one frame after the other, until one has not the shape or there is no room for its event. Gives the first byte that
/// was not read, and whether a text has an escape. The first frame is none that [`Usual`] takes.
pub(crate) struct Frames<'r, 'c> {
    pub(crate) plan: &'r Plan,
    pub(crate) input: &'c [u8],
    pub(crate) at: usize,
    pub(crate) batch: &'r mut Vec<StreamEvent<'c>>,
    /// Events that the batch may have.
    pub(crate) room: usize,
    pub(crate) any: AnyValue,
}

impl Work for Frames<'_, '_> {
    type Output = (usize, bool);

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> (usize, bool) {
        let Self { plan, input, at, batch, room, any } = self;
        let Some(mut reader) = plan.over(input, at) else { return (at, false) };
        let mut has_escapes = false;
        while batch.len() < room {
            let Some((text, is_escaped)) = reader.next(vector, any) else { break };
            let flags = if is_escaped { FLAG_TEXT_ESCAPED } else { 0 };
            batch.push(plan.event.with_text(text).with_flags(flags));
            has_escapes |= is_escaped;
            while plan.is_usual
                && batch.len() < room
                && let Some(text) = reader.next_usual(vector)
            {
                batch.push(plan.event.with_text(text));
            }
        }
        (reader.at, has_escapes)
    }
}

/// As [`Frames`], but for those only whose text is their only value, plain and shorter than a block: nearly all of most
/// streams.
pub(crate) struct Usual<'r, 'c> {
    pub(crate) plan: &'r Plan,
    pub(crate) input: &'c [u8],
    pub(crate) at: usize,
    pub(crate) batch: &'r mut Vec<StreamEvent<'c>>,
    /// Events that the batch may have.
    pub(crate) room: usize,
}

impl Work for Usual<'_, '_> {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> usize {
        let Self { plan, input, at, batch, room } = self;
        if !plan.is_usual {
            return at;
        }
        let Some(mut reader) = plan.over(input, at) else { return at };
        while batch.len() < room {
            let Some(text) = reader.next_usual(vector) else { break };
            batch.push(plan.event.with_text(text));
        }
        reader.at
    }
}

/// Takes one frame, if it has the shape: where its text lies, whether it has an escape, and the first byte behind the frame.
pub(crate) struct One<'r, 'c> {
    pub(crate) plan: &'r Plan,
    pub(crate) input: &'c [u8],
    pub(crate) at: usize,
    pub(crate) any: AnyValue,
}

impl Work for One<'_, '_> {
    type Output = Option<(Range<usize>, bool, usize)>;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Self::Output {
        let Self { plan, input, at, any } = self;
        let mut reader = plan.over(input, at)?;
        let (text, is_escaped) = reader.next(vector, any)?;
        let start = text.as_ptr().addr() - input.as_ptr().addr();
        Some((start..start + text.len(), is_escaped, reader.at))
    }
}

/// Zeroes before as many ones: what stands before a short literal is masked out with a block of it.
static MASKS: [u8; 2 * BLOCK] = {
    let mut masks = [0; 2 * BLOCK];
    let mut at = BLOCK;
    while at < masks.len() {
        masks[at] = 0xff;
        at += 1;
    }
    masks
};
