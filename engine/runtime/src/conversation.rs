//! The wire form of a conversation: each message is encoded once and kept, so a request grows by appending.

use std::sync::Arc;

use bytes::Bytes;
use thalweg_abi::host;
use thalweg_agent::history::History;

use crate::adapt::Target;
use crate::error::Error;
use crate::marks::Marks;

/// The encoded messages of one conversation in one dialect.
#[derive(Default)]
pub(crate) struct Conversation {
    target: Target,
    marks: Option<Marks>,
    /// The codec, to open another stream for what carries marks.
    codec: Option<(host::Codec, String)>,
    /// The stream that encodes each message with its mark; the other one encodes it without.
    marker: Option<host::CodecStream>,
    /// The wire forms, with commas between them, in few pieces: a request of a long conversation has a handful.
    pieces: Vec<Piece>,
    /// The messages in them; these and no others stand at the beginning of the next request.
    encoded: Vec<Arc<String>>,
    /// Messages of the history that [`Conversation::request`] has looked at.
    seen: usize,
}

/// Wire forms of messages, each after a comma but for the very first.
struct Piece {
    bytes: Bytes,
    /// The same without its mark, where the one message of this piece carries one.
    unmarked: Option<Bytes>,
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
    /// An empty one, of which `target` is told through streams of `codec` with these options.
    pub(crate) fn with(target: Target, codec: host::Codec, options: String) -> Self {
        Self { target, codec: Some((codec, options)), ..Self::default() }
    }

    /// Whether it was begun with other marks than these.
    pub(crate) fn has_other_marks(&self, marks: Option<Marks>) -> bool {
        !self.encoded.is_empty() && self.marks != marks
    }

    /// Encodes what `history` has beyond the last call, and puts the request together.
    ///
    /// `history` must begin with the messages of the last call; another history needs another conversation and another
    /// stream of the codec, and so do other marks.
    pub(crate) fn request(
        &mut self,
        codec: &mut host::CodecStream,
        history: &History,
        marks: Option<Marks>,
        envelope: &str,
    ) -> Result<EncodedRequest, Error> {
        debug_assert!(self.seen <= history.len(), "history only grows between requests");
        self.marks = marks;
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
        marks: Option<Marks>,
        envelope: &str,
    ) -> Result<EncodedRequest, Error> {
        self.marks = marks;
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
        let adapted = self.target.adapt(json);
        let comma = if self.pieces.is_empty() { "" } else { "," };
        let encode = |codec: &mut host::CodecStream, json: &str| {
            let wire = codec.encode_message(json).map_err(Error::codec)?;
            Ok::<_, Error>((!wire.is_empty()).then(|| Bytes::from([comma, wire].concat())))
        };
        let plain = encode(codec, &adapted)?;
        let mut marked = None;
        if let Some(marks) = self.marks {
            // A stream gets each message once and may remember it, so what is marked has one of its own.
            if let (None, Some((codec, options))) = (&self.marker, &self.codec) {
                self.marker = Some(codec.open(options).map_err(Error::codec)?);
            }
            if let Some(marker) = &mut self.marker {
                let json = marks.marked(&adapted);
                marked = encode(marker, json.as_deref().unwrap_or(&adapted))?;
            }
        }
        // A dialect without marks writes the same.
        let marked = marked.filter(|marked| plain.as_ref() != Some(marked));
        match (plain, marked) {
            (Some(plain), Some(marked)) => self.pieces.push(Piece { bytes: marked, unmarked: Some(plain) }),
            (Some(bytes), None) | (None, Some(bytes)) => self.pieces.push(Piece { bytes, unmarked: None }),
            (None, None) => {}
        }
        self.drop_old_marks();
        self.join_pieces(self.pieces.len());
        self.encoded.push(Arc::clone(json));
        Ok(())
    }

    /// Takes the oldest marks away where there are more than may be.
    fn drop_old_marks(&mut self) {
        let Some(marks) = self.marks else { return };
        let is_marked = |piece: &Piece| piece.unmarked.is_some();
        while self.pieces.iter().filter(|piece| is_marked(piece)).count() > marks.limit
            && let Some(at) = self.pieces.iter().position(is_marked)
        {
            let piece = &mut self.pieces[at];
            piece.bytes = piece.unmarked.take().unwrap_or_default();
            self.join_pieces(at + 1);
        }
    }

    /// Joins the pieces before `end` as a binary counter carries: each byte is copied a few times in all, and there are
    /// about as many pieces as the logarithm of their number.
    fn join_pieces(&mut self, mut end: usize) {
        while let [.., before, last] = &self.pieces[..end]
            && before.unmarked.is_none()
            && last.unmarked.is_none()
            && before.bytes.len() <= 2 * last.bytes.len()
            && before.bytes.len() + last.bytes.len() <= PIECE_BYTES_MAX
        {
            let bytes = Bytes::from([&before.bytes[..], &last.bytes[..]].concat());
            self.pieces.splice(end - 2..end, [Piece { bytes, unmarked: None }]);
            end -= 1;
        }
    }

    fn compose(&self, codec: &mut host::CodecStream, envelope: &str) -> Result<EncodedRequest, Error> {
        let request = codec.encode_request(envelope).map_err(Error::codec)?;
        let mut body = Vec::with_capacity(self.pieces.len() + 2);
        body.push(Bytes::copy_from_slice(request.body_head.as_bytes()));
        body.extend(self.pieces.iter().map(|piece| piece.bytes.clone()));
        body.push(Bytes::copy_from_slice(request.body_tail.as_bytes()));
        Ok(EncodedRequest::with_body(&request, body))
    }
}

/// Pieces of a body that are longer are not joined any more.
const PIECE_BYTES_MAX: usize = 64 << 10;
