//! Makes connections for the pool: plain or TLS, direct or through a proxy, within a time limit.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service;

use super::error::{Error, Wait, chain, innermost};
use super::proxy::Rules;
use super::request::target;
use super::tls::{self, Roots};

type Inner = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rules: Rules,
    roots: Roots,
    http2: bool,
    timeout: Duration,
    // Made when the first https URL asks for it: a client of plain HTTP needs no certificates.
    tls: OnceLock<Result<Arc<ClientConfig>, Error>>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Stream {
    inner: Inner,
    proxied: bool,
    born: Instant,
}

/// When a connection was made: tells a new one from one that was kept open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Born(pub(super) Instant);

impl Connector {
    pub(super) fn new(rules: Rules, roots: Roots, http2: bool, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Self { tcp, shared: Arc::new(Shared { rules, roots, http2, timeout, tls: OnceLock::new() }) }
    }

    /// The credentials that plain HTTP through a proxy needs on every request.
    pub(super) fn proxy_auth(&self, uri: &Uri) -> Option<hyper::header::HeaderValue> {
        if uri.scheme_str() != Some("http") {
            return None;
        }
        self.shared.rules.for_server(uri)?.basic_auth().cloned()
    }

    async fn connect(mut self, uri: Uri) -> Result<Stream, Error> {
        let proxy = self.shared.rules.for_server(&uri);
        let mut proxied = false;
        let connected = match &proxy {
            None => self.secured(self.tcp.clone(), uri.clone()).await,
            Some(proxy) => match proxy.uri().scheme_str() {
                Some("socks5" | "socks5h") => {
                    let mut socks = SocksV5::new(proxy.uri().clone(), self.tcp.clone())
                        .local_dns(proxy.uri().scheme_str() == Some("socks5"));
                    if let Some((user, password)) = proxy.raw_auth() {
                        socks = socks.with_auth(user.into(), password.into());
                    }
                    self.secured(socks, uri.clone()).await
                }
                Some("http") if uri.scheme_str() == Some("http") => {
                    proxied = true;
                    let connecting = self.tcp.call(proxy.uri().clone());
                    connecting.await.map(MaybeHttpsStream::Http).map_err(Into::into)
                }
                Some("http") => {
                    let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
                    if let Some(auth) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(auth.clone());
                    }
                    self.secured(tunnel, uri.clone()).await
                }
                _ => Err("only proxies with http:// and socks5:// are supported".into()),
            },
        };
        match connected {
            Ok(inner) => Ok(Stream { inner, proxied, born: Instant::now() }),
            Err(error) => Err(classify(&uri, proxy.as_ref(), &*error)),
        }
    }

    /// Connects with `transport`, and speaks TLS on it if the URL asks for it.
    async fn secured<T>(&self, transport: T, uri: Uri) -> Result<Inner, BoxError>
    where
        T: Service<Uri, Response = TokioIo<TcpStream>> + Clone + Send,
        T::Future: Send + 'static,
        T::Error: Into<BoxError>,
    {
        if uri.scheme_str() == Some("https") {
            let make = || tls::config(&self.shared.roots, self.shared.http2).map(Arc::new);
            let config = self.shared.tls.get_or_init(make).clone()?;
            HttpsConnector::from((transport, config)).call(uri).await
        } else {
            let mut transport = transport;
            transport.call(uri).await.map(MaybeHttpsStream::Http).map_err(Into::into)
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The TCP connector below is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.shared.timeout;
        let to = target(&uri);
        let connecting = self.clone().connect(uri);
        Box::pin(async move {
            tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let after_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                Err(Error::Timeout { target: to, wait: Wait::Connect, after_ms, received_bytes: 0 })
            })
        })
    }
}

fn classify(uri: &Uri, proxy: Option<&Intercept>, error: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(own) = chain(error).find_map(|cause| cause.downcast_ref::<Error>()) {
        return own.clone();
    }
    let target = target(uri);
    let reason = innermost(error);
    if chain(error).any(<dyn std::error::Error>::is::<rustls::Error>) {
        return Error::Tls { target, reason };
    }
    if let Some(proxy) = proxy {
        return Error::Proxy { proxy: super::request::target(proxy.uri()), target, reason };
    }
    let kind =
        chain(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map_or(io::ErrorKind::Other, io::Error::kind);
    Error::Connect { target, reason, kind }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.proxied).extra(Born(self.born))
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}
