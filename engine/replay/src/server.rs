//! A real HTTP server on a loopback port that plays recordings.
//!
//! It runs on a thread of its own, so it serves programs with and without an async runtime, and what it costs is not
//! counted to theirs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::http1::{ReadError, Request, Socket};
use crate::matching;
use crate::options::{Fault, Matching, Options};
use crate::play::{self, Outcome};
use crate::recording::{End, Exchange, Recording};

/// A running server. It stops, and closes every connection, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that the server got.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Index of its connection in [`Server::connections`].
    pub connection: usize,
    /// The request as it was read.
    pub request: Request,
    /// When it was read whole.
    pub at: Instant,
}

/// A connection that the server accepted.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// When it was accepted.
    pub opened: Instant,
    /// When the server saw its end, whoever closed it.
    pub closed: Option<Instant>,
}

impl Server {
    /// Starts a server on 127.0.0.1 that plays `recordings`.
    ///
    /// # Errors
    /// When the port is taken, or no thread can be had.
    pub fn start(recordings: Vec<Recording>, options: Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { recordings, options, seen: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let accepting = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("thalweg-replay".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, accepting) => {}
                }
            });
            // Dropping the runtime drops every connection.
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Captured> {
        self.shared.seen().requests.clone()
    }

    /// Every connection so far, in order.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.seen().connections.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The thread may have ended already; then nobody listens, and that is fine.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    recordings: Vec<Recording>,
    options: Options,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Captured>,
    connections: Vec<Connection>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Only lists are kept under the lock, and a push leaves them whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_order(&self, number: usize) -> Option<&Exchange> {
        let mut exchanges = self.recordings.iter().flat_map(|recording| &recording.exchanges);
        let count = exchanges.clone().count();
        exchanges.nth(number.min(count.saturating_sub(1)))
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = {
                    let mut seen = shared.seen();
                    seen.connections.push(Connection { opened: Instant::now(), closed: None });
                    seen.connections.len() - 1
                };
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, connection, &shared).await;
                    shared.seen().connections[connection].closed = Some(Instant::now());
                });
            }
            // Out of file descriptors, most likely: others may close theirs meanwhile.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

async fn serve(stream: TcpStream, connection: usize, shared: &Shared) {
    let Ok(mut socket) = Socket::new(stream) else { return };
    loop {
        let request = match socket.read_request().await {
            Ok(Some(request)) => request,
            Ok(None) | Err(ReadError::Io(_)) => return,
            Err(error) => {
                play::answer(socket, 400, &[], &error.to_string(), false).await;
                return;
            }
        };
        let number = {
            let mut seen = shared.seen();
            seen.requests.push(Captured { connection, request: request.clone(), at: Instant::now() });
            seen.requests.len() - 1
        };
        match reply(socket, &request, number, shared).await {
            Outcome::Open(open) => socket = open,
            Outcome::Closed => return,
        }
    }
}

async fn reply(socket: Socket, request: &Request, number: usize, shared: &Shared) -> Outcome {
    let asked = tokio::time::Instant::now();
    let keep_alive = request.keep_alive;
    let fault = shared.options.fault_of(number);
    match fault {
        Some(Fault::NoAnswer) => return play::finish(socket, End::Hang, keep_alive).await,
        Some(Fault::CloseBeforeAnswer) => return play::finish(socket, End::Cut, keep_alive).await,
        Some(Fault::ResetBeforeAnswer) => return play::finish(socket, End::Reset, keep_alive).await,
        Some(Fault::Answer { status, headers, body }) => {
            return play::answer(socket, *status, headers, body, keep_alive).await;
        }
        _ => {}
    }
    let found = match shared.options.matching {
        Matching::Conversation => matching::find(&shared.recordings, &request.target, &request.body),
        Matching::InOrder => shared.in_order(number).ok_or_else(matching::Refusal::nothing_recorded),
    };
    match found {
        Ok(exchange) => play::exchange(socket, exchange, keep_alive, asked, shared.options.pace, fault).await,
        Err(refusal) => {
            let headers = [("content-type".to_owned(), "application/json".to_owned())];
            play::answer(socket, refusal.status, &headers, &refusal.body, keep_alive).await
        }
    }
}
