//! HTTP that plugins ask the engine for (`thw.http/1`): who may ask whom, and with which key.
//!
//! A plugin asks nobody unless a [`HttpGrant`] was given to it. A key that it names is read here, goes only to hosts that the
//! table of providers or the grant names for it, and never without TLS but to this machine; the plugin does not see it.

use std::sync::{Arc, LazyLock, PoisonError, RwLock, mpsc};
use std::thread;

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_CANCELLED, E_FAILED, E_INVALID, E_REJECTED, E_REMOTE, E_TIMEOUT};
use thalweg_extensions::http::{Client as Outbound, Control, Flow, Prepared, Receiver, Request as Asked};
use tokio::runtime::{Builder, Handle};

use crate::http::{self, AuthKind, Secret};
use crate::provider::{Table, is_same_origin};

/// A word of the user: this plugin may ask that host. It holds for all agents of the process.
///
/// ```
/// use thalweg::plugin::HttpGrant;
///
/// HttpGrant::new("example.search", "https://api.example.com")?.with_key("EXAMPLE_KEY").give();
/// # Ok::<(), thalweg::http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    plugin: String,
    origin: String,
    keys: Vec<String>,
}

impl HttpGrant {
    /// The plugin with this id may ask `origin`: a URL with scheme, host and perhaps a port. Without TLS it must be this
    /// machine.
    ///
    /// # Errors
    /// When the origin is none, or is not safe.
    pub fn new(plugin: impl Into<String>, origin: &str) -> Result<Self, http::Error> {
        let request = http::Request::get(origin)?;
        if !request.is_https() && !request.is_loopback() {
            return Err(http::Error::InvalidUrl { url: origin.to_owned(), reason: "it is not https" });
        }
        Ok(Self { plugin: plugin.into(), origin: origin.to_owned(), keys: Vec::new() })
    }

    /// The same grant, and the host may get the key that this environment variable holds.
    #[must_use]
    pub fn with_key(mut self, variable: impl Into<String>) -> Self {
        self.keys.push(variable.into());
        self
    }

    /// From here on it holds.
    pub fn give(self) {
        GRANTS.write().unwrap_or_else(PoisonError::into_inner).push(self);
    }
}

static GRANTS: RwLock<Vec<HttpGrant>> = RwLock::new(Vec::new());

/// Offers all extensions to the plugins of this process.
pub(crate) fn offer() {
    thalweg_extensions::offer();
    thalweg_extensions::http::offer(Engine);
}

struct Engine;

impl Outbound for Engine {
    fn prepare(&self, plugin: &str, asked: Asked) -> Result<Prepared, Failure> {
        let keys = allowed(plugin, &asked.url)?;
        let invalid = |error: http::Error| Failure::new(E_INVALID, error.to_string());
        let mut request = http::Request::new(&asked.method, &asked.url).map_err(invalid)?;
        for (name, value) in &asked.headers {
            if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                return Err(Failure::invalid(format!("the header `{name}` is the engine's own")));
            }
            request = request.header(name, value).map_err(invalid)?;
        }
        if let Some(variable) = &asked.credential {
            let secret = key(variable, &keys, &asked.url, &request)?;
            let place = match asked.credential_header {
                Some(name) => AuthKind::Header { name },
                None => AuthKind::Bearer,
            };
            request = request.auth(&place, &secret).map_err(invalid)?;
        }
        let request = request.body([asked.body]);
        let (client, handle) = match (&*CLIENT, &*THREAD) {
            (Ok(client), Ok(handle)) => (client.clone(), handle.clone()),
            (Err(error), _) => return Err(Failure::new(E_FAILED, error.clone())),
            (_, Err(error)) => return Err(Failure::new(E_FAILED, error.clone())),
        };
        Ok(Box::new(move |receiver, control| drop(handle.spawn(exchange(client, request, receiver, control)))))
    }
}

/// What frames the request: a plugin that wrote it could send two where the engine sees one.
const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "proxy-authorization"];

/// The keys that a plugin was granted for a URL, if it may go there at all.
fn allowed(plugin: &str, url: &str) -> Result<Vec<String>, Failure> {
    let grants = GRANTS.read().unwrap_or_else(PoisonError::into_inner);
    let mut granted =
        grants.iter().filter(|grant| grant.plugin == plugin && is_same_origin(&grant.origin, url)).peekable();
    if granted.peek().is_none() {
        let origin: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let message = format!("it may not ask {origin}; allow it with --allow-http {plugin}={origin}");
        return Err(Failure::new(E_REJECTED, message));
    }
    Ok(granted.flat_map(|grant| grant.keys.clone()).collect())
}

/// The key that a variable holds, if it may go to this URL.
fn key(variable: &str, granted: &[String], url: &str, request: &http::Request) -> Result<Secret, Failure> {
    let rejected = |message: String| Failure::new(E_REJECTED, message);
    let variables = |name: &str| std::env::var(name).ok();
    let is_of_table = || {
        let table = Table::of_user(&variables).ok();
        let rows = table.as_ref().into_iter().flat_map(Table::iter);
        rows.into_iter().any(|row| row.keys.iter().any(|key| key.name == variable) && row.owns(url, &variables))
    };
    if !granted.iter().any(|name| name == variable) && !is_of_table() {
        let host = request.host();
        return Err(rejected(format!("neither the table of providers nor the user lets {variable} go to {host}")));
    }
    if !request.is_https() && !request.is_loopback() {
        return Err(rejected(format!("{} is reached without TLS, so it gets no key", request.host())));
    }
    match variables(variable).map(|value| Secret::new(&value)).filter(|key| !key.is_empty()) {
        Some(key) => Ok(key),
        None => Err(rejected(format!("{variable} is not set"))),
    }
}

static CLIENT: LazyLock<Result<http::Client, String>> =
    LazyLock::new(|| http::Client::new(http::Options::default()).map_err(|error| error.to_string()));

/// A thread of its own: plugins ask from threads without a runtime, and a plugin that is slow holds up no agent.
static THREAD: LazyLock<Result<Handle, String>> = LazyLock::new(|| {
    let (told, started) = mpsc::channel();
    let run = move || match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let _ = told.send(Ok(runtime.handle().clone()));
            runtime.block_on(std::future::pending::<()>());
        }
        Err(error) => drop(told.send(Err(error.to_string()))),
    };
    thread::Builder::new().name("thalweg-plugins".into()).spawn(run).map_err(|error| error.to_string())?;
    started.recv().map_err(|error| error.to_string())?
});

/// One request and its reply, told to the plugin as they come. What the plugin does not take is not read.
async fn exchange(client: http::Client, request: http::Request, mut receiver: Receiver, control: Arc<Control>) {
    let sent = tokio::select! {
        biased;
        () = control.aborted() => None,
        sent = client.send(request) => Some(sent),
    };
    let mut response = match sent {
        Some(Ok(response)) => response,
        Some(Err(error)) => return receiver.end(Err(failure(&error))),
        None => return receiver.end(Err(aborted())),
    };
    control.arm();
    let headers: Vec<(&str, &str)> = response.headers().collect();
    let mut flow = receiver.head(response.status, &headers);
    loop {
        match flow {
            Flow::GoOn => {}
            Flow::Wait => control.resumed().await,
            Flow::Stop => return receiver.end(Err(aborted())),
        }
        let chunk = tokio::select! {
            biased;
            () = control.aborted() => None,
            chunk = response.body.chunk() => Some(chunk),
        };
        flow = match chunk {
            None => return receiver.end(Err(aborted())),
            Some(Ok(None)) => return receiver.end(Ok(())),
            Some(Err(error)) => return receiver.end(Err(failure(&error))),
            Some(Ok(Some(bytes))) => {
                control.arm();
                receiver.body(&bytes)
            }
        };
    }
}

fn aborted() -> Failure {
    Failure::new(E_CANCELLED, "the exchange was aborted")
}

fn failure(error: &http::Error) -> Failure {
    let code = if matches!(error, http::Error::Timeout { .. }) { E_TIMEOUT } else { E_REMOTE };
    Failure { retryable: error.is_retryable(), ..Failure::new(code, error.to_string()) }
}
