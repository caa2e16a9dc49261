//! The HTTP client: requests out, chunks of the reply in.
//!
//! Nothing here knows a dialect. A [`Client`] keeps connections open between requests, follows no redirect (a key must
//! not travel to where nobody sent it), decompresses nothing and never cuts a healthy stream: each wait has a limit of
//! its own, see [`Options`]. Dropping a [`Response`] closes its socket, or on HTTP/2 resets its stream.
//!
//! ```no_run
//! # async fn example() -> Result<(), thalweg::http::Error> {
//! use thalweg::http::{AuthKind, Client, Options, Request, Retry, Secret};
//!
//! let client = Client::new(Options::default())?;
//! let request = Request::post("https://api.example.com/v1/chat/completions")?
//!     .header("content-type", "application/json")?
//!     .auth(&AuthKind::Bearer, &Secret::new("the key"))?
//!     .body(["{\"messages\":[", "{\"role\":\"user\",\"content\":\"hi\"}", "]}"]);
//! let mut response = client.send_with_retries(request, &Retry::default(), &mut |_| ()).await?;
//! while let Some(chunk) = response.body.chunk().await? {
//!     println!("{} bytes", chunk.len());
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!("thalweg needs one of the features `ring` (default) and `aws-lc-rs` for TLS");

mod body;
mod client;
mod clock;
mod connection;
mod connector;
mod error;
mod proxy;
mod request;
mod resolver;
mod retry;
mod secret;
mod spare;
mod stream;
mod tls;

pub use body::{Body, Response};
pub use client::{Client, Options};
pub use error::{Error, Wait};
pub use proxy::Proxy;
pub(crate) use request::is_loopback_url;
pub use request::{Parts, Request, join_url};
pub use retry::{Retry, RetryNotice};
pub use secret::{AuthKind, Secret};
pub(crate) use tls::provider as crypto;
pub use tls::{ClientCertificate, Roots};
