//! What can go wrong between a request and the end of its reply. An HTTP status is not an error here.

use std::error::Error as StdError;
use std::io;

use super::client::{HEAD_BYTES_MAX, HEADERS_MAX};

/// Why a request or its reply failed. No message holds a key, a query or a body.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be used.
    #[error("the URL {url} cannot be used: {reason}")]
    InvalidUrl {
        /// The URL without user name, password and query.
        url: String,
        /// What is wrong, and what to write instead.
        reason: &'static str,
    },
    /// A header has characters that HTTP does not allow.
    #[error("the header {name} cannot be sent: it has characters that HTTP does not allow (a line end in a key?)")]
    InvalidHeader {
        /// Name of the header.
        name: String,
    },
    /// The name of the server is not known.
    #[error("cannot find the address of {target}: {reason}; check how the name is spelt, and the network")]
    Resolve {
        /// `host:port`.
        target: String,
        /// What the system says.
        reason: String,
    },
    /// No connection could be made.
    #[error("cannot connect to {target}: {reason}; check the address, and that the server runs")]
    Connect {
        /// `host:port`.
        target: String,
        /// What the system says.
        reason: String,
        /// The system's kind of error.
        kind: io::ErrorKind,
    },
    /// The connection was made but TLS failed on it.
    #[error("TLS with {target} failed: {reason}; for a private certificate authority name its file in SSL_CERT_FILE")]
    Tls {
        /// `host:port`.
        target: String,
        /// What TLS says.
        reason: String,
    },
    /// The file of trusted certificates cannot be used.
    #[error("the certificates in {path} cannot be used: {reason}; check SSL_CERT_FILE and the option ca_files")]
    Roots {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate that the server shall see cannot be used.
    #[error("the client certificate in {path} cannot be used: {reason}; certificates and their key are PEM files")]
    ClientCertificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The proxy refused, or cannot be used.
    #[error("the proxy {proxy} failed on the way to {target}: {reason}; check HTTP_PROXY, HTTPS_PROXY and NO_PROXY")]
    Proxy {
        /// `host:port` of the proxy.
        proxy: String,
        /// `host:port` of the server.
        target: String,
        /// What is wrong.
        reason: String,
    },
    /// A limit on waiting was reached.
    #[error("{target} kept silent for too long: {wait} took more than {after_ms} ms, after {received_bytes} bytes")]
    Timeout {
        /// `host:port`.
        target: String,
        /// What was waited for.
        wait: Wait,
        /// The limit, in milliseconds.
        after_ms: u64,
        /// Bytes of the body that were received before.
        received_bytes: u64,
    },
    /// The other side reset the connection or the stream.
    #[error("{target} reset the connection after {received_bytes} bytes: {reason}")]
    Reset {
        /// `host:port`.
        target: String,
        /// What the connection says.
        reason: String,
        /// Bytes of the body that were received before.
        received_bytes: u64,
    },
    /// The other side closed the connection before the reply was complete.
    #[error("{target} closed the connection after {received_bytes} bytes, before the reply was complete")]
    Incomplete {
        /// `host:port`.
        target: String,
        /// Bytes of the body that were received before.
        received_bytes: u64,
    },
    /// What came back is not HTTP.
    #[error("{target} does not speak HTTP as expected, after {received_bytes} bytes: {reason}; check scheme and port")]
    Protocol {
        /// `host:port`.
        target: String,
        /// What is wrong.
        reason: String,
        /// Bytes of the body that were received before.
        received_bytes: u64,
    },
    /// The head of the reply is larger than any that is taken.
    #[error(
        "{target} sent headers of more than {bytes_max} bytes or {headers_max} lines, which is no reply of a model"
    )]
    HeadTooLarge {
        /// `host:port`.
        target: String,
        /// Bytes of a head that are taken.
        bytes_max: usize,
        /// Headers that are taken.
        headers_max: usize,
    },
    /// A body is larger than the caller allows.
    #[error("the reply is larger than {max} bytes")]
    TooLarge {
        /// Bytes allowed.
        max: usize,
    },
}

/// What a time limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Making the connection, TLS and proxy included.
    Connect,
    /// The first byte of the reply's body, counted from the call.
    FirstByte,
    /// The next chunk of the body.
    Idle,
    /// The whole exchange.
    Total,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstByte => "the first byte",
            Self::Idle => "the next chunk",
            Self::Total => "the whole reply",
        })
    }
}

impl Error {
    /// Bytes of the body that were received before the error.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        match self {
            Self::Timeout { received_bytes, .. }
            | Self::Reset { received_bytes, .. }
            | Self::Incomplete { received_bytes, .. }
            | Self::Protocol { received_bytes, .. } => *received_bytes,
            _ => 0,
        }
    }

    /// Whether the same request may well succeed when sent again, and nothing of a reply was seen yet.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { kind, .. } => {
                !matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied)
            }
            // The network or the resolver may just come up.
            Self::Resolve { .. } => true,
            Self::Timeout { wait, .. } => matches!(wait, Wait::Connect),
            Self::Reset { received_bytes, .. } | Self::Incomplete { received_bytes, .. } => *received_bytes == 0,
            _ => false,
        }
    }

    /// Classifies what hyper and the system report about an open connection.
    pub(super) fn of_exchange(target: &str, received_bytes: u64, error: &(dyn StdError + 'static)) -> Self {
        let target = target.to_owned();
        for cause in chain(error) {
            if let Some(own) = cause.downcast_ref::<Self>() {
                return own.clone();
            }
            if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
                if hyper.is_incomplete_message() {
                    return Self::Incomplete { target, received_bytes };
                }
                // hyper has a question for this, but only in servers.
                if hyper.is_parse() && hyper.to_string().contains("too large") {
                    return Self::HeadTooLarge { target, bytes_max: HEAD_BYTES_MAX, headers_max: HEADERS_MAX };
                }
                if hyper.is_parse() {
                    return Self::Protocol { target, reason: innermost(error), received_bytes };
                }
            }
            if let Some(system) = cause.downcast_ref::<io::Error>() {
                use io::ErrorKind as Kind;
                match system.kind() {
                    Kind::UnexpectedEof => return Self::Incomplete { target, received_bytes },
                    Kind::InvalidData | Kind::InvalidInput => {
                        return Self::Protocol { target, reason: innermost(error), received_bytes };
                    }
                    _ => {}
                }
            }
        }
        Self::Reset { target, reason: innermost(error), received_bytes }
    }
}

/// An error and all that caused it.
pub(super) fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next.take()?;
        // `io::Error::source` leaves out the error that it wraps, which is the one that tells.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
        Some(error)
    })
}

/// The words of the first cause.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
