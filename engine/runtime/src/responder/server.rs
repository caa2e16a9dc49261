//! A server spoken to through a codec: one try a reply.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use thalweg_abi::host;
use thalweg_abi::types::{EVENT_ERROR, FAILURE_MALFORMED, FRAME_WHOLE_BODY, StreamEvent};
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::request::Delivery;
use thalweg_wire::limits::Limits;

use super::ask::Ask;
use super::batch::Batch;
use super::stream::{ReplyEvents, ReplyStream};
use super::{Asking, Responder};
use crate::backend::{Endpoint, Wire, check_marks, open_wire};
use crate::http;
use crate::marks::Marks;
use crate::reply::{compressed, failure_kind, failure_of, failure_of_auth, failure_of_status, is_absent};

/// A server. It sends each request once; what to do about a failure is the business of middleware.
pub(crate) struct ServerResponder {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) codec: host::Codec,
    pub(crate) client: http::Client,
    limits: Limits,
    idle: Idle,
}

/// Conversations that wait for their next request, so that what they have encoded is not encoded again.
type Idle = Arc<Mutex<Vec<Box<Wire>>>>;

impl ServerResponder {
    pub(crate) fn new(endpoint: Arc<Endpoint>, codec: host::Codec, client: http::Client, limits: Limits) -> Self {
        Self { endpoint, codec, client, limits, idle: Idle::default() }
    }

    async fn send(&self, ask: Ask) -> Result<ReplyStream, Failure> {
        let plugin = |error: crate::Error| Failure::new(FailureKind::Plugin, error.to_string());
        let marks = Marks::of(ask.request());
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // The longest one: an empty conversation is the beginning of any.
            let fits = |at: &usize| {
                let conversation = &idle[*at].conversation;
                conversation.is_begin_of(ask.messages_json()) && !conversation.has_other_marks(marks)
            };
            let at = (0..idle.len()).filter(fits).max_by_key(|at| idle[*at].conversation.len());
            at.map(|at| idle.swap_remove(at))
        };
        let mut wire = match found {
            Some(wire) => wire,
            None => Box::new(open_wire(&self.endpoint, &self.codec, &self.client, self.limits).map_err(plugin)?),
        };
        let Wire { conversation, pipeline, .. } = &mut *wire;
        let encoded = conversation.request_of(pipeline.decoder_mut(), ask.messages_json(), marks, &ask.envelope());
        let request = self.endpoint.request(encoded.map_err(plugin)?, &self.client).await.map_err(failure_of_auth)?;
        let mut lent = Lent { wire: Some(wire), idle: Arc::clone(&self.idle) };
        let mut response = match self.client.send(request).await {
            Ok(response) if response.is_success() => response,
            Ok(response) => return Err(failure_of_status(&self.endpoint, &mut lent.wire()?.pipeline, response).await),
            Err(error) => {
                let may_pass = error.is_retryable() && !is_absent(&self.endpoint, &error);
                return Err(Failure { retryable: Some(may_pass), ..failure_of(&error) });
            }
        };
        if let Some(failure) = compressed(&self.endpoint, &response) {
            return Err(failure);
        }
        let provider = self.provider().map(str::to_owned);
        let is_stream = response.header("content-type").is_some_and(|kind| kind.contains("stream"));
        if ask.delivery() == Delivery::Stream || is_stream {
            return Ok(ReplyStream::new(provider, Streaming { body: Some(response.body), lent, failed: None }));
        }
        let mut body = Vec::new();
        response.body.read_to(&mut body, self.limits.event_bytes_max).await.map_err(|error| failure_of(&error))?;
        let pipeline = &mut lent.wire()?.pipeline;
        let mut batch = Batch::default();
        let mut sink = |events: &[StreamEvent<'_>]| batch.extend(events.iter().copied());
        let read = pipeline.whole_body(&body, FRAME_WHOLE_BODY, 0, &mut sink);
        read.and_then(|()| pipeline.finish(&mut sink))
            .map_err(|error| Failure::new(failure_kind(&error), error.to_string()))?;
        Ok(ReplyStream::ready(provider, batch))
    }
}

impl Responder for ServerResponder {
    fn name(&self) -> &str {
        self.endpoint.name()
    }

    fn provider(&self) -> Option<&str> {
        self.endpoint.route.provider.as_ref().map(|row| row.id.as_str())
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        Box::pin(self.send(ask))
    }
}

/// A conversation that goes back to the idle ones when its reply is over.
struct Lent {
    wire: Option<Box<Wire>>,
    idle: Idle,
}

impl Lent {
    fn wire(&mut self) -> Result<&mut Wire, Failure> {
        self.wire.as_deref_mut().ok_or_else(|| Failure::new(FailureKind::Other, "the reply is over"))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut wire) = self.wire.take() else { return };
        wire.pipeline.reset();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() == IDLE_MAX {
            idle.remove(0);
        }
        idle.push(wire);
    }
}

/// Conversations that are kept for their next request.
const IDLE_MAX: usize = 16;

struct Streaming {
    body: Option<http::Body>,
    lent: Lent,
    /// What is told once the events before it are.
    failed: Option<Failure>,
}

impl ReplyEvents for Streaming {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let Self { body, lent, failed } = self;
        let Ok(Wire { pipeline, .. }) = lent.wire() else { return Poll::Ready(None) };
        loop {
            let Some(open) = body else { return Poll::Ready(failed.take().map(Err)) };
            let chunk = ready!(open.poll_chunk(cx));
            let mut batch = Batch::default();
            let mut sink = |events: &[StreamEvent<'_>]| batch.extend(events.iter().copied());
            let (read, is_over) = match chunk {
                Ok(Some(chunk)) => (pipeline.feed(&chunk, &mut sink), false),
                Ok(None) => (pipeline.finish(&mut sink), true),
                Err(error) => {
                    *failed = Some(failure_of(&error));
                    // What is complete in the carry is still delivered before the break is reported.
                    (pipeline.finish(&mut sink), true)
                }
            };
            let error = read.err().map(|error| Failure::new(failure_kind(&error), error.to_string()));
            let error =
                error.or_else(|| check_marks(pipeline).err().map(|e| Failure::new(FailureKind::Plugin, e.to_string())));
            *failed = failed.take().or(error);
            // The rest of a reply that cannot be read is of no use.
            let is_lost = |event: StreamEvent<'_>| event.kind() == EVENT_ERROR && event.num() == FAILURE_MALFORMED;
            if is_over || failed.is_some() || batch.iter().any(is_lost) {
                *body = None;
            }
            if !batch.is_empty() {
                return Poll::Ready(Some(Ok(batch)));
            }
        }
    }
}
