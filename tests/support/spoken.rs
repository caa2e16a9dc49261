//! A dialect made for tests: the name of a server-sent event says what it becomes, its payload is the escaped text.

use thalweg_abi::decode::{Decode, Events, Progress};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{
    E_FAILED, EVENT_DONE, EVENT_SKIPPED, EVENT_TEXT, FLAG_AUX_ESCAPED, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, FRAME_EVENT,
    FrameRef, StreamEvent,
};

/// A frame named `KIND SUB BLOCK`, with `{"escaped text"}` as its payload, becomes that event; one without a name is text.
/// Other names are skipped, and `fail` breaks the codec. At the end it says how many frames it has read.
#[derive(Debug, Default)]
pub struct Spoken {
    /// Calls that were made to read frames.
    pub calls: usize,
    /// Frames of the fullest call.
    pub frames_max: usize,
    frames: u64,
    said: Vec<u8>,
    is_finished: bool,
}

impl Spoken {
    fn event<'f>(frame: &FrameRef<'f>) -> StreamEvent<'f> {
        let name = std::str::from_utf8(frame.event()).expect("frames are valid UTF-8");
        let mut numbers = name.split(' ').map_while(|number| number.parse().ok());
        let (kind, sub, block) = match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(kind), Some(sub), Some(block)) => (kind, sub, block),
            _ if name.is_empty() => (EVENT_TEXT, 0, 0),
            _ => return StreamEvent::new(EVENT_SKIPPED).with_aux(frame.event()),
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
        self.frames_max = self.frames_max.max(frames.len() - *next);
        self.calls += 1;
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
            let done = StreamEvent::new(EVENT_DONE).with_text(&self.said).with_flags(FLAG_SCRATCH);
            self.is_finished = out.push(done).is_ok();
        }
        Ok(if self.is_finished { Progress::Done } else { Progress::More })
    }

    fn reset(&mut self) {
        *self = Self { said: std::mem::take(&mut self.said), ..Self::default() };
    }
}
