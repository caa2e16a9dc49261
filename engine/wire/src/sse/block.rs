//! The general path: finds the blank line that ends an event, and reads the fields of a complete event.

use std::ops::Range;

use memchr::memchr2;

/// How far the search for the end of an event has come; survives from chunk to chunk, so no byte is searched twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seek {
    /// Nothing of the current line was seen yet: a line end here is the blank line.
    pub(super) line_is_empty: bool,
    /// The last byte was a CR that ended a line: an LF right after it belongs to that line end.
    pub(super) after_cr: bool,
}

impl Seek {
    pub(super) const START: Self = Self { line_is_empty: true, after_cr: false };

    /// The index after the blank line that ends the event, looking at `bytes[at..]` on. An LF that follows a closing CR
    /// is not part of the event: the caller skips it.
    pub(super) fn block_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let Some((line, next)) = self.line_end(bytes, at) else {
                self.line_is_empty &= at == bytes.len();
                return None;
            };
            if line == at && self.line_is_empty {
                return Some(line + 1);
            }
            self.line_is_empty = true;
            at = next;
        }
    }

    /// The index of the line's end and of the next line.
    pub(super) fn line_end(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let end = at + memchr2(b'\n', b'\r', &bytes[at..])?;
        Some((end, self.after_line_end(bytes, end)))
    }

    /// The index after the line end at `end`, which may be CR and LF.
    pub(super) fn after_line_end(&mut self, bytes: &[u8], end: usize) -> usize {
        let mut next = end + 1;
        if bytes[end] == b'\r' {
            match bytes.get(next) {
                Some(b'\n') => next += 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        next
    }
}

/// What the lines of one event say.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) data: Data,
    /// Value of the last `event` line.
    pub(super) event_type: Range<usize>,
    /// Value of the last `id` line without NUL.
    pub(super) id: Option<Range<usize>>,
    /// Value of the last valid `retry` line.
    pub(super) reconnection_time_ms: Option<u64>,
    pub(super) comments: u64,
}

/// The lines of `data`.
#[derive(Debug, Default)]
pub(super) enum Data {
    /// There is none, so nothing is dispatched.
    #[default]
    Absent,
    /// One line.
    Line(Range<usize>),
    /// Several lines, joined by LF in the scratch.
    Joined(Range<usize>),
}

/// Reads the lines of `bytes`; several lines of data are joined at the end of `scratch`.
pub(super) fn fields(bytes: &[u8], scratch: &mut Vec<u8>) -> Fields {
    let mut fields = Fields::default();
    let mut seek = Seek::START;
    let mut at = 0;
    while at < bytes.len() {
        let (end, next, is_ended) = match seek.line_end(bytes, at) {
            Some((end, next)) => (end, next, true),
            None => (bytes.len(), bytes.len(), false),
        };
        let line = &bytes[at..end];
        let value = |name: &[u8]| value(line, name).map(|start| at + start..end);
        match line.first() {
            Some(b':') => fields.comments += 1,
            Some(b'd') => {
                if let Some(range) = value(b"data") {
                    add_data(&mut fields.data, bytes, range, scratch);
                }
            }
            Some(b'e') => {
                if let Some(range) = value(b"event") {
                    fields.event_type = range;
                }
            }
            Some(b'i') => {
                if let Some(range) = value(b"id")
                    && !bytes[range.clone()].contains(&0)
                {
                    fields.id = Some(range);
                }
            }
            // A number that the end of the stream may have cut off is no number.
            Some(b'r') if is_ended => {
                if let Some(ms) = value(b"retry").and_then(|range| digits(&bytes[range])) {
                    fields.reconnection_time_ms = Some(ms);
                }
            }
            _ => {}
        }
        at = next;
    }
    fields
}

/// Where the value begins if `line` is the field `name`.
fn value(line: &[u8], name: &[u8]) -> Option<usize> {
    let rest = line.strip_prefix(name)?;
    match rest {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

fn add_data(data: &mut Data, bytes: &[u8], line: Range<usize>, scratch: &mut Vec<u8>) {
    let start = match data {
        Data::Absent => {
            *data = Data::Line(line);
            return;
        }
        Data::Line(first) => {
            let start = scratch.len();
            crate::utf8::push_replaced(scratch, &bytes[first.clone()]);
            start
        }
        Data::Joined(range) => range.start,
    };
    scratch.push(b'\n');
    crate::utf8::push_replaced(scratch, &bytes[line]);
    *data = Data::Joined(start..scratch.len());
}

/// A decimal number of ASCII digits only; one that is too large counts as the largest.
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |ms: u64, digit| ms.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}
