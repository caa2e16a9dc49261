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
async fn a_host_that_does_not_exist_is_a_connect_error_that_names_it() {
    let request = Request::get("http://no-such-host.invalid:81/").expect("a URL");
    let error = client().send(request).await.expect_err("no such host");
    assert!(matches!(&error, Error::Connect { target, .. } if target == "no-such-host.invalid:81"), "{error:?}");
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
