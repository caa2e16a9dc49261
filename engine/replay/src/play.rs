//! Plays one reply on one connection.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::http1::{self, LAST_CHUNK, Socket};
use crate::options::{Fault, Pace};
use crate::recording::{End, Exchange};

/// What became of a connection after a reply.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The reply was played to its end and the connection may serve another request.
    Open(Socket),
    /// The connection is closed, by us or by the client.
    Closed,
}

/// Plays `exchange`, which was asked for at `asked`, at `pace` and with `fault`.
pub(crate) async fn exchange(
    socket: Socket,
    exchange: &Exchange,
    keep_alive: bool,
    asked: Instant,
    pace: Pace,
    fault: Option<&Fault>,
) -> Outcome {
    let (bytes_max, end) = match fault {
        Some(Fault::CutAfter(bytes)) => (*bytes, End::Cut),
        Some(Fault::ResetAfter(bytes)) => (*bytes, End::Reset),
        Some(Fault::HangAfter(bytes)) => (*bytes, End::Hang),
        _ => (usize::MAX, exchange.end),
    };
    let written = {
        let play = write(&socket, exchange, keep_alive, asked, pace, bytes_max, end);
        tokio::select! {
            biased;
            written = play => written.is_ok(),
            () = socket.gone() => false,
        }
    };
    if !written {
        return Outcome::Closed;
    }
    finish(socket, end, keep_alive).await
}

/// Answers with a whole body, at once.
pub(crate) async fn answer(
    socket: Socket,
    status: u16,
    headers: &[(String, String)],
    body: &str,
    keep_alive: bool,
) -> Outcome {
    let mut out = http1::head(status, headers, keep_alive);
    http1::push_chunk(&mut out, body.as_bytes());
    out.extend_from_slice(LAST_CHUNK);
    if socket.write(&out).await.is_err() {
        return Outcome::Closed;
    }
    finish(socket, End::Close, keep_alive).await
}

/// Ends a connection, or hands it back for the next request.
pub(crate) async fn finish(socket: Socket, end: End, keep_alive: bool) -> Outcome {
    match end {
        End::Close if keep_alive => return Outcome::Open(socket),
        End::Close | End::Cut => {}
        End::Reset => {
            // A reset throws away what the sender still holds, so what was written gets time to leave.
            tokio::time::sleep(BEFORE_RESET).await;
            socket.reset();
        }
        End::Hang => socket.gone().await,
    }
    Outcome::Closed
}

async fn write(
    socket: &Socket,
    exchange: &Exchange,
    keep_alive: bool,
    asked: Instant,
    pace: Pace,
    bytes_max: usize,
    end: End,
) -> std::io::Result<()> {
    let due = |at_us: u64| match pace {
        Pace::Max => None,
        Pace::Recorded => Some(asked + Duration::from_micros(at_us)),
        Pace::Factor(factor) if factor > 0.0 => {
            Some(asked + Duration::try_from_secs_f64(at_us as f64 / 1e6 / factor).unwrap_or(GAP_MAX).min(GAP_MAX))
        }
        Pace::Factor(_) => None,
    };
    let mut out = http1::head(exchange.response.status, &exchange.response.headers, keep_alive);
    if let Some(due) = due(exchange.response.at_us) {
        sleep_until(due).await;
    }
    let mut left = bytes_max;
    for chunk in &exchange.chunks {
        if left == 0 {
            break;
        }
        if let Some(due) = due(chunk.at_us)
            && due > Instant::now()
        {
            socket.write(&out).await?;
            out.clear();
            sleep_until(due).await;
        }
        let bytes = &chunk.bytes[..chunk.bytes.len().min(left)];
        left -= bytes.len();
        http1::push_chunk(&mut out, bytes);
        // Chunks that are due together share a write, but each stays an HTTP chunk of its own.
        if out.len() >= WRITE_BYTES {
            socket.write(&out).await?;
            out.clear();
        }
    }
    if end == End::Close {
        out.extend_from_slice(LAST_CHUNK);
    }
    socket.write(&out).await
}

const WRITE_BYTES: usize = 64 << 10;
const BEFORE_RESET: Duration = Duration::from_millis(20);
const GAP_MAX: Duration = Duration::from_secs(24 * 3600);
