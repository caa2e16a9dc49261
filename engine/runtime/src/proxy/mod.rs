//! A client of the proxy that TinyAgent and pi speak with: a server that holds the keys and speaks to the providers, and is
//! asked with a token of its own.
//!
//! ```
//! use thalweg::proxy::Proxy;
//!
//! let proxy = Proxy::new("https://proxy.example.com", "token of the user")?;
//! let agent = thalweg::Agent::builder().model("proxy/openai/gpt-4o").responder(proxy.responder());
//! # drop(agent);
//! # Ok::<(), thalweg::Error>(())
//! ```
//!
//! Where theirs is lenient to the point of being wrong, this one is not: a stream that ends without `done` is an incomplete reply, and
//! a reply that calls tools says so.

mod decode;
mod encode;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_wire::limits::Limits;
use thalweg_wire::sse;

use crate::error::Error;
use crate::http::{self, AuthKind, Secret};
use crate::reply::failure_of;
use crate::responder::{Ask, Asking, Batch, ReplyEvents, ReplyStream, Responder};
use decode::Decoder;

/// A proxy to ask. What it is asked for is `provider/model`, as the proxy knows them.
pub struct Proxy {
    name: String,
    url: String,
    token: Secret,
    api: String,
    client: http::Client,
}

impl Proxy {
    /// The proxy at `url`, up to the path `/api/stream`. The token goes with every request; an empty one is not sent.
    ///
    /// # Errors
    /// When the address is none, or no HTTP client can be made.
    pub fn new(url: &str, token: &str) -> Result<Self, Error> {
        let client = http::Client::new(http::Options::default()).map_err(|error| Error::Http(Arc::new(error)))?;
        let url = http::join_url(url.trim_end_matches('/'), "/api/stream");
        http::Request::post(&url).map_err(|error| Error::Http(Arc::new(error)))?;
        Ok(Self { name: "proxy".to_owned(), url, token: Secret::new(token), api: String::new(), client })
    }

    /// Its name, which comes first in the name of a model; `proxy` unless set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The `api` of the model that the proxy is told; it has its own names for dialects.
    #[must_use]
    pub fn api(mut self, api: impl Into<String>) -> Self {
        self.api = api.into();
        self
    }

    /// The HTTP client, to share its connections.
    #[must_use]
    pub fn client(mut self, client: http::Client) -> Self {
        self.client = client;
        self
    }

    /// For [`AgentBuilder::responder`](crate::AgentBuilder::responder).
    #[must_use]
    pub fn responder(self) -> Arc<dyn Responder> {
        Arc::new(self)
    }

    async fn send(&self, ask: Ask) -> Result<ReplyStream, Failure> {
        let (provider, _) = encode::provider_and_model(&ask.request().model);
        let provider = if provider.is_empty() { self.name.clone() } else { provider.to_owned() };
        let body = encode::body(&ask, &self.api);
        let request = self.request(body).map_err(|error| failure_of(&error))?;
        let response = self.client.send(request).await.map_err(|error| {
            let failure = failure_of(&error);
            Failure { retryable: Some(error.is_retryable()), ..failure }
        })?;
        if !response.is_success() {
            return Err(self.refusal(response).await);
        }
        let decoder = Decoder::new(&ask.request().model);
        let framer = sse::Decoder::new(Limits::default());
        Ok(ReplyStream::new(Some(provider), Streaming { body: Some(response.body), framer, decoder, failed: None }))
    }

    fn request(&self, body: String) -> Result<http::Request, http::Error> {
        let request = http::Request::post(&self.url)?.header("content-type", "application/json")?;
        let request = request.header("accept", "text/event-stream")?.auth(&AuthKind::Bearer, &self.token)?;
        Ok(request.body(vec![Bytes::from(body)]))
    }

    /// What an answer with another status says: the `error` of its JSON, if it has one.
    async fn refusal(&self, mut response: http::Response) -> Failure {
        let status = response.status;
        let mut body = Vec::new();
        // As much as came is enough: the status alone says that it failed.
        let _ = response.body.read_to(&mut body, ERROR_BODY_BYTES_MAX).await;
        let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let said = said.as_ref().and_then(|said| said["error"].as_str().or_else(|| said["error"]["message"].as_str()));
        let message = match said {
            Some(said) => self.token.redact(format!("proxy error: {status}: {said}")),
            None => format!("proxy error: {status}"),
        };
        let kind = match status {
            401 | 403 => FailureKind::Auth,
            429 => FailureKind::RateLimit,
            503 | 529 => FailureKind::Overloaded,
            500.. => FailureKind::Server,
            _ => FailureKind::InvalidRequest,
        };
        let mut failure = Failure::new(kind, message).with_http_status(status);
        failure.retry_after_ms = response.asked_wait().map(|asked| asked.as_millis() as u64);
        failure.retryable = Some(http::Retry::is_wanted(&response));
        failure
    }
}

impl Responder for Proxy {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        Box::pin(self.send(ask))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

struct Streaming {
    body: Option<http::Body>,
    framer: sse::Decoder,
    decoder: Decoder,
    /// What is told once the events before it are.
    failed: Option<Failure>,
}

impl ReplyEvents for Streaming {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let Self { body, framer, decoder, failed } = self;
        loop {
            let Some(open) = body else { return Poll::Ready(failed.take().map(Err)) };
            let chunk = ready!(open.poll_chunk(cx));
            let mut batch = Batch::default();
            match chunk {
                Ok(Some(chunk)) => {
                    if let Err(error) = framer.feed(&chunk, |event| decoder.handle(event.data, &mut batch)) {
                        *failed = Some(Failure::new(FailureKind::Malformed, error.to_string()));
                    }
                }
                end => {
                    // A last event without its empty line counts if it is whole.
                    if let Some(event) = framer.finish() {
                        decoder.handle(event.data, &mut batch);
                    }
                    *failed = end.err().map(|error| failure_of(&error));
                    *body = None;
                }
            }
            if failed.is_some() || decoder.is_over() {
                *body = None;
            }
            if !batch.is_empty() {
                return Poll::Ready(Some(Ok(batch)));
            }
        }
    }
}

/// More of an error body than this tells nobody anything.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
