//! The dialect as the engine sees it.

use serde::Deserialize;
use thalweg_abi::guest::{Codec, CodecStream, Failure, Out, Request};
use thalweg_abi::types::{FRAME_ERROR_BODY, FRAME_WHOLE_BODY, FrameRef};
use thalweg_wire::provider_error::ProviderError;

use crate::event::Reply;
use crate::{message, request};

/// The dialect `anthropic`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicMessages;

const DESCRIPTION: &str =
    r#"{"dialect":"anthropic","framing":"sse","auth":{"kind":"header","name":"x-api-key"},"volatile_keys":[]}"#;

#[derive(Default, Deserialize)]
struct Options {
    base_url: Option<String>,
}

impl Codec for AnthropicMessages {
    type Stream = Stream;

    fn describe(&self) -> &str {
        DESCRIPTION
    }

    fn open(&self, options: &str) -> Result<Stream, Failure> {
        let options: Options = match options.trim() {
            "" => Options::default(),
            json => serde_json::from_str(json)
                .map_err(|error| Failure::invalid(format!("the options of the stream cannot be read: {error}")))?,
        };
        // Gateways give their address with the version, the provider itself without.
        let has_version = options.base_url.is_some_and(|url| url.trim_end_matches('/').ends_with("/v1"));
        Ok(Stream { path: if has_version { "/messages" } else { "/v1/messages" }, reply: Reply::default() })
    }
}

/// One conversation in the dialect `anthropic`.
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
            FRAME_WHOLE_BODY => self.reply.read_whole(frame, out),
            _ => self.reply.read(frame, out),
        }
    }

    fn finish<'s>(&'s mut self, out: &mut Out<'_, 's>) {
        self.reply.finish(out);
    }

    fn reset(&mut self) {
        self.reply = Reply::default();
    }
}
