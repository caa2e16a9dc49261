//! Turns live requests and replies into a recording, and keeps keys out of it.

use std::time::{Duration, SystemTime};

use crate::date::date;

use crate::format::is_storable;
use crate::http1;
use crate::recording::{Chunk, End, Exchange, Origin, Recording, Request, Response, Value};

/// Why an exchange is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A key of the request's headers occurs in a body.
    #[error("the {0} holds a key that the request's headers send; nothing of this exchange is kept")]
    KeyInBody(&'static str),
}

/// Collects exchanges into a recording.
#[derive(Debug)]
pub struct Recorder {
    recording: Recording,
}

/// An exchange that is being recorded.
#[derive(Debug)]
pub struct Open {
    exchange: Exchange,
    secrets: Secrets,
}

/// Values that must not be stored; never shown.
struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Recorder {
    /// Begins a recording named `name` of `server`, dated today. Prompt and model are taken from the first request.
    #[must_use]
    pub fn new(name: &str, dialect: &str, server: &str) -> Self {
        Self {
            recording: Recording {
                name: name.into(),
                prompt: String::new(),
                dialect: dialect.into(),
                model: String::new(),
                server: server.into(),
                origin: Origin::Recorded,
                recorded: date(SystemTime::now()),
                note: String::new(),
                exchanges: Vec::new(),
            },
        }
    }

    /// Sets what else a reader should know.
    pub fn note(&mut self, note: &str) {
        self.recording.note = note.into();
    }

    /// Begins an exchange. Of the headers nothing is kept, of the target only the path: a key may stand in both.
    #[must_use]
    pub fn request(&self, request: &http1::Request) -> Open {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        Open {
            exchange: Exchange {
                request: Request {
                    method: request.method.clone(),
                    path: path.into(),
                    body: serde_json::from_slice(&request.body).ok(),
                    expect: None,
                },
                response: Response { status: 0, headers: Vec::new(), at_us: 0 },
                chunks: Vec::new(),
                end: End::Hang,
            },
            secrets: Secrets::of(request, query),
        }
    }

    /// Adds a finished exchange.
    ///
    /// # Errors
    /// When a key occurs in it; it is dropped then.
    pub fn push(&mut self, open: Open) -> Result<(), RecordError> {
        let Open { exchange, secrets } = open;
        if let Some(body) = &exchange.request.body {
            if secrets.occur_in(body.to_string().as_bytes()) {
                return Err(RecordError::KeyInBody("request body"));
            }
            if self.recording.exchanges.is_empty() {
                self.recording.prompt = crate::conversation::Conversation::read(body).prompt.unwrap_or_default();
                self.recording.model = body.get("model").and_then(Value::as_str).unwrap_or_default().into();
            }
        }
        if secrets.occur_in(&exchange.body()) {
            return Err(RecordError::KeyInBody("reply"));
        }
        if exchange.response.headers.iter().any(|(_, value)| secrets.occur_in(value.as_bytes())) {
            return Err(RecordError::KeyInBody("reply's headers"));
        }
        self.recording.exchanges.push(exchange);
        Ok(())
    }

    /// The recording so far.
    #[must_use]
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }
}

impl Open {
    /// The head of the reply, `after` the request was sent. Only headers that are known to be harmless are kept.
    pub fn response<'h>(
        &mut self,
        status: u16,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        after: Duration,
    ) {
        self.exchange.response = Response {
            status,
            headers: headers
                .into_iter()
                .filter(|(name, _)| is_storable(name))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            at_us: micros(after),
        };
    }

    /// A piece of the body, `after` the request was sent.
    pub fn chunk(&mut self, bytes: &[u8], after: Duration) {
        if !bytes.is_empty() {
            self.exchange.chunks.push(Chunk { at_us: micros(after), bytes: bytes.to_vec() });
        }
    }

    /// How the body ended.
    pub const fn end(&mut self, end: End) {
        self.exchange.end = end;
    }
}

impl Secrets {
    fn of(request: &http1::Request, query: &str) -> Self {
        let mut secrets = Vec::new();
        for (name, value) in &request.headers {
            let secret = ["authorization", "cookie", "proxy-authorization"].contains(&name.as_str())
                || ["key", "token", "secret"].iter().any(|word| name.contains(word));
            if secret {
                // Without its scheme, since a body would hold the key alone.
                secrets.push(value.rsplit(' ').next().unwrap_or(value).to_owned());
            }
        }
        for pair in query.split('&') {
            if let Some((name, value)) = pair.split_once('=')
                && (name.contains("key") || name.contains("token"))
            {
                secrets.push(value.to_owned());
            }
        }
        // Shorter ones are placeholders ("none", "ollama") that texts hold by chance.
        secrets.retain(|secret| secret.len() >= 12);
        Self(secrets)
    }

    fn occur_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
