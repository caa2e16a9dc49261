//! Connections that were made before anybody asked for them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::stream::Stream;

/// Connections, each with the time until when it is kept.
type ByServer = HashMap<String, Vec<(Instant, TokioIo<Stream>)>>;

/// Open connections that no request has used yet, by server.
#[derive(Debug, Default)]
pub(super) struct Spares {
    by_server: Mutex<ByServer>,
}

impl Spares {
    /// Keeps a connection for `age`; when it is not taken until then, [`Spares::drop_old`] closes it.
    pub(super) fn keep(&self, uri: &Uri, stream: TokioIo<Stream>, age: Duration) {
        self.change(|spares| spares.entry(server(uri)).or_default().push((Instant::now() + age, stream)));
    }

    /// A connection to that server, the newest one.
    pub(super) fn take(&self, uri: &Uri) -> Option<TokioIo<Stream>> {
        self.change(|spares| {
            // The common case costs no memory: nobody warms up on most servers.
            if spares.is_empty() { None } else { spares.get_mut(&server(uri))?.pop().map(|(_, stream)| stream) }
        })
    }

    /// Number of connections that are kept for that server.
    pub(super) fn count(&self, uri: &Uri) -> usize {
        self.change(|spares| spares.get(&server(uri)).map_or(0, Vec::len))
    }

    /// Closes what is kept for too long.
    pub(super) fn drop_old(&self) {
        self.change(|_| ());
    }

    fn change<T>(&self, change: impl FnOnce(&mut ByServer) -> T) -> T {
        // Every change leaves the map whole.
        let mut spares = self.by_server.lock().unwrap_or_else(PoisonError::into_inner);
        if !spares.is_empty() {
            let now = Instant::now();
            spares.retain(|_, kept| {
                kept.retain(|(until, _)| now < *until);
                !kept.is_empty()
            });
        }
        change(&mut spares)
    }
}

fn server(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), super::request::target(uri))
}
