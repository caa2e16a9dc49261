//! What a recording holds. The file that stores it is described in `format.rs`.

use serde::{Deserialize, Serialize};

/// Any JSON value.
pub type Value = serde_json::Value;

/// What one prompt led to: one exchange a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Short name, as the file's without its ending.
    pub name: String,
    /// The user's text that the recording answers.
    pub prompt: String,
    /// Dialect of the wire, for example `openai-chat`.
    pub dialect: String,
    /// Model that the reply names.
    pub model: String,
    /// Software that answered, with its version.
    pub server: String,
    /// Whether a server was recorded or a person wrote the bytes.
    pub origin: Origin,
    /// Date of the recording, `YYYY-MM-DD`.
    pub recorded: String,
    /// What else a reader should know.
    pub note: String,
    /// Requests and replies in order.
    pub exchanges: Vec<Exchange>,
}

impl Recording {
    /// A recording that was written by hand, of a model `m` and without a prompt: what a test plays.
    #[must_use]
    pub fn by_hand(dialect: &str, exchanges: Vec<Exchange>) -> Self {
        Self {
            name: "by-hand".into(),
            prompt: String::new(),
            dialect: dialect.into(),
            model: "m".into(),
            server: "none".into(),
            origin: Origin::WrittenByHand,
            recorded: String::new(),
            note: String::new(),
            exchanges,
        }
    }
}

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A server sent them.
    #[serde(rename = "recorded")]
    Recorded,
    /// A person wrote them after the facts of the wire.
    #[serde(rename = "written by hand")]
    WrittenByHand,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Recorded => "recorded",
            Self::WrittenByHand => "written by hand",
        })
    }
}

/// One request and its reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// Status and headers of the reply.
    pub response: Response,
    /// Body of the reply, as the socket gave it.
    pub chunks: Vec<Chunk>,
    /// How the body ended.
    pub end: End,
}

impl Exchange {
    /// The whole body, joined.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    /// A reply without a recorded request, for a server that plays in order: status 200, an event stream, one chunk a
    /// piece, all due at once, ended well.
    pub fn of_chunks<T: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = T>) -> Self {
        Self {
            request: Request { method: "POST".into(), path: "/".into(), body: None, expect: None },
            response: Response {
                status: 200,
                headers: vec![("content-type".into(), "text/event-stream".into())],
                at_us: 0,
            },
            chunks: pieces.into_iter().map(|piece| Chunk { at_us: 0, bytes: piece.into() }).collect(),
            end: End::Close,
        }
    }
}

/// The request of an exchange. It has no headers, so no key can be stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// Path without its query.
    pub path: String,
    /// Body as it was sent, when it was JSON and is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What a later request must hold to get this reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// What a request must hold to get the recorded reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Names of tools that must be offered; more may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Tool results that must follow the last assistant message: these and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ExpectedResult>,
    /// Signatures of thinking blocks that must be sent back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<String>,
}

/// A tool result that a request must hold. Every rule given must be met; a text that is JSON is compared as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedResult {
    /// Id of the call that it answers.
    pub call_id: String,
    /// Name of the tool in the call that the assistant message holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Arguments of the call that the assistant message holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The result is this value, or this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// The result is a JSON object with at least these members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub includes: Option<Value>,
    /// The result's text has this in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// Status and headers of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers that matter to a reader; those of the connection are the server's own.
    pub headers: Vec<(String, String)>,
    /// When the head arrived, in microseconds after the request was sent.
    pub at_us: u64,
}

/// Bytes that arrived together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When, in microseconds after the request was sent.
    pub at_us: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The body is complete, as HTTP counts.
    Close,
    /// The connection is closed in the midst of the body.
    Cut,
    /// The connection is reset in the midst of the body.
    Reset,
    /// Nothing comes any more and the connection stays open.
    Hang,
}
