//! A dialect made for tests: the name of a server-sent event says what it becomes, its payload is the escaped text.

use thalweg_abi::decode::{Decode, Events, Progress};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{
    E_FAILED, EVENT_DONE, EVENT_SKIPPED, FLAG_AUX_ESCAPED, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, FRAME_EVENT, FrameRef,
    StreamEvent,
};

/// Reads `event: KIND SUB BLOCK` with `data: {"text` (a brace, a quote, then text to the end but for `"}`); other names
/// are skipped, and `event: fail` breaks the codec. At the end it says how many frames it has read.
#[derive(Debug, Default)]
pub struct Spoken {
    /// Frames of each call.
    pub calls: Vec<usize>,
    frames: u64,
    said: Vec<u8>,
    is_finished: bool,
}

impl Spoken {
    fn event<'f>(frame: &FrameRef<'f>) -> StreamEvent<'f> {
        let name = std::str::from_utf8(frame.event()).expect("frames are valid UTF-8");
        let mut numbers = name.split(' ').map_while(|number| number.parse().ok());
        let (Some(kind), Some(sub), Some(block)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event());
        };
        let text = frame.data();
        let text = text.strip_prefix(b"{\"").and_then(|text| text.strip_suffix(b"\"}")).unwrap_or(text);
        let flags = if text.contains(&b'\\') { FLAG_TEXT_ESCAPED } else { 0 };
        let event = StreamEvent::new(kind).with_sub(sub).with_block(block).with_text(text).with_flags(flags);
        if frame.kind() == FRAME_EVENT {
            return event.with_num(i64::from(frame.is_at_eof()));
        }
        event.with_num(i64::from(frame.status())).with_aux(text).with_flags(FLAG_AUX_ESCAPED)
    }
}

impl Decode for Spoken {
    fn decode<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure> {
        if self.calls.len() < self.calls.capacity() {
            self.calls.push(frames.len() - *next);
        }
        while let Some(frame) = frames.get(*next) {
            assert!(std::str::from_utf8(frame.data()).is_ok(), "frames are valid UTF-8");
            if frame.event() == b"fail" {
                return Err(Failure::new(E_FAILED, "told to fail"));
            }
            if out.push(Self::event(frame)).is_err() {
                return Ok(Progress::More);
            }
            self.frames += 1;
            *next += 1;
        }
        Ok(Progress::Done)
    }

    fn finish<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
        if !self.is_finished {
            self.said = self.frames.to_string().into_bytes();
            self.is_finished = true;
            let _ = out.push(StreamEvent::new(EVENT_DONE).with_text(&self.said).with_flags(FLAG_SCRATCH));
        }
        Ok(Progress::Done)
    }

    fn reset(&mut self) {
        self.frames = 0;
        self.is_finished = false;
    }
}
