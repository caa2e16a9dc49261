//! Slices that come back from a plugin, checked before anything reads them.

use crate::host::Misbehaviour;
use crate::types::{Event, FLAG_SCRATCH, FrameRef, Str};

/// Checks that the slices of events lie in the frames of the call. Remembers the frame of the last event, since events
/// come in the order of their frames.
pub(crate) struct Slices<'a, 'f> {
    frames: &'a [FrameRef<'f>],
    last: usize,
}

impl<'a, 'f> Slices<'a, 'f> {
    pub(crate) const fn new(frames: &'a [FrameRef<'f>]) -> Self {
        Self { frames, last: 0 }
    }

    /// Whether both slices of `event` may be read as UTF-8 for `'f`, or until the next call with `FLAG_SCRATCH`.
    #[inline]
    pub(crate) fn check(&mut self, index: usize, event: &Event) -> Result<(), Misbehaviour> {
        if event.flags & FLAG_SCRATCH != 0 {
            return check_scratch(event);
        }
        if self.lies_inside(event.text) && self.lies_inside(event.aux) {
            return Ok(());
        }
        Err(Misbehaviour::SliceOutsideFrames { event: index })
    }

    #[inline]
    fn lies_inside(&mut self, slice: Str) -> bool {
        if slice.len == 0 {
            return true;
        }
        // Nearly always the frame after that of the last event, or the same.
        for frame in [self.last + 1, self.last] {
            if self.frames.get(frame).is_some_and(|frame| is_text_of(frame.data(), slice)) {
                self.last = frame;
                return true;
            }
        }
        self.find(slice)
    }

    #[cold]
    fn find(&mut self, slice: Str) -> bool {
        let found = |frame: &FrameRef<'_>| is_text_of(frame.data(), slice) || is_text_of(frame.event(), slice);
        // Forward first: the events of a stream walk through its frames.
        let ahead = self.frames.iter().skip(self.last).position(found).map(|at| at + self.last);
        match ahead.or_else(|| self.frames.iter().position(found)) {
            Some(at) => {
                self.last = at;
                true
            }
            None => false,
        }
    }
}

/// Whether `slice` lies in `whole` and begins and ends between characters of it.
#[inline]
fn is_text_of(whole: &[u8], slice: Str) -> bool {
    let Some(start) = slice.ptr.addr().checked_sub(whole.as_ptr().addr()) else { return false };
    let Some(end) = start.checked_add(slice.len) else { return false };
    end <= whole.len()
        && !whole.get(start).is_some_and(|byte| is_continuation(*byte))
        && !whole.get(end).is_some_and(|byte| is_continuation(*byte))
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Whether both slices, which the plugin vouches for, are readable UTF-8 as far as that can be told.
pub(crate) fn check_scratch(event: &Event) -> Result<(), Misbehaviour> {
    // SAFETY: the plugin vouches for the memory until the next call.
    unsafe { text(event.text, "the text of an event") }?;
    // SAFETY: as above.
    unsafe { text(event.aux, "the second text of an event") }?;
    Ok(())
}

/// A text of a plugin.
///
/// # Safety
/// If `slice` is neither NULL nor too long, it is readable and unchanged for `'a`.
pub(crate) unsafe fn text<'a>(slice: Str, what: &'static str) -> Result<&'a str, Misbehaviour> {
    if slice.len == 0 {
        return Ok("");
    }
    if slice.ptr.is_null() || isize::try_from(slice.len).is_err() {
        return Err(Misbehaviour::BadSlice { what });
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { slice.as_bytes() };
    core::str::from_utf8(bytes).map_err(|_| Misbehaviour::NotUtf8 { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{EVENT_TEXT, FRAME_EVENT, StreamEvent};

    fn event(text: Str) -> Event {
        Event { text, ..*StreamEvent::new(EVENT_TEXT).as_raw() }
    }

    #[test]
    fn slice_is_found_in_any_frame_and_nowhere_else() {
        let buffer = "one-two-drei-ñ".as_bytes();
        let frames = [
            FrameRef::new(FRAME_EVENT, &buffer[0..3]),
            FrameRef::new(FRAME_EVENT, &buffer[4..7]).with_event(&buffer[8..12]),
            FrameRef::new(FRAME_EVENT, &buffer[13..]),
        ];
        let inside = [(0, 3), (4, 7), (5, 6), (8, 12), (13, 15), (2, 2), (1, 3), (4, 5)];
        let outside = [(0, 4), (3, 4), (2, 5), (6, 9), (0, 15), (13, 14), (14, 15)];
        let mut slices = Slices::new(&frames);
        for (start, end) in inside {
            assert_eq!(slices.check(0, &event(Str::new(&buffer[start..end]))), Ok(()), "{start}..{end}");
        }
        for (start, end) in outside {
            let expected = Err(Misbehaviour::SliceOutsideFrames { event: 7 });
            assert_eq!(slices.check(7, &event(Str::new(&buffer[start..end]))), expected, "{start}..{end}");
        }
        let huge = Str { ptr: buffer.as_ptr(), len: usize::MAX };
        assert!(slices.check(0, &event(huge)).is_err());
        let below = Str { ptr: core::ptr::null(), len: 3 };
        assert!(slices.check(0, &event(below)).is_err());
    }

    #[test]
    fn scratch_that_is_null_or_not_utf8_is_refused() {
        let null = Event { flags: FLAG_SCRATCH, ..event(Str { ptr: core::ptr::null(), len: 3 }) };
        assert!(matches!(check_scratch(&null), Err(Misbehaviour::BadSlice { .. })));
        let bytes = Event { flags: FLAG_SCRATCH, ..event(Str::new(b"\xff")) };
        assert!(matches!(check_scratch(&bytes), Err(Misbehaviour::NotUtf8 { .. })));
    }
}
