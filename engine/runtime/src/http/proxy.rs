//! Whether a request goes through a proxy.

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::error::Error;
use super::request::is_loopback;

/// Which proxy a client uses. This machine itself is always reached directly.
#[derive(Clone, Default)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say when the client is made.
    #[default]
    Environment,
    /// None.
    Off,
    /// This one for everything: `http://[user:password@]host:port` or `socks5://…`.
    Url(String),
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Off => "Off",
            // A proxy's URL may have a password in it.
            Self::Url(_) => "Url(redacted)",
        })
    }
}

/// The rules, read once.
#[derive(Debug)]
pub(super) struct Rules(Option<Matcher>);

impl Rules {
    pub(super) fn new(proxy: &Proxy) -> Result<Self, Error> {
        Ok(Self(match proxy {
            Proxy::Environment => Some(Matcher::from_env()),
            Proxy::Off => None,
            Proxy::Url(url) => {
                let matcher = Matcher::builder().all(url.as_str()).build();
                if matcher.intercept(&Uri::from_static("http://example.invalid/")).is_none() {
                    return Err(Error::Proxy {
                        proxy: "given in the options".into(),
                        target: "any server".into(),
                        reason: "its URL is not like http://host:port or socks5://host:port".into(),
                    });
                }
                Some(matcher)
            }
        }))
    }

    /// The proxy for a server, if there is one.
    pub(super) fn for_server(&self, uri: &Uri) -> Option<Intercept> {
        if is_loopback(uri) { None } else { self.0.as_ref()?.intercept(uri) }
    }
}
