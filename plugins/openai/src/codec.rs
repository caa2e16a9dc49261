//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::chunk::Reply;
use crate::emit::Emit;
use crate::options::Options;
use crate::{message, request};

/// The dialect `openai-chat`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

/// What the engine has to know: the keys named as volatile are never read once a reply has begun.
const DESCRIPTION: &str = r#"{"dialect":"openai-chat","framing":"sse","auth":{"kind":"bearer"},"volatile_keys":["obfuscation","p","id","created","model","provider","system_fingerprint","choices.delta.token_id","choices.delta.reasoning_details.text","choices.delta.reasoning_details.summary","choices.message","choices.text"]}"#;

impl Codec for OpenAiChat {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let options = Options::read(options)?;
        Ok(Stream { reply: Reply::new(options.quirks.think_tags), options })
    }
}

/// One conversation in the dialect `openai-chat`.
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
            out.push(ProviderError::from_body(frame.data(), frame.status()).event());
            return;
        }
        let mut emit = Emit::new(out);
        self.reply.read(frame, &mut emit);
        emit.finish();
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        let mut emit = Emit::new(out);
        self.reply.finish(&mut emit);
        emit.finish();
    }

    fn reset(&mut self) {
        self.reply.reset();
    }
}
