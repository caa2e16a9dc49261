//! A server whose model decides how it answers: `hang` (a head and one event, then silence), `endless` (as much as the socket
//! takes), `words-N` (so many words, then the end).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thalweg::{Agent, AgentBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Server {
    port: u16,
    /// Bytes that the sockets took.
    sent: Arc<AtomicUsize>,
    /// Requests whose head was answered.
    answered: Arc<AtomicUsize>,
}

impl Server {
    /// Serves on a thread of its own, so that it does not take turns with what is tested.
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (sent, answered) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counters = (Arc::clone(&sent), Arc::clone(&answered));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    let (sent, answered) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
                    // The client may go away at any time.
                    tokio::spawn(async move { drop(serve(socket, &sent, &answered).await) });
                }
            });
        });
        Self { port, sent, answered }
    }

    /// An agent whose model is `model`.
    pub(crate) fn agent(&self, model: &str) -> AgentBuilder {
        let url = format!("http://127.0.0.1:{}", self.port);
        Agent::builder().model(model).base_url(url).link(thalweg_openai::module())
    }

    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

async fn serve(mut socket: TcpStream, sent: &AtomicUsize, answered: &AtomicUsize) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut request = Vec::new();
    loop {
        let Some(model) = read_request(&mut socket, &mut request).await? else { return Ok(()) };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await?;
        answered.fetch_add(1, Ordering::Relaxed);
        let event = event(r#"{"content":"word "}"#, "null");
        let chunk = |events: &[u8]| {
            sent.fetch_add(events.len(), Ordering::Relaxed);
            [format!("{:x}\r\n", events.len()).as_bytes(), events, b"\r\n"].concat()
        };
        if model == "hang" {
            socket.write_all(&chunk(event.as_bytes())).await?;
            return std::future::pending().await;
        }
        let words = model.strip_prefix("words-").map(|words| words.parse::<usize>().unwrap());
        let mut left = words.unwrap_or(usize::MAX);
        while left > 0 {
            let now = left.min(64);
            left -= now;
            socket.write_all(&chunk(event.repeat(now).as_bytes())).await?;
        }
        let end = self::event("{}", "\"stop\"") + "data: [DONE]\n\n";
        socket.write_all(&chunk(end.as_bytes())).await?;
        socket.write_all(b"0\r\n\r\n").await?;
    }
}

fn event(delta: &str, finish: &str) -> String {
    let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#);
    format!("data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n")
}

/// The model that the next request asks for; `None` when the connection ends.
async fn read_request(socket: &mut TcpStream, request: &mut Vec<u8>) -> std::io::Result<Option<String>> {
    loop {
        if let Some((model, end)) = parse(&String::from_utf8_lossy(request)) {
            request.drain(..end);
            return Ok(Some(model));
        }
        if socket.read_buf(request).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse(request: &str) -> Option<(String, usize)> {
    let body_at = request.find("\r\n\r\n")? + 4;
    let length = request[..body_at].to_lowercase();
    let length = length.split("content-length: ").nth(1)?.lines().next()?.trim().parse::<usize>().ok()?;
    let body = request.get(body_at..body_at + length)?;
    let model = body.split("\"model\":\"").nth(1)?.split('"').next()?;
    Some((model.to_owned(), body_at + length))
}
