//! @NAME@: a dialect. The request holds the messages as the engine has them; the reply is one line of JSON for each piece
//! of text, `{"text": "…"}`, and `{"done": "stop"}` at its end.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{
    E_INVALID, EVENT_ERROR, EVENT_SKIPPED, EVENT_STOP, EVENT_TEXT, FAILURE_MALFORMED, FAILURE_SERVER, FLAG_REPEATABLE,
    FLAG_TEXT_ESCAPED, FRAME_ERROR_BODY, FrameRef, STOP_END, STOP_OTHER, StreamEvent,
};
use thalweg_wire::json::{self, NESTING_MAX, Names};

/// The dialect.
#[derive(Debug, Default)]
pub struct Lines;

impl Codec for Lines {
    type Stream = Conversation;

    fn describe(&self) -> &str {
        r#"{"dialect":"@NAME@","framing":"ndjson","auth":{"kind":"bearer"},"volatile_keys":[]}"#
    }

    fn open(&self, _options: &str) -> Result<Conversation, Failure> {
        Ok(Conversation)
    }
}

/// One conversation. Nothing has to be remembered of it.
#[derive(Debug)]
pub struct Conversation;

static LINE: Names<2> = Names::new(["text", "done"]);

impl CodecStream for Conversation {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        out.push_str(&object(message)?.to_string());
        Ok(())
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        out.path.push_str("/generate");
        out.body_head = format!(r#"{{"model":{},"messages":["#, object(request)?["model"]);
        out.body_tail.push_str("]}");
        Ok(())
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        if frame.kind() == FRAME_ERROR_BODY {
            return out.push(StreamEvent::new(EVENT_ERROR).with_num(FAILURE_SERVER).with_text(frame.data()));
        }
        let Ok(Some([text, done])) = json::object(frame.data(), &LINE, NESTING_MAX) else {
            let event = StreamEvent::new(EVENT_ERROR).with_num(FAILURE_MALFORMED);
            return out.push_copied(event, b"a line of the reply is no JSON object", b"");
        };
        if let Some(reason) = done.text() {
            let reason = if reason.is(b"stop") { STOP_END } else { STOP_OTHER };
            out.push(StreamEvent::new(EVENT_STOP).with_num(reason));
        } else if let Some(text) = text.text() {
            // The string as it stands between its quotes. Nothing is remembered of such a frame, so the engine may read
            // others that differ in nothing but the text by itself.
            let flags = if text.is_escaped() { FLAG_TEXT_ESCAPED } else { 0 };
            out.push(StreamEvent::new(EVENT_TEXT).with_flags(flags | FLAG_REPEATABLE).with_text(text.raw()));
        } else {
            out.push(StreamEvent::new(EVENT_SKIPPED));
        }
    }

    fn finish<'s>(&'s mut self, _out: &mut Out<'_, 's>) {}

    fn reset(&mut self) {}
}

fn object(json: &str) -> Result<serde_json::Value, Failure> {
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|error| Failure::new(E_INVALID, error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(Failure::new(E_INVALID, "not a JSON object")) }
}

thalweg_abi::export_plugin! { id: "@NAME@", version: env!("CARGO_PKG_VERSION"), codec: Lines }
