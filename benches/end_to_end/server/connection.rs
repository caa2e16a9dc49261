//! One connection: requests are read, and answered one after the other.

use std::io;
use std::time::Duration;

use memchr::memmem;
use thalweg_end_to_end::measure;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};

use super::path::{Kind, Wanted};
use super::replies::{self, Replies};

/// Serves a connection to its end; `number` is its place among all.
pub(crate) async fn serve<S>(mut socket: S, replies: &Replies, number: u32) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Vec::new();
    while let Some(wanted) = read(&mut socket, &mut request).await? {
        let Some(wanted) = wanted else { return socket.write_all(NOT_FOUND).await };
        match wanted.kind {
            Kind::Chunks | Kind::Batches => reply(&mut socket, replies, wanted).await?,
            Kind::Paced => pace(&mut socket, wanted, number).await?,
            Kind::Turns => {
                // An answer of a tool names its call; in the clients' requests nothing else has this key.
                let results = memmem::find_iter(&request, br#""tool_call_id""#).count();
                socket.write_all(&replies::turn(results, wanted.count)).await?;
            }
            Kind::Hung => std::future::pending::<()>().await,
        }
        socket.flush().await?;
        request.clear();
    }
    Ok(())
}

/// Reads a request, head and body, into `request`. `None` at the end of the connection.
async fn read<S: AsyncRead + Unpin>(socket: &mut S, request: &mut Vec<u8>) -> io::Result<Option<Option<Wanted>>> {
    let end = loop {
        if let Some(end) = memmem::find(request, b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(request).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let len: usize = len.unwrap_or_default();
    while request.len() < end + len {
        if socket.read_buf(request).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head.split(' ').nth(1).and_then(Wanted::read)))
}

async fn reply<S: AsyncWrite + Unpin>(socket: &mut S, replies: &Replies, wanted: Wanted) -> io::Result<()> {
    let script = replies.script(wanted);
    if wanted.count <= WHOLE_DELTAS_MAX {
        let whole = [script.head.as_slice(), &script.block, &script.tail].concat();
        return socket.write_all(&whole).await;
    }
    socket.write_all(&script.head).await?;
    for _ in 0..script.times {
        let mut start = 0;
        for &end in &script.writes {
            socket.write_all(&script.block[start..end]).await?;
            start = end;
        }
    }
    socket.write_all(&script.tail).await
}

async fn pace<S: AsyncWrite + Unpin>(socket: &mut S, wanted: Wanted, number: u32) -> io::Result<()> {
    let (head, mut delta, place) = replies::paced();
    let period = Duration::from_secs(1000) / u32::try_from(wanted.count).unwrap_or(u32::MAX);
    // The streams are spread evenly over the period, however many there are.
    let phase = (f64::from(number) * GOLDEN_RATIO).fract();
    let mut next = Instant::now() + period.mul_f64(phase);
    socket.write_all(&head).await?;
    loop {
        let time = format!("{:0width$}", measure::now_us(), width = replies::TIME_DIGITS);
        delta[place..place + replies::TIME_DIGITS].copy_from_slice(time.as_bytes());
        socket.write_all(&delta).await?;
        socket.flush().await?;
        sleep_until(next).await;
        next += period;
    }
}

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const WHOLE_DELTAS_MAX: usize = 100;
const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
