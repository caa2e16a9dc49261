//! What a frame teaches that the codec has read and marked as repeatable: where its holes are.

use std::ops::Range;

use thalweg_abi::types::{FLAG_AUX_ESCAPED, FLAG_SCRATCH, StreamEvent};

use crate::simd::{BASELINE, string_stop};
use crate::template::hole::is_number;
use crate::template::shape::{Aux, Hole, LITERALS_MAX, NAME_MAX, SLOTS_MAX, block_number};
use crate::template::volatile::{Mark, Step, Volatile};

/// A frame as it stood on the wire, where its payload lies in it, and what the codec made of it.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    /// The frame, perhaps with comments and blank lines before it.
    pub(crate) bytes: &'a [u8],
    /// A line end that belongs to the frame and is not in `bytes`.
    pub(crate) tail: &'static [u8],
    /// The payload, as a slice of `bytes`.
    pub(crate) data: &'a [u8],
    /// The name of the event, if it is not in `bytes`.
    pub(crate) event_type: &'a [u8],
    pub(crate) event: StreamEvent<'a>,
    /// Whether the codec promises the same in all of its states, and for other blocks whose number stands in the payload.
    pub(crate) is_lasting: bool,
}

/// A frame taken apart.
#[derive(Debug)]
pub(super) struct Lesson<'a> {
    pub(super) frame: &'a [u8],
    pub(super) tail: &'static [u8],
    pub(super) ends_with_cr: bool,
    pub(super) event_type: &'a [u8],
    pub(super) event: StreamEvent<'a>,
    pub(super) aux: Option<Aux>,
    pub(super) is_lasting: bool,
    /// Where the number of the block stands, which is a hole as well.
    pub(super) number: Option<Range<usize>>,
    holes: [(Hole, Range<usize>); SLOTS_MAX],
    count: usize,
}

impl<'a> Lesson<'a> {
    /// Takes a frame of server-sent events apart. `None` when it has a shape that is left to the full parse.
    pub(super) fn of_sse(read: &Read<'a>, volatile: &Volatile) -> Option<Self> {
        let bytes = read.bytes;
        let data = place_in(bytes, read.data)?;
        let mut start = 0;
        let mut line = 0;
        // What may stand before the data: blank lines and comments, which end before the frame begins, and its name.
        let data_line = loop {
            let rest = bytes.get(line..data.start)?;
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { break rest };
            let is_before = start == line;
            line += end + 1;
            match rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]) {
                [] | [b':', ..] if is_before => start = line,
                text if text.starts_with(b"event:") && !text.contains(&b'\r') => {}
                _ => return None,
            }
        };
        if !matches!(data_line, b"data:" | b"data: ") {
            return None;
        }
        let is_line_end =
            |text: &[u8]| matches!(text, b"\n\n" | b"\r\n\r\n" | b"\n\r\n" | b"\r\n\n" | b"\r\n\r" | b"\n\r");
        let behind = bytes.get(data.end..)?;
        if !is_line_end(behind) || !read.tail.is_empty() {
            return None;
        }
        // A last CR LF ends the frame with its CR; the LF is skipped, be it in the next chunk.
        let ends_with_cr = matches!(behind, [.., b'\r', b'\n'] | [.., b'\r']);
        let end = bytes.len() - usize::from(behind.ends_with(b"\r\n"));
        Self::of(read, start..end, data, ends_with_cr, volatile)
    }

    /// Takes a line apart.
    pub(super) fn of_line(read: &Read<'a>, volatile: &Volatile) -> Option<Self> {
        let data = place_in(read.bytes, read.data)?;
        let before = read.bytes.get(..data.start)?;
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let behind = read.bytes.get(data.end..)?;
        let ends = behind.iter().filter(|&&byte| byte == b'\n').count() + read.tail.len();
        if ends != 1 || !(behind.ends_with(b"\n") || read.tail == b"\n") {
            return None;
        }
        Self::of(read, start..read.bytes.len(), data, false, volatile)
    }

    /// Takes a payload apart that comes without what is around it on the wire.
    pub(super) fn of_payload(read: &Read<'a>, volatile: &Volatile) -> Option<Self> {
        let whole = 0..read.bytes.len();
        Self::of(read, whole.clone(), whole, false, volatile)
    }

    fn of(
        read: &Read<'a>,
        frame: Range<usize>,
        data: Range<usize>,
        ends_with_cr: bool,
        volatile: &Volatile,
    ) -> Option<Self> {
        let event = read.event;
        if !is_plain(&event) || read.event_type.len() > NAME_MAX {
            return None;
        }
        let bytes = &read.bytes[frame.clone()];
        let data = data.start - frame.start..data.end - frame.start;
        let text = place_in(bytes, event.text())?;
        // Other JSON than a string is never the same but for its content.
        let is_string = text.start > 0 && bytes[text.start - 1] == b'"' && bytes.get(text.end) == Some(&b'"');
        if !is_string || bytes.len() - text.len() + read.tail.len() > LITERALS_MAX {
            return None;
        }
        let mut lesson = Self {
            frame: bytes,
            tail: read.tail,
            ends_with_cr,
            event_type: read.event_type,
            event,
            aux: None,
            is_lasting: read.is_lasting,
            number: None,
            holes: std::array::from_fn(|_| (Hole::End, 0..0)),
            count: 0,
        };
        lesson.find_holes(data, &text, volatile)?;
        if !event.aux().is_empty() {
            lesson.aux = Some(lesson.place_aux(&text)?);
        }
        Some(lesson)
    }

    /// The holes in the order in which they stand.
    pub(super) fn holes(&self) -> &[(Hole, Range<usize>)] {
        &self.holes[..self.count]
    }

    fn push(&mut self, hole: Hole, place: Range<usize>) {
        // The text always has a place: the others leave the last one free until it has come.
        let has_text = self.holes().iter().any(|(hole, _)| *hole == Hole::Text);
        let max = if hole == Hole::Text || has_text { SLOTS_MAX } else { SLOTS_MAX - 1 };
        if self.count < max {
            self.holes[self.count] = (hole, place);
            self.count += 1;
        }
    }

    /// Finds the text, the values of volatile keys, the number of the block, and the place where blanks may stand. `None` when
    /// the text is no whole string of the payload, or it is not certain which number is the block's.
    fn find_holes(&mut self, data: Range<usize>, text: &Range<usize>, volatile: &Volatile) -> Option<()> {
        let bytes = self.frame.get(..data.end)?;
        let mut at = data.start;
        let mut nest = Nest::new();
        let mut has_text = false;
        let mut numbers = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => nest.open(byte),
                b'}' | b']' => nest.close(),
                b'"' => {
                    let string = at..string_end(bytes, at)?;
                    at = string.end + 1;
                    if string == *text && !has_text {
                        has_text = true;
                        self.push(Hole::Text, string);
                    } else if nest.is_volatile() {
                        if value_behind(bytes, at).is_none() {
                            self.push(Hole::String, string);
                        }
                    } else if let Some(step) = nest.step()
                        && let Some((step, mark)) = volatile.step(step, &bytes[string.clone()])
                        && let Some(value) = value_behind(bytes, at)
                    {
                        at = value;
                        let is_volatile = mark == Mark::Volatile;
                        nest.come(step, is_volatile);
                        if mark == Mark::Block && self.is_lasting {
                            numbers += 1;
                            if let Some((Hole::Number, place)) = scalar(bytes, value)?
                                && block_number(&bytes[place.clone()]) == Some(self.event.block())
                            {
                                at = place.end;
                                self.number = Some(place.clone());
                                self.push(Hole::Number, place);
                            }
                        }
                        if is_volatile
                            && let Some((hole, place)) = scalar(bytes, value)?
                            && place != *text
                        {
                            at = place.end + usize::from(hole == Hole::String);
                            self.push(hole, place);
                        }
                    } else if self.is_lasting && bytes[string].contains(&b'\\') && value_behind(bytes, at).is_some() {
                        // A key that is written in another way may be any.
                        return None;
                    }
                }
                b'-' | b'0'..=b'9' if nest.is_volatile() => {
                    if let Some((hole, place)) = scalar(bytes, at - 1)? {
                        at = place.end;
                        self.push(hole, place);
                    }
                }
                _ => {}
            }
        }
        // Of two numbers either may be the one.
        if !has_text || numbers > 1 {
            return None;
        }
        // Some servers pad a payload with blanks before its last brace.
        if let Some((&b'}', before)) = bytes.split_last() {
            let blanks = before.iter().rev().take_while(|&&byte| byte == b' ').count();
            let start = before.len() - blanks;
            if self.holes().last().is_none_or(|(_, place)| place.end <= start) {
                self.push(Hole::Blanks, start..before.len());
            }
        }
        Some(())
    }

    /// The second text, if nothing that may change its length stands between it and the text.
    fn place_aux(&self, text: &Range<usize>) -> Option<Aux> {
        let aux = place_in(self.frame, self.event.aux())?;
        let between = if aux.end <= text.start { aux.start..text.start } else { text.end..aux.end };
        let is_apart = aux.end <= text.start || aux.start >= text.end;
        let is_fixed = self.holes().iter().all(|(_, hole)| hole.end <= between.start || hole.start >= between.end);
        if !is_apart || !is_fixed {
            return None;
        }
        let length = aux.len() as u16;
        Some(if aux.end <= text.start {
            Aux::Before { distance: (text.start - aux.start) as u16, length }
        } else {
            Aux::Behind { distance: (aux.start - text.end) as u16, length }
        })
    }
}

/// Whether an event is its text and numbers, and a second text without escapes.
pub(super) const fn is_plain(event: &StreamEvent<'_>) -> bool {
    event.flags() & (FLAG_SCRATCH | FLAG_AUX_ESCAPED) == 0 && event.seq() == 0
}

/// The objects and lists that are open, and how far each is on the way to volatile values.
struct Nest {
    depth: usize,
    steps: [Option<Step>; NEST_MAX],
    /// Which of them are lists; one bit each.
    lists: u16,
    /// The step to the value that comes.
    next: Option<Step>,
    /// Whether the value that comes is volatile, if it is an object or a list.
    is_next_volatile: bool,
    /// Depth of the members of a volatile value; 0 outside of one.
    volatile_depth: usize,
}

/// Objects and lists on the way to a volatile value; nothing is looked for further in.
const NEST_MAX: usize = 12;

impl Nest {
    const fn new() -> Self {
        Self {
            depth: 0,
            steps: [None; NEST_MAX],
            lists: 0,
            next: Some(Step::TOP),
            is_next_volatile: false,
            volatile_depth: 0,
        }
    }

    fn open(&mut self, byte: u8) {
        // The elements of a list are where the list is.
        let step = if self.is_in_list() { self.own_step() } else { self.next };
        self.depth += 1;
        if std::mem::take(&mut self.is_next_volatile) && !self.is_volatile() {
            self.volatile_depth = self.depth;
        }
        self.next = None;
        if let Some(own) = self.steps.get_mut(self.depth) {
            *own = step;
            self.lists = self.lists & !(1 << self.depth) | u16::from(byte == b'[') << self.depth;
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        (self.next, self.is_next_volatile) = (None, false);
        if self.depth < self.volatile_depth {
            self.volatile_depth = 0;
        }
    }

    /// The value of a key comes.
    fn come(&mut self, step: Step, is_volatile: bool) {
        (self.next, self.is_next_volatile) = (Some(step), is_volatile);
    }

    fn is_volatile(&self) -> bool {
        self.volatile_depth > 0
    }

    fn is_in_list(&self) -> bool {
        self.depth < NEST_MAX && self.lists >> self.depth & 1 == 1
    }

    fn own_step(&self) -> Option<Step> {
        self.steps.get(self.depth).copied().flatten()
    }

    /// Where the next key leads from. What came before it is over.
    fn step(&mut self) -> Option<Step> {
        (self.next, self.is_next_volatile) = (None, false);
        if self.is_in_list() { None } else { self.own_step() }
    }
}

/// Where the value begins of the key that ends before `at`. `None` if it was no key.
fn value_behind(bytes: &[u8], at: usize) -> Option<usize> {
    let skip_blanks = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let colon = skip_blanks(at);
    (bytes.get(colon) == Some(&b':')).then(|| skip_blanks(colon + 1))
}

/// The string or the number at `at`, and where its content lies. `None` if a string has no end.
fn scalar(bytes: &[u8], at: usize) -> Option<Option<(Hole, Range<usize>)>> {
    Some(match bytes.get(at) {
        Some(b'"') => Some((Hole::String, at + 1..string_end(bytes, at + 1)?)),
        Some(b'-' | b'0'..=b'9') => {
            let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
            let end = at + bytes[at..].iter().take_while(is_part).count();
            is_number(&bytes[at..end]).then_some((Hole::Number, at..end))
        }
        _ => None,
    })
}

/// Where `part` lies in `whole`, if it is a slice of it.
fn place_in(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start + part.len();
    (end <= whole.len()).then_some(start..end)
}

/// The index of the quote that ends the string.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = string_stop(BASELINE, bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
