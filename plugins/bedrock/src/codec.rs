//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_anthropic::AnthropicMessages;
use thalweg_wire::provider_error::ProviderError;

use crate::converse::Reply;
use crate::invoke::Invoke;
use crate::{failure, message, request, whole};

/// The dialect `bedrock`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bedrock;

// `p` is padding; models of Meta count their tokens in every event.
const DESCRIPTION: &str = r#"{"dialect":"bedrock","framing":"aws-event-stream","auth":{"kind":"sigv4","service":"bedrock"},"volatile_keys":["p","generation_token_count"],"block_keys":["contentBlockIndex","contentBlockDelta.contentBlockIndex","index"]}"#;

impl Codec for Bedrock {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        // The options of both dialects are the same, so this one checks them too.
        Ok(Stream { reply: Reply::default(), invoke: Invoke::new(AnthropicMessages.open(options)?) })
    }
}

/// One conversation in the dialect `bedrock`.
#[derive(Debug)]
pub struct Stream {
    reply: Reply,
    invoke: Invoke,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        message::encode(message, out)
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        request::encode(request, out)
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        match (frame.kind(), frame.event()) {
            (FRAME_ERROR_BODY, _) => out.push(ProviderError::from_body(frame.data(), frame.status()).event()),
            (FRAME_WHOLE_BODY, _) => whole::read(frame, &mut self.reply, &mut self.invoke, out),
            (_, b"chunk") => self.invoke.read(frame.data(), &mut self.reply, out),
            (_, name) if failure::is_exception(name) => failure::report(name, frame.data(), out),
            (_, name) => self.reply.read(name, frame.data(), out),
        }
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        self.invoke.finish(out);
    }

    fn reset(&mut self) {
        self.reply = Reply::default();
        self.invoke.reset();
    }
}
