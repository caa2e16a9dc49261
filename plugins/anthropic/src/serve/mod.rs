//! The dialect from the side of the server: reads what clients send, and writes what they expect.

mod messages;
mod parse;
mod write;

use serde::Deserialize;
use thalweg_abi::guest::{ClientRequest, Failure, Serve, ServeStream, canonical};
use thalweg_abi::types::StreamEvent;

use write::Writer;

/// A server of the dialect `anthropic`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnthropicServe;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    id: Option<String>,
}

impl Serve for AnthropicServe {
    fn describe(&self) -> &str {
        r#"{"dialect":"anthropic","framing":"sse"}"#
    }

    fn open(&self, options: &str) -> Result<Box<dyn ServeStream>, Failure> {
        let Options { id } = canonical::options(options)?;
        Ok(Box::new(Stream { writer: Writer::new(id) }))
    }
}

/// One request and its reply.
struct Stream {
    writer: Writer,
}

impl ServeStream for Stream {
    fn parse(&mut self, request: &ClientRequest<'_>, canonical: &mut String) -> Result<(), Failure> {
        let parsed = parse::request(&request.body)?;
        self.writer.expect(&parsed.model, parsed.is_streamed);
        canonical.push_str(&parsed.canonical.to_string());
        Ok(())
    }

    fn encode(&mut self, event: &StreamEvent<'_>, piece: &mut String) {
        self.writer.take(event, piece);
    }

    fn finish(&mut self, piece: &mut String) {
        self.writer.finish(piece);
    }
}
