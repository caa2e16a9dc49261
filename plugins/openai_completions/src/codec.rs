//! The dialect as the engine sees it.

use serde::Deserialize;
use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request, canonical};
use thalweg_abi::types::{FRAME_ERROR_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::reply::Reply;
use crate::request;

/// The dialect `openai-completions`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiCompletions;

const DESCRIPTION: &str = r#"{"dialect":"openai-completions","framing":"sse","auth":{"kind":"bearer"},"volatile_keys":["created","system_fingerprint","obfuscation","logprobs"]}"#;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    stream_usage: Option<bool>,
}

impl Codec for OpenAiCompletions {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let given: Given = canonical::options(options)?;
        let has_stream_usage = given.flags.and_then(|flags| flags.stream_usage).unwrap_or(true);
        Ok(Stream { has_stream_usage, reply: Reply::default() })
    }
}

/// One conversation in the dialect `openai-completions`.
#[derive(Debug)]
pub struct Stream {
    has_stream_usage: bool,
    reply: Reply,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        request::encode_message(message, out)
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        request::encode(request, self.has_stream_usage, out)
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        match frame.kind() {
            FRAME_ERROR_BODY => out.push(ProviderError::from_body(frame.data(), frame.status()).event()),
            _ => self.reply.read(frame, out),
        }
    }

    fn finish<'s>(&'s mut self, _out: &mut Out<'_, 's>) {
        // Nothing is ever held back.
    }

    fn reset(&mut self) {
        self.reply = Reply::default();
    }
}
