//! The client: settings, pools, sending.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::header::{HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::http::Extensions;
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;

use super::body::{Body, Place, Response};
use super::clock::Clock;
use super::connection::Tasks;
use super::connector::Connector;
use super::error::Error;
use super::proxy::{Proxy, Rules};
use super::request::{Pieces, Request};
use super::stream::About;
use super::tls::{ClientCertificate, Roots, Settings};

/// Settings of a client. `None` for a limit means that there is none.
#[derive(Clone, Debug)]
pub struct Options {
    /// For making a connection, with TLS and proxy. 10 s.
    pub connect_timeout: Duration,
    /// From the call to the first byte of the body. 10 minutes: a model may think that long.
    pub first_byte_timeout: Option<Duration>,
    /// Between two chunks of a body; whatever arrives counts, comments and pings too. 5 minutes.
    pub idle_timeout: Option<Duration>,
    /// For a whole exchange. None: a healthy stream is never cut.
    pub total_timeout: Option<Duration>,
    /// How long an unused plain connection is kept. 4 s, since small servers close theirs after 5.
    pub pool_idle_plain: Duration,
    /// How long an unused TLS connection is kept. 55 s, since load balancers close theirs after 60.
    pub pool_idle_tls: Duration,
    /// Speak HTTP/2 where a TLS server offers it.
    pub http2: bool,
    /// Which proxy to use.
    pub proxy: Proxy,
    /// Which certificate authorities are trusted. The bundled ones.
    pub roots: Roots,
    /// Files with certificates (PEM) to trust besides.
    pub ca_files: Vec<PathBuf>,
    /// The certificate that servers may ask for. None.
    pub client_certificate: Option<ClientCertificate>,
    /// Name that servers see.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Some(Duration::from_secs(600)),
            idle_timeout: Some(Duration::from_secs(300)),
            total_timeout: None,
            pool_idle_plain: Duration::from_secs(4),
            pool_idle_tls: Duration::from_secs(55),
            http2: true,
            proxy: Proxy::Environment,
            roots: Roots::default(),
            ca_files: Vec::new(),
            client_certificate: None,
            user_agent: concat!("thalweg/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// Sends requests. Cheap to clone; clones share their connections. Needs a tokio runtime to send.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

type Pool = legacy::Client<Connector, Pieces>;

#[derive(Debug)]
struct Inner {
    options: Options,
    user_agent: HeaderValue,
    connector: Connector,
    plain: Pool,
    secured: Mutex<Vec<Lane>>,
}

/// A pool with a bounded number of streams.
///
/// On HTTP/2 all streams of a pool to one server share a connection, whose server allows a hundred or so at once.
/// Hung streams would make a fresh one wait, so beyond [`LANE_STREAMS`] another pool is opened.
#[derive(Clone, Debug)]
struct Lane {
    pool: Pool,
    streams: Arc<AtomicUsize>,
}

impl Client {
    /// Makes a client. The environment is read here and never again.
    ///
    /// # Errors
    /// When the proxy or the user agent cannot be used.
    pub fn new(options: Options) -> Result<Self, Error> {
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| Error::InvalidHeader { name: USER_AGENT.to_string() })?;
        let instead = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let settings = Settings {
            roots: options.roots,
            instead,
            more: options.ca_files.clone(),
            client: options.client_certificate.clone(),
            http2: options.http2,
        };
        let connector = Connector::new(Rules::new(&options.proxy)?, settings, options.connect_timeout);
        let plain = pool_of(&connector, options.pool_idle_plain);
        Ok(Self { inner: Arc::new(Inner { options, user_agent, connector, plain, secured: Mutex::default() }) })
    }

    /// Sends a request and waits for the head of its reply. Any status is a reply, not an error.
    ///
    /// A connection that was kept open may be dead without anyone's fault; if it dies before a byte of the reply, the
    /// request is sent once more on a fresh one.
    ///
    /// # Errors
    /// When there is no reply.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let again = request.clone();
        let (pool, place) = self.inner.pool_for(&request);
        match self.attempt(request, &pool, place).await {
            Err(Failure { can_repeat: true, error }) if error.is_retryable() => {
                // Another kept connection may be as dead: all of them were open while the server or the network went.
                let pool = pool_of(&self.inner.connector.fresh(), Duration::ZERO);
                self.attempt(again, &pool, None).await.map_err(|failure| failure.error)
            }
            other => other.map_err(|failure| failure.error),
        }
    }

    /// Opens a connection to the server of `url`, with TLS and proxy, which the next request there uses. It is kept for as
    /// long as an unused one ([`Options::pool_idle_tls`]); no request is sent.
    ///
    /// # Errors
    /// When the URL cannot be used, or there is no connection.
    pub async fn warm_up(&self, url: &str) -> Result<(), Error> {
        let request = Request::get(url)?;
        let options = &self.inner.options;
        let age = if request.is_https() { options.pool_idle_tls } else { options.pool_idle_plain };
        self.inner.connector.warm_up(&request.uri, age).await
    }

    async fn attempt(&self, request: Request, pool: &Pool, place: Option<Place>) -> Result<Response, Failure> {
        let target = request.target();
        let options = &self.inner.options;
        let mut clock = Clock::start(options.first_byte_timeout, options.idle_timeout, options.total_timeout);
        let proxy_auth = self.inner.connector.proxy_auth(&request.uri);

        let mut sent = hyper::Request::new(Pieces::new(request.body));
        *sent.method_mut() = request.method;
        *sent.uri_mut() = request.uri;
        *sent.headers_mut() = request.headers;
        sent.headers_mut().entry(USER_AGENT).or_insert_with(|| self.inner.user_agent.clone());
        if let Some(auth) = proxy_auth {
            sent.headers_mut().insert(PROXY_AUTHORIZATION, auth);
        }

        let mut replying = std::pin::pin!(pool.request(sent));
        let replied = std::future::poll_fn(|cx| match replying.as_mut().poll(cx) {
            Poll::Ready(replied) => Poll::Ready(Ok(replied)),
            Poll::Pending => clock.poll_expired(cx).map(Err),
        });
        match replied.await {
            Ok(Ok(reply)) => {
                let (head, incoming) = reply.into_parts();
                let lease = head.extensions.get::<About>().and_then(About::lend);
                let body = Body::new(incoming, lease, clock, target, place);
                Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
            }
            Ok(Err(error)) => {
                let can_repeat = match error.connect_info() {
                    // It ended between being made and being used: nothing was sent.
                    None => !error.is_connect(),
                    Some(connected) => {
                        let mut about = Extensions::new();
                        connected.get_extras(&mut about);
                        about.get::<About>().is_some_and(|about| about.born < clock.started() && !about.has_heard())
                    }
                };
                Err(Failure { can_repeat, error: Error::of_exchange(&target, 0, &error) })
            }
            Err((wait, limit)) => {
                let after_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                let error = Error::Timeout { target, wait, after_ms, received_bytes: 0 };
                Err(Failure { can_repeat: false, error })
            }
        }
    }
}

struct Failure {
    /// It happened on a connection that was made before the request, and no byte of a reply came.
    can_repeat: bool,
    error: Error,
}

impl Inner {
    fn pool_for(&self, request: &Request) -> (Pool, Option<Place>) {
        if request.uri.scheme_str() != Some("https") {
            return (self.plain.clone(), None);
        }
        // Lanes are only added, under the lock, and a push leaves the list whole.
        let mut lanes = self.secured.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lanes.iter().find(|lane| lane.streams.load(Ordering::Relaxed) < LANE_STREAMS).cloned();
        let lane = free.unwrap_or_else(|| {
            let pool = pool_of(&self.connector, self.options.pool_idle_tls);
            lanes.push(Lane { pool, streams: Arc::default() });
            lanes[lanes.len() - 1].clone()
        });
        lane.streams.fetch_add(1, Ordering::Relaxed);
        (lane.pool, Some(Place(lane.streams)))
    }
}

fn pool_of(connector: &Connector, idle: Duration) -> Pool {
    legacy::Client::builder(Tasks)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        .pool_max_idle_per_host(IDLE_MAX)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(HEADERS_MAX)
        .http2_max_header_list_size(HEAD_BYTES_MAX as u32)
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES * LANE_STREAMS as u32)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(20))
        .build(connector.clone())
}

/// Streams of one lane.
const LANE_STREAMS: usize = 64;
/// What a server may send ahead on one stream; all of a lane fit in its connection's window, so that one reader who
/// stops reading stops nobody else.
const WINDOW_BYTES: u32 = 128 << 10;
/// A connection's read buffer, and so the head of a reply; hyper's own limit is half a megabyte for a busy stream.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of a reply.
pub(super) const HEADERS_MAX: usize = 100;
/// Unused connections kept for each server.
const IDLE_MAX: usize = 32;
