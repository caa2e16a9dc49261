//! What a frame teaches that the codec has read and marked as repeatable: where its holes are.

use std::ops::Range;

use thalweg_abi::types::{FLAG_AUX_ESCAPED, FLAG_SCRATCH, StreamEvent};

use crate::simd::{BASELINE, string_stop};
use crate::template::hole::is_number;
use crate::template::shape::{Aux, Hole, LITERALS_MAX, SLOTS_MAX};
use crate::template::volatile::Volatile;

/// A frame as it stood on the wire, where its payload lies in it, and what the codec made of it.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    /// The frame, perhaps with comments and blank lines before it.
    pub(crate) bytes: &'a [u8],
    /// A line end that belongs to the frame and is not in `bytes`.
    pub(crate) tail: &'static [u8],
    /// The payload, as a slice of `bytes`.
    pub(crate) data: &'a [u8],
    pub(crate) event: StreamEvent<'a>,
}

/// A frame taken apart.
#[derive(Debug)]
pub(super) struct Lesson<'a> {
    pub(super) frame: &'a [u8],
    pub(super) tail: &'static [u8],
    pub(super) ends_with_cr: bool,
    pub(super) event: StreamEvent<'a>,
    pub(super) aux: Option<Aux>,
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

    fn of(
        read: &Read<'a>,
        frame: Range<usize>,
        data: Range<usize>,
        ends_with_cr: bool,
        volatile: &Volatile,
    ) -> Option<Self> {
        let event = read.event;
        if event.flags() & (FLAG_SCRATCH | FLAG_AUX_ESCAPED) != 0 || event.seq() != 0 {
            return None;
        }
        let bytes = &read.bytes[frame.clone()];
        let data = data.start - frame.start..data.end - frame.start;
        let text = place_in(bytes, event.text())?;
        let mut lesson = Self {
            frame: bytes,
            tail: read.tail,
            ends_with_cr,
            event,
            aux: None,
            holes: std::array::from_fn(|_| (Hole::End, 0..0)),
            count: 0,
        };
        lesson.find_holes(data, &text, volatile)?;
        if !event.aux().is_empty() {
            lesson.aux = Some(lesson.place_aux(&text)?);
        }
        let literals = bytes.len() - text.len() + read.tail.len();
        (literals <= LITERALS_MAX).then_some(lesson)
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

    /// Finds the text, the values of volatile keys, and the place where blanks may stand. `None` when the text is no
    /// whole string of the payload.
    fn find_holes(&mut self, data: Range<usize>, text: &Range<usize>, volatile: &Volatile) -> Option<()> {
        let bytes = self.frame.get(..data.end)?;
        let mut at = data.start;
        let mut depth = 0;
        // Depth of the members of a volatile object; 0 outside of one.
        let mut volatile_depth = 0;
        let mut has_text = false;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth < volatile_depth {
                        volatile_depth = 0;
                    }
                }
                b'"' => {
                    let string = at..string_end(bytes, at)?;
                    at = string.end + 1;
                    if string == *text && !has_text {
                        has_text = true;
                        self.push(Hole::Text, string);
                    } else if volatile_depth > 0 || depth == 1 && volatile.has(&bytes[string]) {
                        at = self.volatile_value(bytes, at, text)?;
                        if volatile_depth == 0 && bytes.get(at) == Some(&b'{') {
                            volatile_depth = depth + 1;
                        }
                    }
                }
                _ => {}
            }
        }
        if !has_text {
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

    /// Notes the value behind a volatile key, which ends before `at`. Returns where to go on.
    fn volatile_value(&mut self, bytes: &[u8], at: usize, text: &Range<usize>) -> Option<usize> {
        let skip_blanks = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let colon = skip_blanks(at);
        if bytes.get(colon) != Some(&b':') {
            return Some(at);
        }
        let value = skip_blanks(colon + 1);
        match bytes.get(value) {
            Some(b'"') => {
                let string = value + 1..string_end(bytes, value + 1)?;
                if string == *text {
                    // The text itself: it is read as such.
                    return Some(value);
                }
                self.push(Hole::String, string.clone());
                Some(string.end + 1)
            }
            Some(b'-' | b'0'..=b'9') => {
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = value + bytes[value..].iter().take_while(is_part).count();
                if is_number(&bytes[value..end]) {
                    self.push(Hole::Number, value..end);
                }
                Some(end)
            }
            _ => Some(value),
        }
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
