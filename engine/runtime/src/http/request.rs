//! A request: where to, headers, and a body in pieces that are never joined.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

use super::error::Error;
use super::secret::{AuthKind, Secret};

/// A request. Cloning it copies no body.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<Bytes>,
}

impl Request {
    /// A GET of `url`, which begins with `http://` or `https://`.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`].
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new("GET", url)
    }

    /// A POST to `url`.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`].
    pub fn post(url: &str) -> Result<Self, Error> {
        Self::new("POST", url)
    }

    /// A request with any method.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`], also when the method is not one.
    pub fn new(method: &str, url: &str) -> Result<Self, Error> {
        let uri = parse(url)?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::InvalidUrl { url: redacted(url), reason: "its method is not one of HTTP" })?;
        Ok(Self { method, uri, headers: HeaderMap::new(), body: Vec::new() })
    }

    /// Sets a header.
    ///
    /// # Errors
    /// [`Error::InvalidHeader`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        self.insert(name, value, false)?;
        Ok(self)
    }

    /// Puts the key where `kind` says. An empty key is not sent.
    ///
    /// # Errors
    /// [`Error::InvalidHeader`] when the key has characters that a header cannot hold.
    pub fn auth(mut self, kind: &AuthKind, key: &Secret) -> Result<Self, Error> {
        match kind {
            _ if key.is_empty() => {}
            AuthKind::None => {}
            AuthKind::Bearer => self.insert(AUTHORIZATION.as_str(), &format!("Bearer {}", key.expose()), true)?,
            AuthKind::Header { name } => self.insert(name, key.expose(), true)?,
            AuthKind::Query { name } => self.uri = with_parameter(&self.uri, name, key.expose())?,
        }
        Ok(self)
    }

    /// Sets a header that is never shown.
    pub(crate) fn secret_header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        self.insert(name, value, true)?;
        Ok(self)
    }

    /// What of the request is signed.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let headers = self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        Parts {
            method: self.method.as_str(),
            host: host_header(&self.uri),
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            headers: headers.collect(),
            body: &self.body,
        }
    }

    /// The host without its port.
    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.uri)
    }

    /// Sets the body, which is the pieces one after the other.
    #[must_use]
    pub fn body<T: Into<Bytes>>(mut self, pieces: impl IntoIterator<Item = T>) -> Self {
        self.body = pieces.into_iter().map(Into::into).filter(|piece| !piece.is_empty()).collect();
        self
    }

    fn insert(&mut self, name: &str, value: &str, sensitive: bool) -> Result<(), Error> {
        let invalid = || Error::InvalidHeader { name: name.escape_default().to_string() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        let words = ["authorization", "cookie", "key", "token", "secret"];
        value.set_sensitive(sensitive || words.iter().any(|word| key.as_str().contains(word)));
        self.headers.insert(key, value);
        Ok(())
    }

    /// `host:port`, for messages.
    pub(super) fn target(&self) -> String {
        target(&self.uri)
    }
}

/// The parts of a request over which a signature goes.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// As in `POST`.
    pub method: &'a str,
    /// As the header `host` has it.
    pub host: &'a str,
    /// As it goes out.
    pub path: &'a str,
    /// As it goes out; empty when there is none.
    pub query: &'a str,
    /// All headers that are text.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body in pieces.
    pub body: &'a [Bytes],
}

/// The host of a URL as it is sent: with a port only where it is not the scheme's own.
fn host_header(uri: &Uri) -> &str {
    let own = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    match uri.authority() {
        Some(authority) if authority.port_u16().is_none_or(|port| port == own) => authority.host(),
        Some(authority) => authority.as_str(),
        None => "",
    }
}

/// The URL with one more parameter.
fn with_parameter(uri: &Uri, name: &str, value: &str) -> Result<Uri, Error> {
    let mut url = uri.to_string();
    url.push(if uri.query().is_some() { '&' } else { '?' });
    for (text, end) in [(name, "="), (value, "")] {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(byte.into()),
                byte => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url.push_str(end);
    }
    parse(&url)
}

/// Without the query, the values of headers that carry keys, and the body.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redacted(&self.uri.to_string()))
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.iter().map(Bytes::len).sum::<usize>())
            .finish()
    }
}

/// `base` with `path` (which begins with a slash) below it; a query of `base` stays at the end.
#[must_use]
pub fn join_url(base: &str, path: &str) -> String {
    let (base, query) = base.split_once('?').map_or((base, None), |(base, query)| (base, Some(query)));
    let mut url = format!("{}{path}", base.trim_end_matches('/'));
    if let Some(query) = query {
        url.push(if path.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback_url(url: &str) -> bool {
    url.parse().is_ok_and(|uri| is_loopback(&uri))
}

/// `host:port` of a URL.
pub(super) fn target(uri: &Uri) -> String {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    format!("{}:{port}", uri.host().unwrap_or_default())
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn parse(url: &str) -> Result<Uri, Error> {
    let invalid = |reason| Error::InvalidUrl { url: redacted(url), reason };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(invalid("it must begin with http:// or https://"));
    }
    let uri: Uri = url.parse().map_err(|_| {
        invalid("it has characters that a URL does not allow; write them as %XX, and a host as punycode")
    })?;
    let Some(authority) = uri.authority() else { return Err(invalid("it names no host")) };
    if authority.as_str().contains('@') {
        return Err(invalid("it has a user name or password in it; give the key apart from the URL"));
    }
    if authority.host().is_empty() {
        return Err(invalid("it names no host"));
    }
    let port = &authority.as_str()[authority.host().len()..];
    if !port.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(invalid("its port is not a number from 1 to 65535"));
    }
    Ok(uri)
}

/// A URL without what may be secret: user name, password, query, fragment.
fn redacted(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (scheme, rest) = url[..end].split_once("://").unwrap_or(("", &url[..end]));
    let path = rest.find('/').unwrap_or(rest.len());
    let host = rest[..path].rsplit('@').next().unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{}", &rest[path..]).escape_debug().to_string()
}

/// The pieces of a body as hyper takes them.
#[derive(Debug)]
pub(super) struct Pieces {
    left: VecDeque<Bytes>,
    bytes: u64,
}

impl Pieces {
    pub(super) fn new(pieces: Vec<Bytes>) -> Self {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { left: pieces.into(), bytes }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.left.pop_front();
        self.bytes -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_a_message_shows_no_password_and_no_query() {
        for (url, shown) in [
            ("https://user:pass@host/v1?key=sk-1", "https://host/v1"),
            ("ftp://user:pass@host:1/x#frag", "ftp://host:1/x"),
            ("user:pass@host", "host"),
            ("https://a@b@c/p@q", "https://c/p@q"),
            ("", ""),
        ] {
            assert_eq!(redacted(url), shown);
        }
        let error = Request::get("https://me:hunter2@host/?k=hunter2").expect_err("userinfo").to_string();
        assert!(error.contains("https://host/") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_urls_with_scheme_and_host_are_taken() {
        for url in
            ["localhost:11434", "ftp://x", "http://", "http:///x", "http://h:99999/", "http://h:/", "http://a b/"]
        {
            assert!(matches!(Request::get(url), Err(Error::InvalidUrl { .. })), "{url}");
        }
        assert_eq!(Request::get("HTTPS://h/x").expect("a URL").target(), "h:443");
        assert_eq!(Request::get("http://[::1]:8080").expect("a URL").target(), "[::1]:8080");
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for (url, loopback) in [
            ("http://localhost/", true),
            ("http://127.0.0.2:1/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
        ] {
            assert_eq!(is_loopback(&url.parse().expect("a URL")), loopback, "{url}");
        }
    }

    #[test]
    fn a_path_goes_below_the_base_and_before_its_query() {
        assert_eq!(join_url("http://h/v1/", "/x"), "http://h/v1/x");
        assert_eq!(join_url("http://h/v1?api-version=2", "/x"), "http://h/v1/x?api-version=2");
        assert_eq!(join_url("http://h?a=1", "/x?b=2"), "http://h/x?b=2&a=1");
    }

    #[test]
    fn a_key_in_the_address_is_encoded_and_not_shown() {
        let kind = AuthKind::Query { name: "key".into() };
        for (url, expected) in
            [("http://h/x", "http://h/x?key=a%2Bb%26c"), ("http://h/x?alt=sse", "http://h/x?alt=sse&key=a%2Bb%26c")]
        {
            let request = Request::get(url).expect("a URL").auth(&kind, &Secret::new("a+b&c")).expect("a key");
            assert_eq!(request.uri.to_string(), expected);
            assert!(!format!("{request:?}").contains("a%2B"));
        }
    }

    #[test]
    fn the_parts_that_are_signed_are_those_that_are_sent() {
        let request = Request::post("https://h:443/a%3Ab?x=1").expect("a URL").header("X-A", "1").expect("a header");
        let request = request.body(["ab", "", "c"]);
        let parts = request.parts();
        assert_eq!((parts.method, parts.host, parts.path, parts.query), ("POST", "h", "/a%3Ab", "x=1"));
        assert_eq!((parts.headers.as_slice(), parts.body.concat().as_slice()), (&[("x-a", "1")][..], &b"abc"[..]));
        assert_eq!(Request::get("http://h:443/").expect("a URL").parts().host, "h:443");
    }

    #[test]
    fn a_key_is_not_shown_by_the_request_that_carries_it() {
        let key = Secret::new(" sk-hidden\n");
        let request = Request::get("http://h/").expect("a URL");
        for kind in [AuthKind::Bearer, AuthKind::Header { name: "x-api-key".into() }] {
            let request = request.clone().auth(&kind, &key).expect("a key");
            assert!(!format!("{request:?} {key:?} {key}").contains("sk-hidden"));
        }
        let error = request.auth(&AuthKind::Bearer, &Secret::new("sk-hid\nden")).expect_err("a line end").to_string();
        assert!(!error.contains("sk-hid"), "{error}");
    }
}
