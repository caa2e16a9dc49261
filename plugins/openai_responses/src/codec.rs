//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::event::Reply;
use crate::options::Options;
use crate::{message, request};

/// The dialect `openai-responses`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

/// What the engine has to know. `item_id` is read only where events have no `output_index` and several items are open, and
/// no such event is repeatable.
const DESCRIPTION: &str = r#"{"dialect":"openai-responses","framing":"sse","auth":{"kind":"bearer"},"volatile_keys":["sequence_number","obfuscation","item_id","logprobs"]}"#;

impl Codec for OpenAiResponses {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        Ok(Stream { options: Options::read(options)?, reply: Reply::default() })
    }
}

/// One conversation in the dialect `openai-responses`.
#[derive(Debug)]
pub struct Stream {
    options: Options,
    reply: Reply,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        message::encode(message, &self.options, out)
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        request::encode(request, &self.options, out)
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        match frame.kind() {
            FRAME_ERROR_BODY => out.push(ProviderError::from_body(frame.data(), frame.status()).event()),
            FRAME_WHOLE_BODY => self.reply.read_whole(frame, out),
            _ => self.reply.read(frame, out),
        }
    }

    fn finish<'s>(&'s mut self, _out: &mut Out<'_, 's>) {
        // Nothing is ever held back.
    }

    fn reset(&mut self) {
        self.reply.reset();
    }
}
