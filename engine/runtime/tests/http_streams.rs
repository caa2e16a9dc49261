//! Runs over real sockets: what an open stream holds, counted by the allocator, and what is no stream.

use std::time::Duration;

use bytes::Bytes;
use thalweg::http::{Client, Options, Proxy, Request};
use thalweg::provider::Table;
use thalweg::{Agent, Run};
use thalweg_replay::{Exchange, Fault, Options as Play, Recording, Server};
use thalweg_tests::counting::{Counting, live_bytes};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DELTA: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":\
                     [{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\n";

/// A server that says one delta to everybody and then keeps silent.
fn silent() -> Server {
    let recording = Recording::by_hand("openai-chat", vec![Exchange::of_chunks([DELTA, DELTA])]);
    Server::start(vec![recording], Play::in_order().fault(0..100_000, Fault::HangAfter(DELTA.len()))).expect("a port")
}

fn client() -> Client {
    Client::new(Options { proxy: Proxy::Off, ..Options::default() }).expect("a client")
}

fn agent(url: &str, client: &Client) -> Agent {
    let agent = Agent::builder().model("m").base_url(url).link(thalweg_openai::module());
    agent.client(client.clone()).providers(Table::built_in().clone()).build().expect("a complete description")
}

async fn open_run(agent: &Agent) -> Run {
    let run = agent.prompt("go").expect("an idle agent");
    assert_eq!(run.text().next().await.as_deref(), Some("hello"));
    run
}

/// A connection of hyper's, without anything of ours: what is held in any case.
async fn open_hyper(authority: &str) -> (impl Sized, impl Sized) {
    let socket = tokio::net::TcpStream::connect(authority).await.expect("a connection");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = hyper::Request::post("/chat/completions").header("host", authority);
    let request = request.body(whole::Whole(Some(Bytes::from_static(b"{}")))).expect("a request");
    let mut body = sender.send_request(request).await.expect("a reply").into_body();
    let frame = std::future::poll_fn(|cx| hyper::body::Body::poll_frame(std::pin::Pin::new(&mut body), cx)).await;
    assert!(frame.is_some());
    (sender, body)
}

/// A body of one piece.
mod whole {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Body, Bytes, Frame};

    pub(crate) struct Whole(pub(crate) Option<Bytes>);

    impl Body for Whole {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
        }
    }
}

/// How much `count` of what `open` opens hold, each.
async fn held<T>(count: usize, mut open: impl AsyncFnMut() -> T) -> i64 {
    let mut kept = Vec::with_capacity(count);
    // What is made once is no part of it.
    let first = open().await;
    let before = live_bytes();
    for _ in 0..count {
        kept.push(open().await);
    }
    let held = (live_bytes() - before) / count as i64;
    drop((first, kept));
    // Connections end by themselves.
    tokio::time::sleep(Duration::from_millis(50)).await;
    held
}

#[tokio::test]
async fn an_open_stream_holds_little_beyond_its_connection() {
    let server = silent();
    let (url, client) = (server.url(), client());
    let hyper = held(50, async || open_hyper(url.trim_start_matches("http://")).await).await;
    let reply = held(50, async || {
        let request = Request::post(&format!("{url}/chat/completions")).expect("a URL").body(["{}"]);
        let mut reply = client.send(request).await.expect("a reply");
        assert!(reply.body.chunk().await.expect("a chunk").is_some());
        // The head lies in the connection's first read buffer, and would hold it.
        reply.body
    });
    let reply = reply.await;
    let idle = held(50, async || agent(&url, &client)).await;
    let run = held(50, async || {
        let agent = agent(&url, &client);
        let run = open_run(&agent).await;
        (agent, run)
    });
    let run = run.await;
    println!("bytes held: connection of hyper {hyper}, open reply {reply}, idle agent {idle}, open run {run}");
    assert!(reply - hyper < REPLY_BYTES_MAX, "{} bytes beyond the connection", reply - hyper);
    assert!(run - hyper < RUN_BYTES_MAX, "{} bytes beyond the connection", run - hyper);
}

/// Beyond the connection: what the pool and the reply need.
const REPLY_BYTES_MAX: i64 = 4 << 10;
/// Beyond the connection: agent, conversation, codec, log, task.
const RUN_BYTES_MAX: i64 = 22 << 10;

#[tokio::test]
async fn a_reply_that_is_compressed_fails_with_words_on_why() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).expect("a request");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08")
            .expect("sent");
        String::from_utf8_lossy(&buffer[..read]).to_lowercase()
    });
    let agent = agent(&url, &client());
    let outcome = agent.prompt("go").expect("an idle agent").finished().await;
    let error = outcome.error.expect("unreadable").to_string();
    assert!(error.contains("compressed with gzip"), "{error}");
    let head = answering.join().expect("answered");
    assert!(!head.contains("accept-encoding"), "{head}");
}
