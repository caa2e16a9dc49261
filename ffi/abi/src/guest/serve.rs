//! What the author of a dialect implements that servers speak.

use crate::failure::Failure;
use crate::types::StreamEvent;
use std::borrow::Cow;

/// A dialect from the side of the server. Does no I/O and knows no key.
pub trait Serve: Send + Sync + 'static {
    /// JSON: `{"dialect":s,"framing":s}`; see docs/PLUGINS.md.
    fn describe(&self) -> &str;

    /// Opens a stream for one request. `options` is JSON: `{"id"?:s,"created"?:n}`.
    ///
    /// # Errors
    /// When the options cannot be read.
    fn open(&self, options: &str) -> Result<Box<dyn ServeStream>, Failure>;
}

/// One request and its reply.
pub trait ServeStream: Send + 'static {
    /// Appends the canonical request, with its key `messages`, to `canonical`.
    ///
    /// # Errors
    /// What is wrong with the request, said to the client.
    fn parse(&mut self, request: &ClientRequest<'_>, canonical: &mut String) -> Result<(), Failure>;

    /// Appends an event of the reply to `piece`; its texts are plain. What the dialect has no word for is left out.
    fn encode(&mut self, event: &StreamEvent<'_>, piece: &mut String);

    /// Appends the end of the reply to `piece`, or all of one that is not streamed.
    fn finish(&mut self, piece: &mut String);
}

/// A request as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientRequest<'a> {
    /// `POST`.
    pub method: &'a str,
    /// Path, with a leading slash, and query.
    pub path: &'a str,
    /// Lower-case name, value.
    pub headers: Vec<(&'a str, &'a str)>,
    /// All of it.
    pub body: Cow<'a, str>,
}
