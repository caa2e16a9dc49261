//! The shapes that nearly all events have: an optional `event` line, one `data` line, a blank line, all ended by LF.
//!
//! One pass over the chunk, 64 bytes a step, for any number of events: line ends and whatever is not plain ASCII come out of
//! the same comparison, and nothing is written down but where the event and its line begin. Anything else, and any doubt,
//! is left to the general path; so this can be slow for a stream but never wrong.

use crate::simd::marks::{STEP, Steps};
use crate::simd::{Level, Vector, Work};
use crate::span::{Place, Slice, Span};
use crate::utf8;

/// A whole event in the chunk.
#[derive(Debug)]
pub(super) struct Shape<'c> {
    pub(super) event_type: Value<'c>,
    pub(super) data: Value<'c>,
}

/// The value of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'c> {
    pub(super) text: &'c [u8],
    at: usize,
}

impl<'c> Value<'c> {
    const NONE: Self = Self { text: &[], at: 0 };

    #[inline(always)]
    fn of(chunk: &'c [u8], at: usize, end: usize) -> Option<Self> {
        Some(Self { text: chunk.get(at..end)?, at })
    }

    #[inline]
    const fn slice(self, place: Place) -> Slice {
        Slice { place, start: self.at, end: self.at + self.text.len() }
    }
}

impl Shape<'_> {
    /// The same as slices of `place`, which was read.
    #[inline]
    pub(super) const fn span(&self, place: Place) -> Span {
        Span { data: self.data.slice(place), event_type: self.event_type.slice(place) }
    }
}

/// Where the pass has stopped, which is at the first byte of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) why: Why,
    /// The first byte that did not matter any more.
    pub(super) seen: usize,
}

/// An event whose data line has begun and not ended. All places are counted from the begin of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// Where the value begins.
    pub(super) data: u32,
    pub(super) event_type: (u32, u32),
    /// Whether there may be bytes outside of ASCII.
    pub(super) has_high: bool,
}

impl Open {
    /// `None` where the places are too large to be noted.
    fn new(start: usize, data: usize, event_type: Value<'_>, has_high: bool) -> Option<Self> {
        let place = |at: usize| u32::try_from(at.checked_sub(start)?).ok();
        let event_type = match event_type.text {
            [] => (0, 0),
            text => (place(event_type.at)?, place(event_type.at + text.len())?),
        };
        Some(Self { data: place(data)?, event_type, has_high })
    }
}

/// Why it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The chunk ends before the event does, which has only plain lines so far.
    Ends {
        /// Whether the last of them is complete.
        line_is_empty: bool,
        /// What is known of the event if the last line has data.
        open: Option<Open>,
    },
    /// The event has another shape, or is too long.
    Odd,
    /// Who takes the events wants no more.
    Enough,
}

/// Hands each event from `at` on to `each`, until that wants no more. Every event is valid UTF-8, free of CR and no longer
/// than `bytes_max`.
#[inline]
pub(super) fn events<'c>(chunk: &'c [u8], at: usize, bytes_max: usize, each: impl FnMut(Shape<'c>) -> bool) -> Stop {
    Level::detect().run(Events { chunk, at, bytes_max, each })
}

struct Events<'c, E> {
    chunk: &'c [u8],
    at: usize,
    bytes_max: usize,
    each: E,
}

impl<'c, E: FnMut(Shape<'c>) -> bool> Work for Events<'c, E> {
    type Output = Stop;

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> Stop {
        let Self { chunk, at: mut start, bytes_max, mut each } = self;
        let steps = Steps::new(chunk);
        let (mut line, mut at) = (start, start);
        let mut event_type = Value::NONE;
        // Behind the last byte outside of ASCII, or a few more.
        let mut high = start;
        while at < chunk.len() {
            if steps.are_two_usual(vector, at) {
                at += 2 * STEP;
                continue;
            }
            let step = steps.at(vector, at);
            let unusual = step.unusual();
            let seen = at + STEP;
            if unusual == 0 {
                at = seen;
                continue;
            }
            let mut feeds = step.line_feeds();
            let others = unusual & !feeds;
            let mut odd = None;
            if others != 0 {
                let controls = others & !step.high();
                if controls != others {
                    high = seen;
                }
                if controls != 0 {
                    odd = Some(at + controls.trailing_zeros() as usize + 1);
                    feeds &= lowest(controls) - 1;
                }
            }
            while feeds != 0 {
                let end = at + feeds.trailing_zeros() as usize;
                feeds &= feeds - 1;
                if end < line {
                    // Of the blank line that was taken with the step before.
                    continue;
                }
                let odd = Stop { at: start, why: Why::Odd, seen: end + 1 };
                match field(chunk, line) {
                    Field::EventType(value) if line == start => {
                        let Some(value) = Value::of(chunk, value, end) else { return odd };
                        event_type = value;
                        line = end + 1;
                    }
                    Field::Data(value) => {
                        match chunk.get(end + 1) {
                            Some(b'\n') => {}
                            Some(_) => return odd,
                            None => {
                                return Stop {
                                    at: start,
                                    why: Why::Ends { line_is_empty: true, open: None },
                                    seen: chunk.len(),
                                };
                            }
                        }
                        let Some(data) = Value::of(chunk, value, end) else { return odd };
                        let next = end + 2;
                        if next - start > bytes_max || (high > start && !utf8::is_valid(&chunk[start..end])) {
                            return odd;
                        }
                        feeds &= feeds.wrapping_sub(1);
                        let wants_more = each(Shape { event_type, data });
                        (start, line, event_type) = (next, next, Value::NONE);
                        if !wants_more {
                            return Stop { at: next, why: Why::Enough, seen: next };
                        }
                    }
                    Field::EventType(_) | Field::Other => return odd,
                }
            }
            if let Some(seen) = odd {
                return Stop { at: start, why: Why::Odd, seen };
            }
            at = seen;
        }
        let open = match field(chunk, line) {
            Field::Data(value) => Open::new(start, value, event_type, high > start),
            Field::EventType(_) | Field::Other => None,
        };
        Stop { at: start, why: Why::Ends { line_is_empty: line >= chunk.len(), open }, seen: chunk.len() }
    }
}

/// The lowest bit, by itself.
#[inline(always)]
const fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

/// The first control byte of `chunk`, its length if there is none; and whether there may be bytes outside of ASCII before.
#[inline]
pub(super) fn first_control(chunk: &[u8]) -> (usize, bool) {
    Level::detect().run(FirstControl { chunk })
}

struct FirstControl<'c> {
    chunk: &'c [u8],
}

impl Work for FirstControl<'_> {
    type Output = (usize, bool);

    #[inline(always)]
    fn run<V: Vector>(self, vector: V) -> (usize, bool) {
        let steps = Steps::new(self.chunk);
        let (mut at, mut has_high) = (0, false);
        while at < self.chunk.len() {
            if steps.are_two_usual(vector, at) {
                at += 2 * STEP;
                continue;
            }
            let step = steps.at(vector, at);
            let unusual = step.unusual();
            if unusual != 0 {
                let controls = unusual & !step.high();
                has_high |= controls != unusual;
                if controls != 0 {
                    return (at + controls.trailing_zeros() as usize, has_high);
                }
            }
            at += STEP;
        }
        (self.chunk.len(), has_high)
    }
}

/// What a line says, with the place of its value.
enum Field {
    EventType(usize),
    Data(usize),
    Other,
}

/// The field of the line at `line`, as far as it is told by the first bytes. No name has an LF, so what lies behind the line
/// does not matter.
#[inline(always)]
fn field(chunk: &[u8], line: usize) -> Field {
    let Some(first) = chunk.get(line..).and_then(|rest| rest.first_chunk()) else { return Field::Other };
    let first = u64::from_le_bytes(*first);
    let begins = |name: [u8; 8], bytes: u32| first << (64 - 8 * bytes) == u64::from_le_bytes(name) << (64 - 8 * bytes);
    if begins(*b"data: \0\0", 6) {
        Field::Data(line + 6)
    } else if begins(*b"event: \0", 7) {
        Field::EventType(line + 7)
    } else if begins(*b"data:\0\0\0", 5) {
        Field::Data(line + 5)
    } else if begins(*b"event:\0\0", 6) {
        Field::EventType(line + 6)
    } else {
        Field::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_control_byte_is_found_wherever_it_stands() {
        for length in 0..200 {
            let plain = vec![b'x'; length];
            assert_eq!(first_control(&plain), (length, false));
            for place in 0..length {
                for byte in [b'\n', b'\r', 0, 0x1f] {
                    let mut chunk = plain.clone();
                    chunk[place] = byte;
                    assert_eq!(first_control(&chunk), (place, false), "{byte} at {place} of {length}");
                    chunk[place / 2] = 0x80;
                    let (at, has_high) = first_control(&chunk);
                    assert_eq!((at, has_high || place == 0), (if place == 0 { length } else { place }, true));
                    chunk[length - 1] = b'\n';
                    assert_eq!(
                        first_control(&chunk).0,
                        if place == 0 { length - 1 } else { place },
                        "{place} of {length}"
                    );
                }
            }
        }
    }
}
