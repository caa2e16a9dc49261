//! Makes connections for the pool: plain or TLS, direct or through a proxy, within a time limit.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::error::{Error, Wait, chain, innermost};
use super::proxy::Rules;
use super::request::target;
use super::resolver::{Resolver, Unresolved};
use super::spare::Spares;
use super::stream::{Inner, Stream};
use super::tls::Settings;

type Tcp = HttpConnector<Resolver>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: Tcp,
    shared: Arc<Shared>,
    /// Takes no connection that was made before.
    is_fresh: bool,
}

#[derive(Debug)]
struct Shared {
    rules: Rules,
    resolver: Resolver,
    spares: Spares,
    settings: Settings,
    timeout: Duration,
    // Made when the first https URL asks for it: a client of plain HTTP needs no certificates.
    tls: OnceLock<Result<Arc<ClientConfig>, Error>>,
}

impl Connector {
    pub(super) fn new(rules: Rules, settings: Settings, timeout: Duration) -> Self {
        let resolver = Resolver::default();
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let (spares, tls) = (Spares::default(), OnceLock::new());
        let shared = Arc::new(Shared { rules, resolver, spares, settings, timeout, tls });
        Self { tcp, shared, is_fresh: false }
    }

    /// One that always makes a new connection.
    pub(super) fn fresh(&self) -> Self {
        Self { is_fresh: true, ..self.clone() }
    }

    /// Makes a connection for a later request, which has to come within `age`.
    pub(super) async fn warm_up(&self, uri: &Uri, age: Duration) -> Result<(), Error> {
        if self.shared.spares.count(uri) >= SPARES_MAX {
            return Ok(());
        }
        let stream = self.fresh().call(uri.clone()).await?;
        self.shared.spares.keep(uri, stream, age);
        // Closes it in time when no request comes.
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(age).await;
            if let Some(shared) = shared.upgrade() {
                shared.spares.drop_old();
            }
        });
        Ok(())
    }

    /// The credentials that plain HTTP through a proxy needs on every request.
    pub(super) fn proxy_auth(&self, uri: &Uri) -> Option<hyper::header::HeaderValue> {
        if uri.scheme_str() != Some("http") {
            return None;
        }
        self.shared.rules.for_server(uri)?.basic_auth().cloned()
    }

    async fn connect(mut self, uri: Uri) -> Result<TokioIo<Stream>, Error> {
        let proxy = self.shared.rules.for_server(&uri);
        let mut proxied = false;
        let connected = match &proxy {
            None => self.secured(self.tcp.clone(), uri.clone()).await,
            Some(proxy) => match proxy.uri().scheme_str() {
                Some("socks5" | "socks5h") => {
                    let mut socks = SocksV5::new(proxy.uri().clone(), self.tcp.clone());
                    if let Some((user, password)) = proxy.raw_auth() {
                        socks = socks.with_auth(user.into(), password.into());
                    }
                    let resolver = (proxy.uri().scheme_str() == Some("socks5")).then(|| self.shared.resolver.clone());
                    self.secured(Socks { socks, resolver }, uri.clone()).await
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
            Ok(inner) => Ok(TokioIo::new(Stream::new(inner, proxied))),
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
            let config = self.tls().await?;
            HttpsConnector::from((transport, config)).call(uri).await
        } else {
            let mut transport = transport;
            transport.call(uri).await.map(MaybeHttpsStream::Http).map_err(Into::into)
        }
    }
}

impl Connector {
    /// The settings of TLS, read once, and not on this thread where files are read.
    async fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(read) = self.shared.tls.get() {
            return read.clone();
        }
        let shared = Arc::clone(&self.shared);
        let read = move || shared.tls.get_or_init(|| shared.settings.read().map(Arc::new)).clone();
        if !self.shared.settings.reads_files() {
            return read();
        }
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Error::Tls { target: "any server".into(), reason: error.to_string() })?
    }
}

/// Connects through a SOCKS proxy.
#[derive(Clone)]
struct Socks {
    socks: SocksV5<Tcp>,
    /// Finds the server's address; without it the proxy does.
    resolver: Option<Resolver>,
}

impl Service<Uri> for Socks {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { mut socks, resolver } = self.clone();
        Box::pin(async move {
            let mut server = target(&uri);
            let host = uri.host().unwrap_or_default();
            let is_name = host.trim_matches(['[', ']']).parse::<IpAddr>().is_err();
            if let Some(resolver) = resolver.filter(|_| is_name) {
                let found = resolver.addresses(host).await?;
                let port = server.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
                if let Some(address) = found.first() {
                    server = SocketAddr::new(address.ip(), port).to_string();
                }
            }
            // With its port: otherwise the proxy is asked for that of https.
            let uri = Uri::builder().scheme("http").authority(server).path_and_query("/").build()?;
            Ok(socks.call(uri).await?)
        })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The TCP connector below is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Some(stream) = self.shared.spares.take(&uri).filter(|_| !self.is_fresh) {
            return Box::pin(std::future::ready(Ok(stream)));
        }
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
    if chain(error).any(<dyn std::error::Error>::is::<Unresolved>) {
        return Error::Resolve { target, reason };
    }
    let kind =
        chain(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map_or(io::ErrorKind::Other, io::Error::kind);
    Error::Connect { target, reason, kind }
}

/// Connections that are made ahead for each server.
const SPARES_MAX: usize = 32;
