//! Holds the events of one frame back until it is known whether there is only one.

use thalweg_abi::guest::Out;
use thalweg_abi::types::{
    EVENT_MESSAGE_START, EVENT_USAGE, EVENT_USAGE_RAW, FLAG_FROM_NOW, FLAG_REPEATABLE, StreamEvent,
};

/// The events of one frame on their way out.
///
/// A frame whose only event adds to a block that is open already, and that leaves no trace in the state, is marked
/// `REPEATABLE`. So that this holds for an empty addition too, one that stands alone in its frame is an event. Text that opens a
/// block, and is all that its frame says but who answers and what it has used, is `REPEATABLE` from then on.
pub(crate) struct Emit<'e, 'o, 'f> {
    out: &'e mut Out<'o, 'f>,
    last: Option<StreamEvent<'f>>,
    is_single: bool,
    is_addition: bool,
    is_opening: bool,
}

impl<'e, 'o, 'f> Emit<'e, 'o, 'f> {
    pub(crate) const fn new(out: &'e mut Out<'o, 'f>) -> Self {
        Self { out, last: None, is_single: true, is_addition: false, is_opening: false }
    }

    /// An event that changes the state, or that another frame of the same shape would not give.
    #[inline]
    pub(crate) fn push(&mut self, event: StreamEvent<'f>) {
        self.flush();
        self.last = Some(event);
        (self.is_addition, self.is_opening) = (false, false);
    }

    /// An event that opens a block, to which the same frame would add from then on.
    #[inline]
    pub(crate) fn push_opening(&mut self, event: StreamEvent<'f>) {
        self.push(event);
        self.is_opening = true;
    }

    /// An event that adds to an open block and changes nothing else.
    #[inline]
    pub(crate) fn push_addition(&mut self, event: StreamEvent<'f>) {
        if event.text().is_empty() && (self.last.is_some() || !self.is_single) {
            return;
        }
        self.flush();
        self.last = Some(event);
        (self.is_addition, self.is_opening) = (true, false);
    }

    /// An event of text that stands in no frame.
    pub(crate) fn push_copied(&mut self, event: StreamEvent<'_>, text: &[u8], aux: &[u8]) {
        self.flush();
        self.is_single = false;
        self.out.push_copied(event, text, aux);
    }

    /// The frame has been read.
    #[inline]
    pub(crate) fn finish(mut self) {
        if self.is_single
            && (self.is_addition || self.is_opening)
            && let Some(event) = self.last.take()
        {
            let flags = match (event.text().is_empty(), self.is_opening) {
                // An empty text has no place in the frame where another one could stand.
                (true, _) => 0,
                (false, false) => FLAG_REPEATABLE,
                (false, true) => FLAG_REPEATABLE | FLAG_FROM_NOW,
            };
            return self.out.push(event.with_flags(flags));
        }
        self.flush();
    }

    #[inline]
    fn flush(&mut self) {
        if let Some(event) = self.last.take() {
            // What is empty was kept only in case that it stays alone.
            if self.is_addition && event.text().is_empty() {
                return;
            }
            // What is said before the text is said only once.
            self.is_single &= matches!(event.kind(), EVENT_MESSAGE_START | EVENT_USAGE | EVENT_USAGE_RAW);
            self.out.push(event);
        }
    }
}
