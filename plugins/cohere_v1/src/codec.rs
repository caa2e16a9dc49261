//! The dialect as the engine sees it.

use serde::Deserialize;
use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request, canonical};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::history::History;
use crate::reply::Reply;
use crate::request;

/// The dialect `cohere-v1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereV1;

const DESCRIPTION: &str = r#"{"dialect":"cohere-v1","framing":"ndjson","auth":{"kind":"bearer"},"volatile_keys":[]}"#;

#[derive(Default, Deserialize)]
struct Options {
    base_url: Option<String>,
}

impl Codec for CohereV1 {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let options: Options = canonical::options(options)?;
        // The address is mostly given without the version, and by some with it.
        let has_version = options.base_url.is_some_and(|url| url.trim_end_matches('/').ends_with("/v1"));
        let path = if has_version { "/chat" } else { "/v1/chat" };
        Ok(Stream { path, history: History::default(), reply: Reply::default() })
    }
}

/// One conversation in the dialect `cohere-v1`.
#[derive(Debug)]
pub struct Stream {
    path: &'static str,
    history: History,
    reply: Reply,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, message: &str, out: &mut String) -> Result<(), Failure> {
        self.history.push(canonical::message(message)?, out)
    }

    fn encode_request(&mut self, request: &str, out: &mut Request) -> Result<(), Failure> {
        out.path.push_str(self.path);
        request::encode(request, &self.history, out)
    }

    fn decode_frame<'f>(&mut self, frame: &FrameRef<'f>, out: &mut Out<'_, 'f>) {
        match frame.kind() {
            FRAME_ERROR_BODY => out.push(ProviderError::from_body(frame.data(), frame.status()).event()),
            FRAME_WHOLE_BODY => self.reply.read_whole(frame.data(), out),
            _ => self.reply.read(frame.data(), out),
        }
    }

    fn finish<'s>(&'s mut self, _: &mut Out<'_, 's>) {}

    fn reset(&mut self) {
        self.reply = Reply::default();
    }
}
