//! What engine and plugin process say to each other: messages behind their lengths, in little-endian binary.
//!
//! The process runs code that nobody trusts, so whatever it says is read as input: lengths within the message, texts as
//! UTF-8, and no message beyond a limit.

use std::io::{self, Read, Write};

use thalweg_abi::failure::Failure;
use thalweg_abi::types::Status;

/// From the engine to the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Load this file and start it; the first message.
    Begin { path: String, sha256: String, memory_bytes: u64 },
    /// Call tool `tool`.
    Invoke { tool: u32, call_id: String, arguments: String },
    /// Start a reply.
    Start { request: String },
    /// Nobody waits for the call any more.
    Cancel,
    /// There is room for another batch of the reply.
    More,
    /// Open a stream, which has the number of this call.
    Open { options: String },
    /// Write the wire form of a message.
    EncodeMessage { stream: u64, message: String },
    /// Write a request.
    EncodeRequest { stream: u64, request: String },
    /// Read frames.
    Decode { stream: u64, frames: Vec<OwnedFrame> },
    /// The body has ended.
    Finish { stream: u64 },
    /// Forget the reply.
    Reset { stream: u64 },
    /// Close a stream; nothing is answered.
    Close { stream: u64 },
    /// List the models.
    Models,
    /// Open a stream of vectors, which has the number of this call.
    OpenEmbed { options: String },
    /// Write a request for vectors.
    EncodeEmbed { stream: u64, request: String },
    /// Read the reply to it.
    DecodeEmbed { stream: u64, reply: OwnedFrame },
}

/// From the process to the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tell {
    /// A line for the log.
    Log { level: i32, target: String, message: String },
    /// How far a tool is.
    Progress { permille: Option<u16>, text: String },
    /// Events of a reply.
    Events(Vec<OwnedEvent>),
    /// The end of a call, and the last that is said of it.
    Ended(Result<Answer, Failure>),
}

/// What a call gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Nothing,
    Text(String),
    Request { path: String, headers: Vec<(String, String)>, body_head: String, body_tail: String },
    Events(Vec<OwnedEvent>),
    Vectors { values: Vec<f32>, dimensions: u32, input_tokens: Option<u64>, model: String },
}

/// A frame with its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedFrame {
    pub(crate) kind: u32,
    pub(crate) status: u32,
    pub(crate) event: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// An event whose texts are places or bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedEvent {
    /// The frame that it is of.
    pub(crate) frame: u32,
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) block: u32,
    pub(crate) sub: u32,
    pub(crate) num: i64,
    pub(crate) text: Piece,
    pub(crate) aux: Piece,
}

/// A text of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A part of the frame's payload.
    Data { start: u32, len: u32 },
    /// A part of the frame's name.
    Name { start: u32, len: u32 },
    /// Anything else.
    Own(Vec<u8>),
}

/// More than any message has: a frame of the largest size, and what is around it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 << 20;

/// A message that can be sent: what it is, and what is in it.
pub(crate) trait Message: Sized {
    fn pack(&self, out: &mut Parcel);
    fn unpack(from: &mut Contents<'_>) -> Option<Self>;
}

/// Sends one message of call `id`.
pub(crate) fn send(to: &mut impl Write, id: u64, message: &impl Message) -> io::Result<()> {
    let mut parcel = Parcel { bytes: vec![0; 4] };
    parcel.u64(id);
    message.pack(&mut parcel);
    let mut bytes = parcel.bytes;
    let len = u32::try_from(bytes.len() - 4).ok().filter(|len| *len as usize <= MESSAGE_BYTES_MAX);
    let len = len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"))?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    to.write_all(&bytes)
}

/// Receives one message and the call that it is of; `None` at the end.
pub(crate) fn receive<M: Message>(from: &mut impl Read) -> io::Result<Option<(u64, M)>> {
    let mut len = [0; 4];
    let mut got = 0;
    while got < len.len() {
        match from.read(&mut len[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => got += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let len = u32::from_le_bytes(len) as usize;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a message that cannot be read");
    if len > MESSAGE_BYTES_MAX {
        return Err(malformed());
    }
    // Grown as bytes come: a length alone takes no memory.
    let mut bytes = Vec::new();
    from.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut contents = Contents { rest: &bytes };
    let read = contents.u64().and_then(|id| Some((id, M::unpack(&mut contents)?)));
    read.filter(|_| contents.rest.is_empty()).map(Some).ok_or_else(malformed)
}

/// A message that is written.
#[derive(Debug)]
pub(crate) struct Parcel {
    bytes: Vec<u8>,
}

impl Parcel {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Nothing longer than a message is ever sent.
    fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(value);
    }

    fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut pack: impl FnMut(&mut Self, &T)) {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        for item in items {
            pack(self, item);
        }
    }
}

/// A message that is read.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    rest: &'a [u8],
}

impl<'a> Contents<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.u32().map(u32::cast_signed)
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = self.u32()?;
        self.take(len as usize).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    fn list<T>(&mut self, mut unpack: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.u32()?;
        // No room is made ahead: a length alone takes no memory.
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(unpack(self)?);
        }
        Some(items)
    }
}

impl Message for Ask {
    fn pack(&self, out: &mut Parcel) {
        match self {
            Self::Begin { path, sha256, memory_bytes } => {
                out.u8(0);
                out.text(path);
                out.text(sha256);
                out.u64(*memory_bytes);
            }
            Self::Invoke { tool, call_id, arguments } => {
                out.u8(1);
                out.u32(*tool);
                out.text(call_id);
                out.text(arguments);
            }
            Self::Start { request } => {
                out.u8(2);
                out.text(request);
            }
            Self::Cancel => out.u8(3),
            Self::More => out.u8(4),
            Self::Open { options } => {
                out.u8(5);
                out.text(options);
            }
            Self::EncodeMessage { stream, message } => {
                out.u8(6);
                out.u64(*stream);
                out.text(message);
            }
            Self::EncodeRequest { stream, request } => {
                out.u8(7);
                out.u64(*stream);
                out.text(request);
            }
            Self::Decode { stream, frames } => {
                out.u8(8);
                out.u64(*stream);
                out.list(frames, pack_frame);
            }
            Self::Finish { stream } => {
                out.u8(9);
                out.u64(*stream);
            }
            Self::Reset { stream } => {
                out.u8(10);
                out.u64(*stream);
            }
            Self::Close { stream } => {
                out.u8(11);
                out.u64(*stream);
            }
            Self::Models => out.u8(12),
            Self::OpenEmbed { options } => {
                out.u8(13);
                out.text(options);
            }
            Self::EncodeEmbed { stream, request } => {
                out.u8(14);
                out.u64(*stream);
                out.text(request);
            }
            Self::DecodeEmbed { stream, reply } => {
                out.u8(15);
                out.u64(*stream);
                pack_frame(out, reply);
            }
        }
    }

    fn unpack(from: &mut Contents<'_>) -> Option<Self> {
        Some(match from.u8()? {
            0 => Self::Begin { path: from.text()?, sha256: from.text()?, memory_bytes: from.u64()? },
            1 => Self::Invoke { tool: from.u32()?, call_id: from.text()?, arguments: from.text()? },
            2 => Self::Start { request: from.text()? },
            3 => Self::Cancel,
            4 => Self::More,
            5 => Self::Open { options: from.text()? },
            6 => Self::EncodeMessage { stream: from.u64()?, message: from.text()? },
            7 => Self::EncodeRequest { stream: from.u64()?, request: from.text()? },
            8 => Self::Decode { stream: from.u64()?, frames: from.list(unpack_frame)? },
            9 => Self::Finish { stream: from.u64()? },
            10 => Self::Reset { stream: from.u64()? },
            11 => Self::Close { stream: from.u64()? },
            12 => Self::Models,
            13 => Self::OpenEmbed { options: from.text()? },
            14 => Self::EncodeEmbed { stream: from.u64()?, request: from.text()? },
            15 => Self::DecodeEmbed { stream: from.u64()?, reply: unpack_frame(from)? },
            _ => return None,
        })
    }
}

impl Message for Tell {
    fn pack(&self, out: &mut Parcel) {
        match self {
            Self::Log { level, target, message } => {
                out.u8(0);
                out.u32(level.cast_unsigned());
                out.text(target);
                out.text(message);
            }
            Self::Progress { permille, text } => {
                out.u8(1);
                out.u32(permille.map_or(u32::MAX, u32::from));
                out.text(text);
            }
            Self::Events(events) => {
                out.u8(2);
                out.list(events, pack_event);
            }
            Self::Ended(Ok(answer)) => {
                out.u8(3);
                pack_answer(out, answer);
            }
            Self::Ended(Err(failure)) => {
                out.u8(4);
                out.u32(failure.code.cast_unsigned());
                out.u32(failure.http_status.cast_unsigned());
                out.u8(failure.retryable.into());
                out.u64(failure.retry_after_ms.unwrap_or(u64::MAX));
                out.text(&failure.message);
            }
        }
    }

    fn unpack(from: &mut Contents<'_>) -> Option<Self> {
        Some(match from.u8()? {
            0 => Self::Log { level: from.i32()?, target: from.text()?, message: from.text()? },
            1 => Self::Progress { permille: u16::try_from(from.u32()?).ok(), text: from.text()? },
            2 => Self::Events(from.list(unpack_event)?),
            3 => Self::Ended(Ok(unpack_answer(from)?)),
            4 => {
                let (code, http_status, retryable) = (from.i32()?, from.i32()?, from.u8()? != 0);
                let retry_after_ms = Some(from.u64()?).filter(|ms| *ms != u64::MAX);
                let message = from.text()?.into();
                // A failure is below 0, whatever the process says.
                let code = code.min(LEAST_FAILURE);
                Self::Ended(Err(Failure { code, http_status, retryable, retry_after_ms, message }))
            }
            _ => return None,
        })
    }
}

/// The status nearest to success that is none.
const LEAST_FAILURE: Status = -1;

fn pack_frame(out: &mut Parcel, frame: &OwnedFrame) {
    out.u32(frame.kind);
    out.u32(frame.status);
    out.bytes(&frame.event);
    out.bytes(&frame.data);
}

fn unpack_frame(from: &mut Contents<'_>) -> Option<OwnedFrame> {
    let (kind, status) = (from.u32()?, from.u32()?);
    Some(OwnedFrame { kind, status, event: from.bytes()?, data: from.bytes()? })
}

fn pack_answer(out: &mut Parcel, answer: &Answer) {
    match answer {
        Answer::Nothing => out.u8(0),
        Answer::Text(text) => {
            out.u8(1);
            out.text(text);
        }
        Answer::Request { path, headers, body_head, body_tail } => {
            out.u8(2);
            out.text(path);
            out.list(headers, |out, (name, value)| {
                out.text(name);
                out.text(value);
            });
            out.text(body_head);
            out.text(body_tail);
        }
        Answer::Events(events) => {
            out.u8(3);
            out.list(events, pack_event);
        }
        Answer::Vectors { values, dimensions, input_tokens, model } => {
            out.u8(4);
            out.list(values, |out, value| out.u32(value.to_bits()));
            out.u32(*dimensions);
            out.u64(input_tokens.unwrap_or(u64::MAX));
            out.text(model);
        }
    }
}

fn unpack_answer(from: &mut Contents<'_>) -> Option<Answer> {
    Some(match from.u8()? {
        0 => Answer::Nothing,
        1 => Answer::Text(from.text()?),
        2 => Answer::Request {
            path: from.text()?,
            headers: from.list(|from| Some((from.text()?, from.text()?)))?,
            body_head: from.text()?,
            body_tail: from.text()?,
        },
        3 => Answer::Events(from.list(unpack_event)?),
        4 => Answer::Vectors {
            values: from.list(|from| from.u32().map(f32::from_bits))?,
            dimensions: from.u32()?,
            input_tokens: Some(from.u64()?).filter(|tokens| *tokens != u64::MAX),
            model: from.text()?,
        },
        _ => return None,
    })
}

fn pack_event(out: &mut Parcel, event: &OwnedEvent) {
    for number in [event.frame, event.kind, event.flags, event.block, event.sub] {
        out.u32(number);
    }
    out.u64(event.num.cast_unsigned());
    for piece in [&event.text, &event.aux] {
        match piece {
            Piece::Data { start, len } => {
                out.u8(0);
                out.u32(*start);
                out.u32(*len);
            }
            Piece::Name { start, len } => {
                out.u8(1);
                out.u32(*start);
                out.u32(*len);
            }
            Piece::Own(bytes) => {
                out.u8(2);
                out.bytes(bytes);
            }
        }
    }
}

fn unpack_event(from: &mut Contents<'_>) -> Option<OwnedEvent> {
    Some(OwnedEvent {
        frame: from.u32()?,
        kind: from.u32()?,
        flags: from.u32()?,
        block: from.u32()?,
        sub: from.u32()?,
        num: from.u64()?.cast_signed(),
        text: unpack_piece(from)?,
        aux: unpack_piece(from)?,
    })
}

fn unpack_piece(from: &mut Contents<'_>) -> Option<Piece> {
    Some(match from.u8()? {
        0 => Piece::Data { start: from.u32()?, len: from.u32()? },
        1 => Piece::Name { start: from.u32()?, len: from.u32()? },
        2 => Piece::Own(from.bytes()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_abi::types::{E_FAILED, EVENT_TEXT};

    fn event() -> OwnedEvent {
        let text = Piece::Data { start: 3, len: 4 };
        let aux = Piece::Own(b"own".to_vec());
        OwnedEvent { frame: 1, kind: EVENT_TEXT, flags: 8, block: 2, sub: 3, num: -7, text, aux }
    }

    fn asks() -> Vec<Ask> {
        let frame = OwnedFrame { kind: 1, status: 502, event: b"e".to_vec(), data: b"{}".to_vec() };
        vec![
            Ask::Begin { path: "/p".into(), sha256: "00".into(), memory_bytes: 7 },
            Ask::Invoke { tool: 1, call_id: "c".into(), arguments: "{}".into() },
            Ask::Start { request: "é".into() },
            Ask::Cancel,
            Ask::More,
            Ask::Open { options: String::new() },
            Ask::EncodeMessage { stream: u64::MAX, message: "m".into() },
            Ask::EncodeRequest { stream: 1, request: "r".into() },
            Ask::Decode { stream: 1, frames: vec![frame.clone(), frame.clone()] },
            Ask::Finish { stream: 1 },
            Ask::Reset { stream: 1 },
            Ask::Close { stream: 1 },
            Ask::Models,
            Ask::OpenEmbed { options: "{}".into() },
            Ask::EncodeEmbed { stream: 1, request: "{}".into() },
            Ask::DecodeEmbed { stream: 1, reply: frame },
        ]
    }

    fn tells() -> Vec<Tell> {
        let request = Answer::Request {
            path: "/p".into(),
            headers: vec![("a".into(), "b".into())],
            body_head: "h".into(),
            body_tail: "t".into(),
        };
        let failure = Failure { retryable: true, retry_after_ms: Some(9), ..Failure::new(E_FAILED, "no") };
        let mut tells = vec![
            Tell::Log { level: -1, target: "t".into(), message: "m".into() },
            Tell::Progress { permille: Some(1000), text: "half".into() },
            Tell::Progress { permille: None, text: String::new() },
            Tell::Events(vec![event(), event()]),
            Tell::Ended(Err(failure)),
        ];
        let vectors =
            Answer::Vectors { values: vec![0.5, -1.0], dimensions: 2, input_tokens: Some(3), model: "m".into() };
        let answers = [Answer::Nothing, Answer::Text("x".into()), request, Answer::Events(vec![event()]), vectors];
        tells.extend(answers.map(|answer| Tell::Ended(Ok(answer))));
        tells
    }

    fn check<M: Message + PartialEq + std::fmt::Debug>(messages: &[M]) {
        for message in messages {
            let mut wire = Vec::new();
            send(&mut wire, 42, message).unwrap();
            let back = receive::<M>(&mut wire.as_slice()).unwrap();
            assert_eq!(back.as_ref().map(|(id, message)| (*id, message)), Some((42, message)));
            // Cut anywhere it is an error; with any byte changed it is a message or an error, and no panic.
            for end in 1..wire.len() {
                assert!(receive::<M>(&mut &wire[..end]).is_err(), "{message:?} cut at {end}");
            }
            for at in 0..wire.len() {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut wrong = wire.clone();
                    wrong[at] = value;
                    let _ = receive::<M>(&mut wrong.as_slice());
                }
            }
        }
        assert!(matches!(receive::<M>(&mut &b""[..]), Ok(None)));
    }

    #[test]
    fn every_message_comes_back_as_it_went_and_a_broken_one_is_an_error() {
        check(&asks());
        check(&tells());
    }
}
