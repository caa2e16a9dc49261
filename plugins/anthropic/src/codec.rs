//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::event::Reply;
use crate::options::Options;
use crate::{message, request};

/// The dialect `anthropic`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicMessages;

const DESCRIPTION: &str = r#"{"dialect":"anthropic","framing":"sse","auth":{"kind":"header","name":"x-api-key"},"volatile_keys":[],"block_keys":["index"]}"#;

impl Codec for AnthropicMessages {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        Ok(Stream { options: Options::read(options)?, reply: Reply::default() })
    }
}

/// One conversation in the dialect `anthropic`.
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

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        self.reply.finish(out);
    }

    fn reset(&mut self) {
        self.reply.reset();
    }
}
