//! Names to addresses, on a thread of their own.
//!
//! The system resolves, so its hosts file, search domains and caches hold; it may take seconds, so it does that on a
//! thread for blocking work. It does not say how long an answer is good for. We keep one for [`KEPT`] and ask once however
//! many wait: ten thousand streams that open together ask for one name once, and a server that moves is found soon. A
//! failure is not kept.

use std::collections::HashMap;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{fmt, io, vec};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::OnceCell;
use tower_service::Service;

/// How long an answer is used again.
const KEPT: Duration = Duration::from_secs(10);
/// Names whose answers are kept at most.
const NAMES_MAX: usize = 256;

/// Finds addresses, and shares what it finds with its clones.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver {
    lookups: Arc<Mutex<HashMap<Box<str>, Lookup>>>,
}

#[derive(Clone, Debug)]
struct Lookup {
    begun: Instant,
    answer: Arc<OnceCell<Vec<SocketAddr>>>,
}

/// A name that could not be resolved: what the system says about it.
#[derive(Debug)]
pub(super) struct Unresolved(pub(super) String);

impl Resolver {
    /// The addresses of `host`, with port 0.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, Unresolved> {
        let answer = self.lookup(host).answer;
        let asking = || async {
            let host = host.to_owned();
            // Not ended when nobody waits any more: the next one who asks finds the thread busy, not the answer wrong.
            let asked = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs().map(Vec::from_iter));
            let addresses: io::Result<Vec<SocketAddr>> = asked.await.map_err(io::Error::other)?;
            match addresses {
                Ok(addresses) if addresses.is_empty() => Err(io::Error::other("it has no address")),
                other => other,
            }
        };
        answer.get_or_try_init(asking).await.cloned().map_err(|error| Unresolved(error.to_string()))
    }

    fn lookup(&self, host: &str) -> Lookup {
        // Every change leaves the map whole.
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(lookup) = lookups.get(host).filter(|lookup| now < lookup.begun + KEPT) {
            return lookup.clone();
        }
        if lookups.len() >= NAMES_MAX {
            lookups.retain(|_, lookup| now < lookup.begun + KEPT);
        }
        if lookups.len() >= NAMES_MAX {
            lookups.clear();
        }
        let lookup = Lookup { begun: now, answer: Arc::default() };
        lookups.insert(host.into(), lookup.clone());
        lookup
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { resolver.addresses(name.as_str()).await.map(Vec::into_iter) })
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_shared_and_a_failure_is_not_kept() {
        let resolver = Resolver::default();
        let found = resolver.addresses("localhost").await.expect("an address");
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 0), "{found:?}");
        let shared = resolver.clone().lookup("localhost").answer;
        assert_eq!(shared.get(), Some(&found));
        for _ in 0..2 {
            resolver.addresses("no-such-host.invalid").await.expect_err("no such host");
            assert!(resolver.lookup("no-such-host.invalid").answer.get().is_none());
        }
    }

    #[tokio::test]
    async fn answers_are_kept_for_a_bounded_number_of_names() {
        let resolver = Resolver::default();
        for index in 0..3 * NAMES_MAX {
            resolver.lookup(&format!("host-{index}"));
        }
        assert!(resolver.lookups.lock().expect("whole").len() <= NAMES_MAX);
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_for_again() {
        let resolver = Resolver::default();
        resolver.addresses("localhost").await.expect("an address");
        resolver.lookups.lock().expect("whole").values_mut().for_each(|lookup| lookup.begun -= KEPT);
        assert!(resolver.lookup("localhost").answer.get().is_none());
    }
}
