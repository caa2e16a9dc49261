//! The shapes that nearly all events have: an optional `event` line, one `data` line, a blank line, all ended by LF.
//!
//! Anything else, and any doubt, is left to the general path; so this can be slow for a stream but never wrong.

use std::ops::Range;

use crate::span::Walk;

/// A whole event in the chunk, as ranges of it.
pub(super) struct Shape {
    pub(super) event_type: Range<usize>,
    pub(super) data: Range<usize>,
    /// The first byte after the event.
    pub(super) end: usize,
}

/// The event at `walk.at` if it has a usual shape, is complete, valid UTF-8 and free of CR.
#[inline]
pub(super) fn event(walk: &mut Walk<'_>) -> Option<Shape> {
    let chunk = walk.chunk;
    let mut line = walk.at;
    let mut event_type = line..line;
    if chunk[line..].starts_with(b"event:") {
        let value = value_start(chunk, line + b"event:".len());
        let end = walk.plain_line_end(value)?;
        event_type = value..end;
        line = end + 1;
    }
    if !chunk[line..].starts_with(b"data:") {
        return None;
    }
    let value = value_start(chunk, line + b"data:".len());
    let end = walk.plain_line_end(value)?;
    if chunk.get(end + 1) != Some(&b'\n') {
        return None;
    }
    walk.pass_empty_line();
    Some(Shape { event_type, data: value..end, end: end + 2 })
}

/// One space after the colon is not part of the value.
#[inline]
fn value_start(chunk: &[u8], after_colon: usize) -> usize {
    after_colon + usize::from(chunk.get(after_colon) == Some(&b' '))
}
