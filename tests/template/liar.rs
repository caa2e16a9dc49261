//! A codec that promises what it does not keep is found out.

use thalweg_abi::failure::Failure;
use thalweg_abi::guest::{Out, Request};
use thalweg_abi::types::{EVENT_TEXT, FLAG_FROM_NOW, FLAG_LASTING, FLAG_REPEATABLE, FrameRef};

use super::*;

/// Says that its events are repeatable, although each has the number of its frame, or another text than it says.
#[derive(Clone, Copy)]
enum Liar {
    Number,
    /// It says `FLAG_FROM_NOW` with each.
    FromNow,
    /// It says `FLAG_LASTING` with each.
    Lasting,
    /// Only the text that stands first in the frame.
    Text,
}

struct Stream {
    liar: Liar,
    frames: i64,
}

impl Codec for Liar {
    type Stream = Stream;

    fn describe(&self) -> &str {
        r#"{"dialect":"lies","framing":"sse","auth":{"kind":"none"},"volatile_keys":["b"],"block_keys":["n"]}"#
    }

    fn open(&self, _: &str) -> Result<Stream, Failure> {
        Ok(Stream { liar: *self, frames: 0 })
    }
}

impl CodecStream for Stream {
    fn encode_message(&mut self, _: &str, _: &mut String) -> Result<(), Failure> {
        Ok(())
    }

    fn encode_request(&mut self, _: &str, _: &mut Request) -> Result<(), Failure> {
        Ok(())
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        self.frames += 1;
        let mut texts = frame.data().split(|byte| *byte == b'"').skip(3).step_by(4);
        let (one, other) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        let event = StreamEvent::new(EVENT_TEXT).with_text(one);
        out.push(match self.liar {
            Liar::Number => event.with_num(self.frames).with_flags(FLAG_REPEATABLE),
            Liar::FromNow => event.with_num(self.frames).with_flags(FLAG_REPEATABLE | FLAG_FROM_NOW),
            Liar::Lasting => event.with_num(self.frames).with_flags(FLAG_REPEATABLE | FLAG_LASTING),
            // The second string is volatile, and read all the same.
            Liar::Text => event.with_num(other.len() as i64).with_flags(FLAG_REPEATABLE),
        });
    }

    fn finish<'s>(&'s mut self, _: &mut Out<'_, 's>) {}

    fn reset(&mut self) {
        self.frames = 0;
    }
}

#[test]
fn codec_that_marks_what_does_not_repeat_is_caught_and_asked_from_then_on() {
    let body: String = (0..200).map(|number| format!("data: {{\"a\":\"x\",\"b\":\"{number}\"}}\n\n")).collect();
    for liar in [Liar::Number, Liar::FromNow, Liar::Lasting, Liar::Text] {
        let expected = read(&mut reader(&liar).without_template(), [body.as_bytes()]);
        let believed = read(&mut reader(&liar), [body.as_bytes()]);
        assert_ne!(believed.0, expected.0, "the lie can be seen");
        let checked = read(&mut reader(&liar).with_template_check(NonZeroU32::MIN), [body.as_bytes()]);
        assert_same(&checked.0, &expected.0, || "every frame is read by the codec".into());
        assert_eq!(checked.1.template_lies, 1, "after the first lie no template is used any more");
        for every in [2, 7, 50] {
            let every = NonZeroU32::new(every).expect("not 0");
            let counters = read(&mut reader(&liar).with_template_check(every), [body.as_bytes()]).1;
            assert_eq!(counters.template_lies, 1, "one of {every} hits is read by the codec");
        }
    }
}
