//! The wire form of a conversation: each message is encoded once and kept, so a request grows by appending.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use thalweg_abi::host;
use thalweg_agent::history::History;

use crate::error::Error;

/// The encoded messages of one conversation in one dialect.
#[derive(Default)]
pub(crate) struct Conversation {
    /// The wire forms, with commas between them, in few pieces: a request of a long conversation has a handful.
    pieces: Vec<Bytes>,
    /// The messages in them; these and no others stand at the beginning of the next request.
    encoded: Vec<Arc<String>>,
    /// Messages of the history that [`Conversation::request`] has looked at.
    seen: usize,
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
    pub(crate) fn new() -> Self {
        Self::default()
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
        debug_assert!(self.seen <= history.len(), "history only grows between requests");
        for (index, entry) in history.sendable_from(self.seen) {
            self.append(codec, &entry.json)?;
            self.seen = index + 1;
        }
        self.seen = history.len();
        self.compose(codec, envelope)
    }

    /// As [`Conversation::request`], for messages of which all are sent.
    pub(crate) fn request_of(
        &mut self,
        codec: &mut host::CodecStream,
        messages: &[Arc<String>],
        envelope: &str,
    ) -> Result<EncodedRequest, Error> {
        for json in &messages[self.encoded.len().min(messages.len())..] {
            self.append(codec, json)?;
        }
        self.compose(codec, envelope)
    }

    /// Whether `messages` begin with those that were encoded. Only pointers are compared.
    pub(crate) fn is_begin_of(&self, messages: &[Arc<String>]) -> bool {
        self.encoded.len() <= messages.len() && self.encoded.iter().zip(messages).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Number of messages that are encoded.
    pub(crate) const fn len(&self) -> usize {
        self.encoded.len()
    }

    fn append(&mut self, codec: &mut host::CodecStream, json: &Arc<String>) -> Result<(), Error> {
        let wire = codec.encode_message(json).map_err(Error::codec)?;
        if !wire.is_empty() {
            let mut piece = BytesMut::with_capacity(wire.len() + 1);
            if !self.pieces.is_empty() {
                piece.extend_from_slice(b",");
            }
            piece.extend_from_slice(wire.as_bytes());
            self.pieces.push(piece.freeze());
            self.join_pieces();
        }
        self.encoded.push(Arc::clone(json));
        Ok(())
    }

    /// Joins pieces at the end as a binary counter carries: each byte is copied a few times in all, and there are about
    /// as many pieces as the logarithm of their number.
    fn join_pieces(&mut self) {
        while let [.., before, last] = &self.pieces[..]
            && before.len() <= 2 * last.len()
            && before.len() + last.len() <= PIECE_BYTES_MAX
        {
            let joined = [&before[..], &last[..]].concat();
            self.pieces.truncate(self.pieces.len() - 2);
            self.pieces.push(joined.into());
        }
    }

    fn compose(&self, codec: &mut host::CodecStream, envelope: &str) -> Result<EncodedRequest, Error> {
        let request = codec.encode_request(envelope).map_err(Error::codec)?;
        let mut body = Vec::with_capacity(self.pieces.len() + 2);
        body.push(Bytes::copy_from_slice(request.body_head.as_bytes()));
        body.extend(self.pieces.iter().cloned());
        body.push(Bytes::copy_from_slice(request.body_tail.as_bytes()));
        Ok(EncodedRequest::with_body(&request, body))
    }
}

/// Pieces of a body that are longer are not joined any more.
const PIECE_BYTES_MAX: usize = 64 << 10;
