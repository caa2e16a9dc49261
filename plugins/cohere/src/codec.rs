//! The dialect as the engine sees it.

use serde::Deserialize;
use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request, canonical};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::reply::Reply;
use crate::{message, request, whole};

/// The dialect `cohere-v2`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cohere;

const DESCRIPTION: &str = r#"{"dialect":"cohere-v2","framing":"sse","auth":{"kind":"bearer"},"volatile_keys":[]}"#;

#[derive(Default, Deserialize)]
struct Options {
    base_url: Option<String>,
}

impl Codec for Cohere {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let options: Options = canonical::options(options)?;
        // The address is mostly given without the version, and by some with it.
        let has_version = options.base_url.is_some_and(|url| url.trim_end_matches('/').ends_with("/v2"));
        Ok(Stream { path: if has_version { "/chat" } else { "/v2/chat" }, reply: Reply::default() })
    }
}

/// One conversation in the dialect `cohere-v2`.
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
            FRAME_WHOLE_BODY => whole::read(frame.data(), &mut self.reply, out),
            _ => self.reply.read(frame, out),
        }
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        self.reply.tell_plan(out);
    }

    fn reset(&mut self) {
        self.reply.reset();
    }
}
