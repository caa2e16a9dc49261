//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::emit::Emit;
use crate::options::Options;
use crate::reply::Reply;
use crate::{message, request};

/// The dialect `gemini`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

/// What the engine has to know. Usage is read only where a reply ends, and no such event is repeatable.
const DESCRIPTION: &str = r#"{"dialect":"gemini","framing":"sse","auth":{"kind":"header","name":"x-goog-api-key"},"volatile_keys":["createTime","usageMetadata","modelVersion","responseId"]}"#;

impl Codec for Gemini {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        Ok(Stream { options: Options::read(options)?, reply: Reply::default() })
    }
}

/// One conversation in the dialect `gemini`.
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
        if frame.kind() == FRAME_ERROR_BODY {
            return out.push(ProviderError::from_body(frame.data(), frame.status()).event());
        }
        let mut emit = Emit::new(out);
        if frame.kind() == FRAME_WHOLE_BODY {
            self.reply.read_whole(frame, &mut emit);
        } else {
            self.reply.read(frame, &mut emit);
        }
        emit.finish();
    }

    fn finish<'s>(&'s mut self, _out: &mut Out<'_, 's>) {
        // Nothing is ever held back.
    }

    fn reset(&mut self) {
        self.reply.reset();
    }
}
