//! A codec that is linked in, driven without the C table.

use crate::decode::{Decode, Events, Progress};
use crate::failure::Failure;
use crate::guest::out::Scratch;
use crate::guest::{CodecStream, Out};
use crate::types::FrameRef;

/// Drives a [`CodecStream`] directly: what a loaded plugin is compared with.
#[derive(Debug)]
pub struct Direct<S> {
    stream: S,
    scratch: Scratch,
    finished: bool,
}

impl<S: CodecStream> Direct<S> {
    /// Takes over an open stream.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, scratch: Scratch::default(), finished: false }
    }

    /// The stream, to encode with.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: CodecStream> Decode for Direct<S> {
    fn decode<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure> {
        self.scratch.clear();
        while let Some(frame) = frames.get(*next) {
            if out.room() == 0 {
                return Ok(Progress::More);
            }
            let stream = &mut self.stream;
            fill(out, &mut self.scratch, |out| stream.decode_frame(frame, out));
            *next += 1;
        }
        Ok(Progress::Done)
    }

    fn finish<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
        if !self.finished {
            self.finished = true;
            self.scratch.clear();
            let stream = &mut self.stream;
            fill(out, &mut self.scratch, |out| stream.finish(out));
        }
        Ok(Progress::Done)
    }

    fn reset(&mut self) {
        self.finished = false;
        self.scratch.clear();
        self.stream.reset();
    }
}

/// Runs `work` with an [`Out`] over the free memory of `out`; what does not fit is appended afterwards, so the array
/// grows beyond its capacity by at most the events of one frame.
fn fill<'f>(out: &mut Events<'_, 'f>, scratch: &mut Scratch, work: impl FnOnce(&mut Out<'_, 'f>)) {
    let room = out.room();
    out.buffer.reserve(room);
    let mut spill = Vec::new();
    // SAFETY: `scratch` is part of the codec, whose borrow lasts for `'f`; it is cleared only by a later call, which
    // needs that borrow to be over.
    let mut target = unsafe { Out::new(&mut out.buffer.spare_capacity_mut()[..room], &mut spill, scratch) };
    work(&mut target);
    let written = target.written();
    let len = out.buffer.len() + written;
    // SAFETY: `Out` has written the first `written` slots behind the old length.
    unsafe { out.buffer.set_len(len) };
    out.buffer.append(&mut spill);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::recycle_events;
    use crate::guest::Request;
    use crate::types::{EVENT_STOP, EVENT_TEXT, FLAG_SCRATCH, FRAME_EVENT, StreamEvent};

    /// Gives each byte of a frame as an event, and the number of frames at the end.
    struct Bytes {
        frames: u32,
    }

    impl CodecStream for Bytes {
        fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
            out.push_str(message);
            Ok(())
        }

        fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
            out.body_head.push_str(request);
            Ok(())
        }

        fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
            self.frames += 1;
            for byte in frame.data().chunks(1) {
                out.push(StreamEvent::new(EVENT_TEXT).with_text(byte));
            }
            let made = format!("frame {}", self.frames);
            out.push_copied(StreamEvent::new(EVENT_TEXT), made.as_bytes(), b"");
        }

        fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
            out.push(StreamEvent::new(EVENT_STOP).with_num(self.frames.into()));
        }

        fn reset(&mut self) {
            self.frames = 0;
        }
    }

    #[test]
    fn full_array_asks_to_be_called_again_and_loses_nothing() {
        let frames = [FrameRef::new(FRAME_EVENT, b"abc"), FrameRef::new(FRAME_EVENT, b"de")];
        let mut codec = Direct::new(Bytes { frames: 0 });
        let mut texts = Vec::new();
        let (mut next, mut calls) = (0, 0);
        let mut buffer = Vec::new();
        loop {
            let mut events = recycle_events(buffer);
            let progress = codec.decode(&frames, &mut next, &mut Events::new(&mut events, 2)).unwrap();
            calls += 1;
            texts.extend(events.iter().map(|event| String::from_utf8_lossy(event.text()).into_owned()));
            assert!(events.iter().all(|event| event.has(FLAG_SCRATCH) == (event.text().len() > 1)));
            buffer = recycle_events(events);
            if progress == Progress::Done {
                break;
            }
        }
        assert_eq!(texts, ["a", "b", "c", "frame 1", "d", "e", "frame 2"]);
        assert_eq!(calls, 2);
    }

    #[test]
    fn second_finish_gives_nothing_until_the_next_reply() {
        let mut codec = Direct::new(Bytes { frames: 0 });
        for expected in [1, 0] {
            let mut events = Vec::new();
            codec.finish(&mut Events::new(&mut events, 8)).unwrap();
            assert_eq!(events.len(), expected);
        }
        codec.reset();
        let mut events = Vec::new();
        codec.finish(&mut Events::new(&mut events, 8)).unwrap();
        assert_eq!(events.len(), 1);
    }
}
