//! The wire form of a conversation: each message is encoded once and kept, so a request grows by appending.

use bytes::Bytes;
use thalweg_abi::host;
use thalweg_agent::history::History;

use crate::error::Error;

/// The encoded messages of one conversation in one dialect, and the codec's stream that encodes them.
pub(crate) struct Conversation {
    messages: Vec<Bytes>,
    encoded: usize,
}

/// A request without its host and its key.
pub(crate) struct EncodedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Parts of the body, in order; the messages among them are shared with the conversation, not copied.
    pub(crate) body: Vec<Bytes>,
}

impl EncodedRequest {
    /// A request without messages.
    pub(crate) fn of(request: &host::Request<'_>) -> Self {
        let body = [request.body_head, request.body_tail].map(|part| Bytes::copy_from_slice(part.as_bytes()));
        Self::with_body(request, body.into())
    }

    /// A request with this body.
    fn with_body(request: &host::Request<'_>, body: Vec<Bytes>) -> Self {
        Self {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body,
        }
    }
}

impl Conversation {
    pub(crate) const fn new() -> Self {
        Self { messages: Vec::new(), encoded: 0 }
    }

    /// Encodes what `history` has beyond the last call, and puts the request together.
    ///
    /// `history` must begin with the messages of the last call; another history needs another conversation and another
    /// stream of the codec.
    pub(crate) fn request(
        &mut self,
        codec: &mut host::CodecStream,
        history: &History,
        envelope: &str,
    ) -> Result<EncodedRequest, Error> {
        debug_assert!(self.encoded <= history.len(), "history only grows between requests");
        for (index, entry) in history.sendable_from(self.encoded) {
            let wire = codec.encode_message(&entry.json).map_err(Error::codec)?;
            if !wire.is_empty() {
                self.messages.push(Bytes::copy_from_slice(wire.as_bytes()));
            }
            self.encoded = index + 1;
        }
        self.encoded = history.len();
        let request = codec.encode_request(envelope).map_err(Error::codec)?;
        let mut body = Vec::with_capacity(2 * self.messages.len() + 1);
        body.push(Bytes::copy_from_slice(request.body_head.as_bytes()));
        for (index, message) in self.messages.iter().enumerate() {
            if index > 0 {
                body.push(Bytes::from_static(b","));
            }
            body.push(message.clone());
        }
        body.push(Bytes::copy_from_slice(request.body_tail.as_bytes()));
        Ok(EncodedRequest::with_body(&request, body))
    }
}
