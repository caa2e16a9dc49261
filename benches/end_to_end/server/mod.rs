//! The server that all clients ask: its replies are made before they are asked for, so that one core of it outruns any
//! client. What it sends stands in the path of the request, since a base URL is what every client lets one choose.

mod connection;
mod path;
mod replies;
mod tls;

use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use thalweg_end_to_end::measure;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{LocalSet, spawn_local};

pub(crate) use path::{Kind, Wanted};
pub(crate) use replies::Replies;

/// Serves until the process is ended. Prints the two ports, of HTTP and of HTTPS, and writes its certificate to a file.
pub(crate) fn serve(certificate: &Path) {
    measure::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    LocalSet::new().block_on(&runtime, async {
        let acceptor = tls::acceptor(certificate);
        let (plain, secured) = (listen(), listen());
        println!("{} {}", port(&plain), port(&secured));
        std::io::stdout().flush().expect("somebody reads the ports");
        let replies = Rc::new(Replies::default());
        let mut streams = 0;
        loop {
            let (accepted, is_secured) = tokio::select! {
                accepted = plain.accept() => (accepted, false),
                accepted = secured.accept() => (accepted, true),
            };
            let Ok((socket, _)) = accepted else { continue };
            let _ = socket.set_nodelay(true);
            let (replies, acceptor) = (Rc::clone(&replies), acceptor.clone());
            streams += 1;
            let number = streams;
            spawn_local(async move {
                // A client may leave at any moment, and says itself what it missed.
                let _ = if is_secured {
                    match acceptor.accept(socket).await {
                        Ok(socket) => connection::serve(socket, &replies, number).await,
                        Err(error) => Err(error),
                    }
                } else {
                    connection::serve(socket, &replies, number).await
                };
            });
        }
    });
}

fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Enough to keep a client busy, and no more: a thousand streams would fill the memory otherwise.
    socket.set_send_buffer_size(SEND_BYTES).expect("a size that the kernel allows");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free loopback port");
    socket.listen(WAITING_MAX).expect("a loopback port")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it is bound").port()
}

const SEND_BYTES: u32 = 512 << 10;
const WAITING_MAX: u32 = 4096;
