//! The reply: status, headers, and the body as chunks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;

use super::clock::Clock;
use super::connection::Lease;
use super::error::Error;

/// A reply whose head has arrived. Dropping it closes the socket.
#[derive(Debug)]
pub struct Response {
    /// HTTP status. One of 300 to 399 is handed on as it is: redirects are not followed.
    pub status: u16,
    /// The body.
    pub body: Body,
    pub(super) headers: HeaderMap,
}

impl Response {
    /// The first header of this name, if it is plain text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every header that is plain text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// The body of a reply, chunk by chunk.
#[derive(Debug)]
pub struct Body {
    // None once the body has ended or failed; the socket is let go at once then.
    incoming: Option<Incoming>,
    // Of a connection that is this body's alone, so on HTTP/1.
    lease: Option<Lease>,
    clock: Clock,
    target: String,
    received_bytes: u64,
    _place: Option<Place>,
}

/// A stream's place on a connection, given back on drop.
#[derive(Debug)]
pub(super) struct Place(pub(super) Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Body {
    pub(super) const fn new(
        incoming: Incoming,
        lease: Option<Lease>,
        clock: Clock,
        target: String,
        place: Option<Place>,
    ) -> Self {
        Self { incoming: Some(incoming), lease, clock, target, received_bytes: 0, _place: place }
    }

    /// The next chunk, or `None` when the body is complete. Safe to drop while waiting: no byte is lost.
    ///
    /// # Errors
    /// When the connection ends before the body, or a limit on waiting is reached. The socket is closed then, and
    /// the next call gives `None`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// As [`Body::chunk`], for callers that poll.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(Ok(None)) };
        let error = loop {
            let mut read = |cx: &mut Context<'_>| Pin::new(&mut *incoming).poll_frame(cx);
            let polled = match &mut self.lease {
                Some(lease) => lease.poll(cx, read),
                None => read(cx),
            };
            match polled {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => {
                        self.received_bytes += chunk.len() as u64;
                        self.clock.hear();
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                    // Trailers, which no provider's stream needs.
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    break Error::of_exchange(&self.target, self.received_bytes, &error);
                }
                Poll::Ready(None) => {
                    let was_leased = self.lease.is_some();
                    self.close();
                    if was_leased {
                        // A task of the pool's takes the connection back; it has its turn before the next request.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending => {
                    let (wait, limit) = std::task::ready!(self.clock.poll_expired(cx));
                    break Error::Timeout {
                        target: self.target.clone(),
                        wait,
                        after_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                        received_bytes: self.received_bytes,
                    };
                }
            }
        };
        self.close();
        Poll::Ready(Err(error))
    }

    /// Whether nothing lies between the socket and who polls: what is not there now has yet to arrive.
    pub(crate) const fn is_at_socket(&self) -> bool {
        self.lease.is_some()
    }

    fn close(&mut self) {
        self.incoming = None;
        self.lease = None;
    }

    /// The reader was busy elsewhere: the time in which the server may be silent begins anew.
    pub(crate) fn hear(&mut self) {
        self.clock.hear();
    }

    /// Bytes received so far.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Appends the rest of the body to `out`, which may grow to `max` bytes. What was read stays there on an error.
    ///
    /// # Errors
    /// As [`Body::chunk`]; [`Error::TooLarge`] when there is more, and `out` then holds the first `max` bytes.
    pub async fn read_to(&mut self, out: &mut Vec<u8>, max: usize) -> Result<(), Error> {
        while let Some(chunk) = self.chunk().await? {
            let room = max.saturating_sub(out.len());
            out.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                self.incoming = None;
                return Err(Error::TooLarge { max });
            }
        }
        Ok(())
    }
}
