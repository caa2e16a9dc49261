//! An open connection, and what is known about it when a request on it fails.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::connection::{Handle, Lease};

/// What connecting gives.
pub(super) type Inner = MaybeHttpsStream<TokioIo<TcpStream>>;

/// An open connection.
#[derive(Debug)]
pub(super) struct Stream {
    inner: Take<TokioIo<Inner>>,
    proxied: bool,
    about: About,
}

/// What is known about a connection when a request on it fails.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// When it was made: tells a new one from one that was kept open.
    pub(super) born: Instant,
    /// Whether something was read since something was written.
    heard: Arc<AtomicBool>,
    /// Whose socket it is; known from the first read on.
    connection: Arc<OnceLock<Handle>>,
    http2: bool,
}

impl Stream {
    /// `proxied`: plain HTTP goes to a proxy that reads it.
    pub(super) fn new(inner: Inner, proxied: bool) -> Self {
        let http2 = inner.connected().is_negotiated_h2();
        let about = About { born: Instant::now(), heard: Arc::default(), connection: Arc::default(), http2 };
        Self { inner: TokioIo::new(inner).take(READ_BYTES_MAX), proxied, about }
    }
}

impl About {
    /// Whether some of a reply may have come. On HTTP/2 nobody knows whose bytes they were; its errors tell.
    pub(super) fn has_heard(&self) -> bool {
        !self.http2 && self.heard.load(Ordering::Relaxed)
    }

    /// Lets who reads a body drive the connection. Not on HTTP/2, where it is many bodies'.
    pub(super) fn lend(&self) -> Option<Lease> {
        if self.http2 { None } else { self.connection.get()?.lend() }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.get_ref().inner().connected().proxy(self.proxied).extra(self.about.clone())
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.about.connection.get().is_none()
            && let Some(connection) = Handle::of_polled()
        {
            // Only the connection's own task reads before it is known.
            let _ = self.about.connection.set(connection);
        }
        let before = buf.filled().len();
        self.inner.set_limit(READ_BYTES_MAX);
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.about.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.about.heard.store(false, Ordering::Relaxed);
        Pin::new(self.inner.get_mut()).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner.get_mut()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.about.heard.store(false, Ordering::Relaxed);
        Pin::new(self.inner.get_mut()).poll_write_vectored(cx, bufs)
    }
}

/// Most bytes of one read: what servers write at once, with room for its frame. hyper takes twice as much memory the next
/// time whenever a read fills what it has, up to the limit on a head; a busy stream holds two such pieces.
const READ_BYTES_MAX: u64 = 20 << 10;
