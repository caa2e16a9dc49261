//! What a path asks for: `/KIND/DELTAS/SIZE/v1`.

use std::fmt;

/// How a reply is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// As fast as can be, each event an HTTP chunk.
    Chunks,
    /// As fast as can be, 16 KiB an HTTP chunk and a write.
    Batches,
    /// Without end, so many deltas in a thousand seconds; the text of each is the time.
    Paced,
    /// Calls of a tool, one a reply, until there are so many results; then a text.
    Turns,
    /// Nothing.
    Hung,
}

/// A reply, as a path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) kind: Kind,
    /// Deltas of a reply, or in a thousand seconds, or turns.
    pub(crate) count: usize,
    /// Bytes of text in a delta; 0: words, of 4 bytes on average.
    pub(crate) piece_bytes: usize,
}

const KINDS: [(&str, Kind); 5] = [
    ("chunks", Kind::Chunks),
    ("batches", Kind::Batches),
    ("paced", Kind::Paced),
    ("turns", Kind::Turns),
    ("hung", Kind::Hung),
];

impl Wanted {
    /// Words as fast as can be, or another kind of reply.
    pub(crate) const fn new(kind: Kind, count: usize) -> Self {
        Self { kind, count, piece_bytes: 0 }
    }

    /// Reads a path.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let name = parts.next()?;
        let kind = KINDS.iter().find(|(other, _)| *other == name)?.1;
        Some(Self { kind, count: parts.next()?.parse().ok()?, piece_bytes: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "/{name}/{}/{}/v1", self.count, self.piece_bytes)
    }
}
