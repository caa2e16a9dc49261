//! Streams, cut into chunks beforehand, with what must be read from them.

use bytes::Bytes;
use thalweg_benches::reply::{self, Cut};

use crate::rivals::answer::{Content, Tally};

/// Streams of one dialect.
pub(crate) struct Input {
    /// The streams.
    pub(crate) bodies: Vec<Body>,
    /// Events of all.
    pub(crate) events: u64,
    /// Bytes of all.
    pub(crate) bytes: u64,
}

/// One stream.
pub(crate) struct Body {
    /// As the socket gives it.
    pub(crate) chunks: Vec<Bytes>,
    /// What it says.
    pub(crate) said: Content,
    /// Whether it was recorded, so that text and arguments alone are compared.
    pub(crate) is_recorded: bool,
}

impl Body {
    /// What is compared of an answer to this stream.
    pub(crate) const fn expects(&self, tally: Tally) -> Tally {
        if self.is_recorded { tally.of_text() } else { tally }
    }
}

impl Input {
    /// Generated replies, cut, with what they say.
    pub(crate) fn said(replies: &[reply::Reply], cut: Cut) -> Self {
        let bodies = replies
            .iter()
            .map(|reply| Body { chunks: chunks(reply, cut), said: said(reply), is_recorded: false })
            .collect();
        Self::new(bodies, replies)
    }

    /// Generated replies, cut, with the payloads of their events.
    pub(crate) fn framed(replies: &[reply::Reply], cut: Cut) -> Self {
        let bodies = replies
            .iter()
            .map(|reply| Body { chunks: chunks(reply, cut), said: framed(reply), is_recorded: false })
            .collect();
        Self::new(bodies, replies)
    }

    fn new(bodies: Vec<Body>, replies: &[reply::Reply]) -> Self {
        let events = replies.iter().map(|reply| reply.ends.len() as u64).sum();
        let bytes = replies.iter().map(|reply| reply.body.len() as u64).sum();
        Self { bodies, events, bytes }
    }
}

/// The chunks share one allocation, as those of an HTTP body do.
pub(crate) fn chunks(reply: &reply::Reply, cut: Cut) -> Vec<Bytes> {
    let body = Bytes::copy_from_slice(&reply.body);
    reply.chunks(cut).map(|chunk| body.slice_ref(&body[place(&reply.body, chunk)])).collect()
}

fn place(body: &[u8], chunk: &[u8]) -> std::ops::Range<usize> {
    let start = chunk.as_ptr().addr() - body.as_ptr().addr();
    start..start + chunk.len()
}

fn said(reply: &reply::Reply) -> Content {
    Content {
        text: reply.text.clone().into_bytes(),
        arguments: reply.arguments.clone().into_bytes(),
        stops: 1,
        output_tokens: reply.output_tokens,
        ..Content::default()
    }
}

/// The generator writes one line of data an event.
fn framed(reply: &reply::Reply) -> Content {
    let mut content = Content::default();
    for line in reply.body.split(|byte| *byte == b'\n') {
        if let Some(data) = line.strip_prefix(b"data: ") {
            content.payloads += 1;
            content.payload.extend_from_slice(data);
        }
    }
    content
}
