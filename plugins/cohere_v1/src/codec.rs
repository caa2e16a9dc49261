//! The dialect as the engine sees it.

use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::reply::Reply;

/// The dialect `cohere-v1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereV1;

const DESCRIPTION: &str = r#"{"dialect":"cohere-v1","framing":"ndjson","auth":{"kind":"bearer"},"volatile_keys":[]}"#;

impl Codec for CohereV1 {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, _: &str) -> Result<Stream, Failure> {
        Ok(Stream { reply: Reply::default() })
    }
}

/// One conversation in the dialect `cohere-v1`, read only.
#[derive(Debug)]
pub struct Stream {
    reply: Reply,
}

impl CodecStream for Stream {
    fn encode_message(&mut self, _: &str, _: &mut String) -> Result<(), Failure> {
        Err(read_only())
    }

    fn encode_request(&mut self, _: &str, _: &mut Request) -> Result<(), Failure> {
        Err(read_only())
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

fn read_only() -> Failure {
    Failure::unsupported("replies of cohere-v1 can be read, but no requests be written; use the dialect cohere-v2")
}
