//! The dialect as the engine sees it.

use serde::Deserialize;
use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request, canonical};
use thalweg_abi::types::{FRAME_ERROR_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::reply::Reply;
use crate::{message, request};

/// The dialect `ollama`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ollama;

const DESCRIPTION: &str =
    r#"{"dialect":"ollama","framing":"ndjson","auth":{"kind":"bearer"},"volatile_keys":["created_at"]}"#;

#[derive(Default, Deserialize)]
struct Options {
    base_url: Option<String>,
}

impl Codec for Ollama {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let options: Options = canonical::options(options)?;
        // The address is mostly given without `/api`, and by some with it.
        let has_api = options.base_url.is_some_and(|url| url.trim_end_matches('/').ends_with("/api"));
        Ok(Stream { path: if has_api { "/chat" } else { "/api/chat" }, reply: Reply::default() })
    }
}

/// One conversation in the dialect `ollama`.
#[derive(Debug)]
pub struct Stream {
    path: &'static str,
    reply: Reply,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        message::encode(message, out)
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        out.path.push_str(self.path);
        request::encode(request, out)
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        match frame.kind() {
            FRAME_ERROR_BODY => out.push(ProviderError::from_body(frame.data(), frame.status()).event()),
            // A reply that was not streamed is one line that says it all.
            _ => self.reply.read(frame.data(), out),
        }
    }

    fn finish<'s>(&'s mut self, _: &mut Out<'_, 's>) {}

    fn reset(&mut self) {
        self.reply.reset();
    }
}
