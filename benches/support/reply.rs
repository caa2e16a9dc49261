//! One streamed reply and what must be read from it.

/// The bytes of a reply, and its content.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The body as the server sends it.
    pub body: Vec<u8>,
    /// Where each SSE event, or line of NDJSON, ends in `body`.
    pub ends: Vec<usize>,
    /// All of the text.
    pub text: String,
    /// All of the arguments of its tool calls, joined.
    pub arguments: String,
    /// Tokens of the reply as its usage says.
    pub output_tokens: i64,
}

impl Reply {
    /// Appends one SSE event, without or with a name.
    pub fn push(&mut self, event: &str, data: &str) {
        if !event.is_empty() {
            self.body.extend_from_slice(b"event: ");
            self.body.extend_from_slice(event.as_bytes());
            self.body.push(b'\n');
        }
        self.body.extend_from_slice(b"data: ");
        self.body.extend_from_slice(data.as_bytes());
        self.body.extend_from_slice(b"\n\n");
        self.ends.push(self.body.len());
    }

    /// Appends one line of NDJSON.
    pub fn push_line(&mut self, data: &str) {
        self.body.extend_from_slice(data.as_bytes());
        self.body.push(b'\n');
        self.ends.push(self.body.len());
    }

    /// The body in the pieces in which it comes from the socket.
    pub fn chunks(&self, cut: Cut) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let mut events = self.ends.iter();
        std::iter::from_fn(move || {
            let end = match cut {
                Cut::Whole => self.body.len(),
                Cut::Bytes(bytes) => (start + bytes).min(self.body.len()),
                Cut::Events => events.next().copied().unwrap_or(start),
            };
            let chunk = &self.body[start..end];
            start = end;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}

/// How a body is cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// One chunk a reply.
    Whole,
    /// Chunks of so many bytes, the last one shorter.
    Bytes(usize),
    /// One chunk an SSE event.
    Events,
}

impl Cut {
    /// What the benches measure.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Bytes(16 << 10), Self::Bytes(1 << 10), Self::Events];

    /// The name of a row.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Bytes(16_384) => "16KiB",
            Self::Bytes(1024) => "1KiB",
            Self::Bytes(_) => "bytes",
            Self::Events => "event",
        }
    }
}

/// Many replies of one dialect.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name of the dialect.
    pub dialect: &'static str,
    /// The replies.
    pub replies: Vec<Reply>,
}

impl Input {
    /// Replies from `make`, until they have `bytes` together.
    pub fn new(dialect: &'static str, bytes: usize, mut make: impl FnMut(u64) -> Reply) -> Self {
        let mut replies = Vec::new();
        let mut made = 0;
        while made < bytes {
            let reply = make(replies.len() as u64);
            made += reply.body.len();
            replies.push(reply);
        }
        Self { dialect, replies }
    }

    /// Bytes of all bodies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.replies.iter().map(|reply| reply.body.len() as u64).sum()
    }

    /// SSE events of all bodies.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.replies.iter().map(|reply| reply.ends.len() as u64).sum()
    }
}

/// Text deltas of one reply.
pub(crate) const DELTAS: usize = 400;
/// Every so many replies there is one with a tool call.
pub(crate) const TOOL_EVERY: u64 = 4;
/// Arguments of that call, in pieces.
pub(crate) const ARGUMENTS: [&str; 8] = ["{\"", "location", "\":\"", "Paris", ", ", "France", "\"", "}"];

/// `text` as it stands between the quotes of a JSON string.
#[must_use]
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out
}
