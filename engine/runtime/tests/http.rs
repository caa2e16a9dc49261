//! The HTTP client against a real server on a loopback port.

use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg::http::{AuthKind, Client, Error, Options, Proxy, Request, Response, Retry, Secret, Wait};
use thalweg_replay::{Exchange, Fault, Options as Play, Pace, Recording, Server, builtin};

const KEY: &str = "sk-test-0123456789";

fn client() -> Client {
    client_with(|_| ())
}

fn client_with(change: impl FnOnce(&mut Options)) -> Client {
    let mut options = Options { proxy: Proxy::Off, ..Options::default() };
    change(&mut options);
    Client::new(options).expect("a client")
}

fn recording(exchange: Exchange) -> Vec<Recording> {
    let mut recording = builtin().remove(0);
    recording.exchanges = vec![exchange];
    vec![recording]
}

/// A server that answers everything with these chunks.
fn server(pieces: &[&str], options: Play) -> Server {
    Server::start(recording(Exchange::of_chunks(pieces.iter().copied())), options).expect("a server")
}

fn get(server: &Server) -> Request {
    Request::get(&server.url()).expect("a URL")
}

/// The chunks until the end or an error.
async fn read(mut response: Response) -> (Vec<Bytes>, Option<Error>) {
    let mut chunks = Vec::new();
    loop {
        match response.body.chunk().await {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => return (chunks, None),
            Err(error) => return (chunks, Some(error)),
        }
    }
}

/// Waits until the server has seen the end of its connection `index`.
async fn closed(server: &Server, index: usize) -> Instant {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(closed) = server.connections().get(index).and_then(|connection| connection.closed) {
            return closed;
        }
        assert!(Instant::now() < until, "connection {index} was not closed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_reply_arrives_chunk_by_chunk_with_status_and_headers() {
    let server = server(&["one", "two", "three"], Play::in_order());
    let response = client().send(get(&server)).await.expect("a reply");
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/event-stream")));
    let (chunks, error) = read(response).await;
    assert_eq!(chunks, ["one", "two", "three"]);
    assert!(error.is_none());
}

#[tokio::test]
async fn a_body_in_pieces_arrives_whole_with_its_length_and_headers() {
    let server = server(&["ok"], Play::in_order());
    let request = Request::post(&format!("{}/v1/x?a=1", server.url()))
        .and_then(|request| request.header("content-type", "application/json"))
        .and_then(|request| request.auth(&AuthKind::Bearer, &Secret::new(KEY)))
        .expect("a request")
        .body(["{\"messages\":[", "", "1", ",", "2", "]}"]);
    client().send(request).await.expect("a reply");
    let seen = &server.requests()[0].request;
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/x?a=1"));
    assert_eq!(seen.body, b"{\"messages\":[1,2]}");
    assert_eq!(seen.header("content-length"), Some("18"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(seen.header("user-agent").is_some_and(|agent| agent.starts_with("thalweg/")));
}

#[tokio::test]
async fn a_key_goes_into_the_header_that_the_provider_wants() {
    let server = server(&["ok"], Play::in_order());
    let kind: AuthKind = serde_json::from_str(r#"{"kind":"header","name":"x-api-key"}"#).expect("a kind");
    let request = get(&server).auth(&kind, &Secret::new(&format!("{KEY}\n"))).expect("a key");
    client().send(request).await.expect("a reply");
    let seen = &server.requests()[0].request;
    assert_eq!((seen.header("x-api-key"), seen.header("authorization")), (Some(KEY), None));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_reply() {
    let server = server(&["a", "b"], Play::in_order());
    let client = client();
    for _ in 0..5 {
        let response = client.send(get(&server)).await.expect("a reply");
        assert!(read(response).await.1.is_none());
    }
    assert_eq!((server.requests().len(), server.connections().len()), (5, 1));
}

#[tokio::test]
async fn an_unused_connection_is_closed_before_a_small_server_would_close_it() {
    let server = server(&["a"], Play::in_order());
    let client = client_with(|options| options.pool_idle_plain = Duration::from_millis(30));
    let response = client.send(get(&server)).await.expect("a reply");
    read(response).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let response = client.send(get(&server)).await.expect("a reply");
    read(response).await;
    assert_eq!(server.connections().len(), 2);
}

#[tokio::test]
async fn a_request_on_a_kept_connection_that_is_dead_is_sent_once_more() {
    let server = server(&["a"], Play::in_order().fault(1..2, Fault::ResetBeforeAnswer));
    let client = client();
    for _ in 0..2 {
        let response = client.send(get(&server)).await.expect("a reply");
        assert!(read(response).await.1.is_none());
    }
    assert_eq!(server.requests().len(), 3, "the second one twice");
}

#[tokio::test]
async fn a_reset_on_a_fresh_connection_is_an_error_at_once() {
    let server = server(&["a"], Play::in_order().fault(0..9, Fault::ResetBeforeAnswer));
    let error = client().send(get(&server)).await.expect_err("no reply");
    assert!(matches!(error, Error::Reset { received_bytes: 0, .. } | Error::Incomplete { received_bytes: 0, .. }));
    assert!(error.is_retryable());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_what_to_check() {
    let url = server(&["a"], Play::in_order()).url();
    let error = client().send(Request::get(&url).expect("a URL")).await.expect_err("refused");
    let text = error.to_string();
    assert!(matches!(error, Error::Connect { kind: std::io::ErrorKind::ConnectionRefused, .. }), "{error:?}");
    assert!(text.starts_with(&format!("cannot connect to {}: ", url.trim_start_matches("http://"))), "{text}");
    assert!(text.contains("refused") && text.ends_with("that the server runs"), "{text}");
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_an_error_of_the_name_that_says_it() {
    let request = Request::get("http://no-such-host.invalid:81/").expect("a URL");
    let error = client().send(request).await.expect_err("no such host");
    assert!(matches!(&error, Error::Resolve { target, .. } if target == "no-such-host.invalid:81"), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("no-such-host.invalid:81") && text.contains("how the name is spelt"), "{text}");
}

#[tokio::test]
async fn a_reset_in_the_midst_of_a_reply_keeps_what_came_before() {
    let server = server(&["abc", "def"], Play::in_order().fault(0..1, Fault::ResetAfter(5)));
    let response = client().send(get(&server)).await.expect("a head");
    let (chunks, error) = read(response).await;
    assert_eq!(chunks.concat(), b"abcde");
    assert!(matches!(error, Some(Error::Reset { received_bytes: 5, .. })), "{error:?}");
    assert!(!error.expect("one").is_retryable());
}

#[tokio::test]
async fn a_connection_that_closes_early_is_not_taken_for_the_end() {
    let server = server(&["abc", "def"], Play::in_order().fault(0..1, Fault::CutAfter(3)));
    let mut response = client().send(get(&server)).await.expect("a head");
    assert_eq!(response.body.chunk().await.expect("a chunk").as_deref(), Some(&b"abc"[..]));
    let error = response.body.chunk().await.expect_err("cut");
    assert!(matches!(error, Error::Incomplete { received_bytes: 3, .. }), "{error:?}");
    assert!(response.body.chunk().await.expect("nothing more").is_none());
}

#[tokio::test]
async fn silence_after_a_chunk_ends_by_the_idle_limit_and_closes_the_socket() {
    let server = server(&["abc", "def"], Play::in_order().fault(0..1, Fault::HangAfter(3)));
    let client = client_with(|options| options.idle_timeout = Some(Duration::from_millis(80)));
    let mut response = client.send(get(&server)).await.expect("a head");
    assert!(response.body.chunk().await.expect("a chunk").is_some());
    let error = response.body.chunk().await.expect_err("silence");
    assert!(matches!(error, Error::Timeout { wait: Wait::Idle, after_ms: 80, received_bytes: 3, .. }), "{error:?}");
    closed(&server, 0).await;
    drop(response);
}

#[tokio::test]
async fn the_first_byte_has_a_limit_of_its_own_before_and_after_the_head() {
    for fault in [Fault::NoAnswer, Fault::HangAfter(0)] {
        let server = server(&["abc"], Play::in_order().fault(0..1, fault));
        let client = client_with(|options| options.first_byte_timeout = Some(Duration::from_millis(80)));
        let error = match client.send(get(&server)).await {
            Ok(mut response) => response.body.chunk().await.expect_err("no byte"),
            Err(error) => error,
        };
        assert!(matches!(error, Error::Timeout { wait: Wait::FirstByte, after_ms: 80, .. }), "{error:?}");
        assert!(!error.is_retryable(), "the server may be at work on it");
        closed(&server, 0).await;
    }
}

/// Eleven chunks, one every 30 ms.
fn steady() -> Server {
    let mut exchange = Exchange::of_chunks(["tick"; 11]);
    for (index, chunk) in exchange.chunks.iter_mut().enumerate() {
        chunk.at_us = index as u64 * 30_000;
    }
    Server::start(recording(exchange), Play { pace: Pace::Recorded, ..Play::in_order() }).expect("a server")
}

#[tokio::test]
async fn a_healthy_stream_outlives_the_idle_and_the_first_byte_limit() {
    let server = steady();
    let client = client_with(|options| {
        options.idle_timeout = Some(Duration::from_millis(200));
        options.first_byte_timeout = Some(Duration::from_millis(200));
    });
    let started = Instant::now();
    let (chunks, error) = read(client.send(get(&server)).await.expect("a head")).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(chunks.len(), 11);
    assert!(started.elapsed() > Duration::from_millis(290));
}

#[tokio::test]
async fn a_total_limit_cuts_only_when_it_is_asked_for() {
    assert!(Options::default().total_timeout.is_none());
    let server = steady();
    let client = client_with(|options| options.total_timeout = Some(Duration::from_millis(100)));
    let (chunks, error) = read(client.send(get(&server)).await.expect("a head")).await;
    assert!(matches!(error, Some(Error::Timeout { wait: Wait::Total, after_ms: 100, .. })), "{error:?}");
    assert!((1..11).contains(&chunks.len()), "{} chunks kept", chunks.len());
}

#[tokio::test]
async fn an_address_that_never_answers_ends_by_the_connect_limit() {
    // A listener whose queue is full: further connections wait for their handshake.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = client_with(|options| options.connect_timeout = Duration::from_millis(100));
    let mut queued = Vec::new();
    loop {
        match std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(stream) => queued.push(stream),
            Err(_) => break,
        }
        if queued.len() > 5_000 {
            println!("skipped: this system queues connections without bound");
            return;
        }
    }
    let request = Request::get(&format!("http://{address}/")).expect("a URL");
    let error = client.send(request).await.expect_err("no connection");
    assert!(matches!(error, Error::Timeout { wait: Wait::Connect, after_ms: 100, .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_reply_closes_the_socket_within_10_ms() {
    let server = server(&["abc"], Play::in_order().fault(0..100, Fault::HangAfter(3)));
    let client = client();
    let mut took = Vec::new();
    for index in 0..20 {
        let mut response = client.send(get(&server)).await.expect("a head");
        assert!(response.body.chunk().await.expect("a chunk").is_some());
        let dropped = Instant::now();
        drop(response);
        took.push(closed(&server, index).await.saturating_duration_since(dropped));
    }
    took.sort_unstable();
    // Half of them, since a busy machine may put a thread aside for longer.
    println!("closed after {:?} (median), {:?} (slowest)", took[10], took[19]);
    assert!(took[10] < Duration::from_millis(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_may_be_read_by_one_task_after_the_other() {
    let server = steady();
    let client = client();
    for _ in 0..2 {
        let mut response = client.send(get(&server)).await.expect("a head");
        let mut chunks = 0;
        loop {
            let reader = tokio::spawn(async move {
                let chunk = response.body.chunk().await.expect("a whole reply");
                (response, chunk)
            });
            let (back, chunk) = reader.await.expect("no panic");
            response = back;
            match chunk {
                Some(chunk) => chunks += usize::from(chunk == "tick"),
                None => break,
            }
        }
        assert_eq!(chunks, 11);
    }
    assert_eq!(server.connections().len(), 1, "the connection is used again");
}

#[tokio::test]
async fn a_read_that_is_given_up_loses_nothing() {
    let server = steady();
    let mut response = client().send(get(&server)).await.expect("a head");
    let (mut chunks, mut given_up) = (0, 0);
    loop {
        match tokio::time::timeout(Duration::from_millis(7), response.body.chunk()).await {
            Ok(Ok(Some(chunk))) => chunks += usize::from(chunk == "tick"),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => given_up += 1,
        }
    }
    assert_eq!(chunks, 11);
    assert!(given_up > 10, "{given_up}");
}

#[tokio::test]
async fn a_reply_that_nobody_reads_waits_and_is_closed_when_it_is_dropped() {
    let server = server(&["a", "b", "c"], Play::in_order());
    let client = client();
    let response = client.send(get(&server)).await.expect("a head");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (chunks, error) = read(response).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(chunks.concat(), b"abc");
    drop(client.send(get(&server)).await.expect("a head"));
    closed(&server, 0).await;
}

#[test]
fn a_reply_ends_with_the_runtime_of_its_connection() {
    let server = server(&["abc"], Play::in_order().fault(0..100, Fault::HangAfter(3)));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let mut response = first.block_on(client().send(get(&server))).expect("a head");
    assert_eq!(first.block_on(response.body.chunk()).expect("a chunk").as_deref(), Some(&b"abc"[..]));
    drop(first);
    let rest = runtime().block_on(async { tokio::time::timeout(Duration::from_secs(5), response.body.chunk()).await });
    rest.expect("no endless wait").expect_err("the connection is gone");
}

#[tokio::test]
async fn giving_up_before_the_head_closes_the_socket_too() {
    let server = server(&["abc"], Play::in_order().fault(0..1, Fault::NoAnswer));
    let client = client();
    let sending = client.send(get(&server));
    assert!(tokio::time::timeout(Duration::from_millis(80), sending).await.is_err());
    closed(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_hung_streams_do_not_hold_up_a_fresh_one() {
    let server = server(&["abc"], Play::in_order().fault(0..200, Fault::HangAfter(3)));
    let client = client();
    let mut hung = Vec::new();
    for _ in 0..200 {
        let mut response = client.send(get(&server)).await.expect("a head");
        assert!(response.body.chunk().await.expect("a chunk").is_some());
        hung.push(response);
    }
    let started = Instant::now();
    let (chunks, error) = read(client.send(get(&server)).await.expect("a head")).await;
    let took = started.elapsed();
    assert!(error.is_none() && chunks == ["abc"]);
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(hung.len(), 200);
}

#[tokio::test]
async fn a_redirect_is_handed_on_and_the_key_goes_nowhere_else() {
    let other = server(&["stolen"], Play::in_order());
    let redirect = Fault::Answer { status: 307, headers: vec![("location".into(), other.url())], body: "moved".into() };
    let server = server(&["a"], Play::in_order().fault(0..1, redirect));
    let request = get(&server).auth(&AuthKind::Bearer, &Secret::new(KEY)).expect("a key");
    let response = client().send(request).await.expect("a reply");
    assert_eq!((response.status, response.is_success()), (307, false));
    assert_eq!(response.header("location"), Some(other.url().as_str()));
    assert!(other.connections().is_empty());
}

#[tokio::test]
async fn what_is_not_http_is_said_to_be_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).expect("a request") > 0);
        stream.write_all(b"220 mail.example ESMTP\r\n").expect("sent");
    });
    let error = client().send(Request::get(&url).expect("a URL")).await.expect_err("mail");
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert!(error.to_string().ends_with("check scheme and port"));
    answering.join().expect("answered");
}

#[tokio::test]
async fn the_rest_of_a_body_is_read_up_to_a_limit() {
    let server = server(&["abc", "def"], Play::in_order());
    let client = client();
    let mut out = Vec::new();
    let mut response = client.send(get(&server)).await.expect("a reply");
    response.body.read_to(&mut out, 6).await.expect("it fits");
    assert_eq!(out, b"abcdef");
    let mut response = client.send(get(&server)).await.expect("a reply");
    out.clear();
    let error = response.body.read_to(&mut out, 4).await.expect_err("too large");
    assert!(matches!(error, Error::TooLarge { max: 4 }));
    assert_eq!(out, b"abcd");
}

fn quick() -> Retry {
    Retry { first_delay: Duration::from_millis(10), ..Retry::default() }
}

fn busy(headers: &[(&str, &str)]) -> Fault {
    Fault::Answer {
        status: 429,
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        body: "{\"error\":{}}".into(),
    }
}

#[tokio::test]
async fn busy_servers_and_broken_connections_are_tried_again_until_one_answers() {
    let faults = Play::in_order()
        .fault(0..1, Fault::ResetBeforeAnswer)
        .fault(1..2, Fault::status(503, "{}"))
        .fault(2..3, busy(&[]));
    let server = server(&["fine"], faults);
    let mut notices = Vec::new();
    let sent = client().send_with_retries(get(&server), &quick(), &mut |notice| notices.push(notice)).await;
    assert_eq!(read(sent.expect("a reply")).await.0, ["fine"]);
    assert_eq!(server.requests().len(), 4);
    assert_eq!(notices.iter().map(|notice| notice.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(notices.iter().map(|notice| notice.status).collect::<Vec<_>>(), [None, Some(503), Some(429)]);
    assert!(notices[0].error.is_some());
}

#[tokio::test]
async fn the_last_reply_is_handed_on_with_its_body_when_tries_run_out() {
    let server = server(&["fine"], Play::in_order().fault(0..9, Fault::status(500, "{\"why\":\"broken\"}")));
    let retry = Retry { retries: 1, ..quick() };
    let mut response = client().send_with_retries(get(&server), &retry, &mut |_| ()).await.expect("a reply");
    let mut body = Vec::new();
    response.body.read_to(&mut body, 1000).await.expect("a body");
    assert_eq!((response.status, body.as_slice()), (500, &b"{\"why\":\"broken\"}"[..]));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn retry_after_is_waited_for_and_one_that_is_too_long_ends_the_tries() {
    let patient = server(&["fine"], Play::in_order().fault(0..1, busy(&[("retry-after", "1")])));
    let started = Instant::now();
    let sent = client().send_with_retries(get(&patient), &quick(), &mut |_| ()).await.expect("a reply");
    assert_eq!(sent.status, 200);
    assert!(started.elapsed() >= Duration::from_secs(1));

    let exact =
        server(&["fine"], Play::in_order().fault(0..1, busy(&[("retry-after-ms", "30"), ("retry-after", "9")])));
    let sent = client().send_with_retries(get(&exact), &quick(), &mut |_| ()).await.expect("a reply");
    assert_eq!(sent.status, 200);

    let long = server(&["fine"], Play::in_order().fault(0..1, busy(&[("retry-after", "3600")])));
    let sent = client().send_with_retries(get(&long), &quick(), &mut |_| ()).await.expect("a reply");
    assert_eq!((sent.status, sent.header("retry-after")), (429, Some("3600")));
    assert_eq!(long.requests().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_not_sent_twice() {
    for fault in [Fault::status(400, "{}"), Fault::status(401, "{}"), busy(&[("x-should-retry", "false")])] {
        let server = server(&["fine"], Play::in_order().fault(0..9, fault));
        let sent = client().send_with_retries(get(&server), &quick(), &mut |_| ()).await.expect("a reply");
        assert!(!sent.is_success());
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn no_key_and_no_query_shows_in_any_error_or_debug_text() {
    let faults = Play::in_order()
        .fault(0..1, Fault::ResetBeforeAnswer)
        .fault(1..2, Fault::CutAfter(1))
        .fault(2..3, Fault::NoAnswer);
    let server = server(&["abc"], faults);
    let client = client_with(|options| {
        options.first_byte_timeout = Some(Duration::from_millis(50));
        options.proxy = Proxy::Off;
    });
    let mut texts = Vec::new();
    for url in [server.url(), server.url(), server.url(), "http://127.0.0.1:9".into(), "http://x.invalid".into()] {
        let request = Request::post(&format!("{url}/v1?key={KEY}"))
            .and_then(|request| request.auth(&AuthKind::Bearer, &Secret::new(KEY)))
            .and_then(|request| request.header("x-goog-api-key", KEY))
            .expect("a request");
        let error = match client.send(request).await {
            Ok(response) => read(response).await.1.expect("a fault"),
            Err(error) => error,
        };
        texts.push(format!("{error} {error:?}"));
    }
    texts.push(format!("{:?}", server.requests()));
    texts.push(format!("{:?}", Proxy::Url(format!("http://me:{KEY}@proxy:1"))));
    let with_password = Request::get(&format!("http://me:{KEY}@h/")).expect_err("user name in it");
    texts.push(format!("{with_password} {with_password:?}"));
    texts.push(format!("{:?}", Request::get("http://h/").and_then(|r| r.header("x-goog-api-key", KEY)).expect("one")));
    for text in texts {
        assert!(!text.contains(KEY), "{text}");
    }
}

/// Answers the first request of each connection with `first`, and closes it after the next one, answering it with `second`.
fn forgetful(first: &'static [u8], second: &'static [u8]) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let counted = std::sync::Arc::clone(&counted);
            std::thread::spawn(move || {
                let mut stream = stream.expect("a connection");
                let mut buffer = [0; 4096];
                for answer in [first, second] {
                    if stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(100));
                        // The client may have gone.
                        let _ = stream.write_all(answer);
                    }
                }
            });
        }
    });
    (url, requests)
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_second_try_is_made_on_a_fresh_connection_though_several_were_kept() {
    let (url, requests) = forgetful(OK, b"");
    let client = client();
    let get = || client.send(Request::get(&url).expect("a URL"));
    let (first, second, third) = tokio::join!(get(), get(), get());
    for response in [first, second, third] {
        assert_eq!(read(response.expect("a reply")).await.0, ["ok"]);
    }
    // The connection tasks put their connections back.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let response = client.send(Request::get(&url).expect("a URL")).await.expect("a reply");
    assert_eq!(read(response).await.0, ["ok"]);
    assert_eq!(requests.load(std::sync::atomic::Ordering::SeqCst), 5, "three, one that was lost, and that one again");
}

#[tokio::test]
async fn a_reply_that_breaks_off_in_its_head_is_not_asked_for_again() {
    let (url, requests) = forgetful(OK, b"HTTP/1.1 200 OK\r\ncontent-");
    let client = client();
    assert_eq!(read(client.send(Request::get(&url).expect("a URL")).await.expect("a reply")).await.0, ["ok"]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = client.send(Request::get(&url).expect("a URL")).await.expect_err("half a head");
    assert!(matches!(error, Error::Incomplete { received_bytes: 0, .. }), "{error:?}");
    assert_eq!(requests.load(std::sync::atomic::Ordering::SeqCst), 2, "the server had begun to answer");
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_an_error_that_says_them() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(300_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok", "x: y\r\n".repeat(101));
    for head in [long, many] {
        let (url, _) = forgetful(head.leak().as_bytes(), b"");
        let sent = client().send(Request::get(&url).expect("a URL")).await;
        let error = sent.map(|response| response.status).expect_err("too large");
        assert!(matches!(error, Error::HeadTooLarge { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&url["http://".len()..url.len() - 1]), "{text}");
        assert!(text.contains("65536 bytes or 100 lines"), "{text}");
        assert!(!error.is_retryable());
    }
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(60_000));
    let (url, _) = forgetful(large.leak().as_bytes(), b"");
    assert_eq!(read(client().send(Request::get(&url).expect("a URL")).await.expect("a reply")).await.0, ["ok"]);
}

#[tokio::test]
async fn a_connection_that_was_warmed_up_is_the_one_of_the_first_request() {
    let server = server(&["a"], Play::in_order());
    let client = client();
    client.warm_up(&server.url()).await.expect("a connection");
    let until = Instant::now() + Duration::from_secs(5);
    while server.connections().is_empty() {
        assert!(Instant::now() < until, "no connection was made");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(server.requests().is_empty());
    for _ in 0..2 {
        assert_eq!(read(client.send(get(&server)).await.expect("a reply")).await.0, ["a"]);
    }
    assert_eq!((server.requests().len(), server.connections().len()), (2, 1));
}

#[tokio::test]
async fn a_connection_that_was_warmed_up_in_vain_is_closed() {
    let server = server(&["a"], Play::in_order());
    let client = client_with(|options| options.pool_idle_plain = Duration::from_millis(50));
    client.warm_up(&server.url()).await.expect("a connection");
    closed(&server, 0).await;
    assert_eq!(read(client.send(get(&server)).await.expect("a reply")).await.0, ["a"]);
    assert_eq!(server.connections().len(), 2);
}

#[tokio::test]
async fn a_connection_that_was_warmed_up_and_died_costs_no_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let client = client();
    let dying = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        drop(listener.accept().expect("a connection"));
        let (mut stream, _) = listener.accept().expect("another one");
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).expect("a request") > 0);
        stream.write_all(OK).expect("sent");
    });
    client.warm_up(&url).await.expect("a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(read(client.send(Request::get(&url).expect("a URL")).await.expect("a reply")).await.0, ["ok"]);
    dying.join().expect("answered");
}

#[tokio::test]
async fn warming_up_says_why_it_failed() {
    let url = server(&["a"], Play::in_order()).url();
    let error = client().warm_up(&url).await.expect_err("refused");
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(matches!(client().warm_up("nonsense").await, Err(Error::InvalidUrl { .. })));
}
