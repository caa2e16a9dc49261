//! The HTTP client over TLS, on both HTTP versions, and through proxies.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thalweg::http::{Client, Error, Options, Proxy, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    http2_requests: AtomicUsize,
    open_bodies: AtomicUsize,
}

/// A TLS server of its own authority. `/hang` answers one chunk and then nothing; all else two chunks.
struct Server {
    address: SocketAddr,
    ca_file: PathBuf,
    seen: Arc<Seen>,
}

impl Server {
    async fn start(name: &str, protocols: &[&str]) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&key).expect("an authority");
        let issuer = rcgen::Issuer::new(authority, &key);
        let names = ["localhost", "127.0.0.1", "provider.test"].map(String::from);
        let server_key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(names).expect("parameters");
        let certificate = parameters.signed_by(&server_key, &issuer).expect("a certificate");
        let ca_file = std::env::temp_dir().join(format!("thalweg-{name}-{}.pem", std::process::id()));
        std::fs::write(&ca_file, authority_certificate.pem()).expect("written");

        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&counted)));
            }
        });
        Self { address, ca_file, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn client(&self) -> Client {
        Client::new(Options { proxy: Proxy::Off, ca_files: vec![self.ca_file.clone()], ..Options::default() })
            .expect("a client")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A file left in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, seen: Arc<Seen>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            if request.version() == hyper::Version::HTTP_2 {
                seen.http2_requests.fetch_add(1, Ordering::SeqCst);
            }
            seen.open_bodies.fetch_add(1, Ordering::SeqCst);
            let hangs = request.uri().path() == "/hang";
            Ok::<_, Infallible>(hyper::Response::new(TwoChunks { sent: 0, hangs, seen }))
        }
    });
    // However the connection ends, the tests look at what came through it.
    if http2 {
        let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.max_concurrent_streams(100).serve_connection(TokioIo::new(stream), service).await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

struct TwoChunks {
    sent: usize,
    hangs: bool,
    seen: Arc<Seen>,
}

impl Body for TwoChunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent += 1;
        match self.sent {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"one"))))),
            _ if self.hangs => Poll::Pending,
            2 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"two"))))),
            _ => Poll::Ready(None),
        }
    }
}

impl Drop for TwoChunks {
    fn drop(&mut self) {
        self.seen.open_bodies.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn read(client: &Client, url: &str) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    client.send(Request::get(url)?).await?.body.read_to(&mut body, 1000).await?;
    Ok(body)
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_file_is_named() {
    for protocols in [&["http/1.1"][..], &["h2", "http/1.1"], &[]] {
        let server = Server::start("trusted", protocols).await;
        assert_eq!(read(&server.client(), &server.url("/")).await.expect("a reply"), b"onetwo");
        let http2 = server.seen.http2_requests.load(Ordering::SeqCst);
        assert_eq!(http2, usize::from(protocols.contains(&"h2")), "{protocols:?}");
    }
}

#[tokio::test]
async fn http2_can_be_turned_off() {
    let server = Server::start("no-http2", &["h2", "http/1.1"]).await;
    let client = Client::new(Options {
        http2: false,
        proxy: Proxy::Off,
        ca_files: vec![server.ca_file.clone()],
        ..Options::default()
    });
    assert_eq!(read(&client.expect("a client"), &server.url("/")).await.expect("a reply"), b"onetwo");
    assert_eq!(server.seen.http2_requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_unknown_authority_is_a_tls_error_that_says_what_to_do() {
    let server = Server::start("unknown", &["h2"]).await;
    let client = Client::new(Options { proxy: Proxy::Off, ..Options::default() }).expect("a client");
    let error = read(&client, &server.url("/?secret")).await.expect_err("not trusted");
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&server.address.to_string()) && text.contains("SSL_CERT_FILE"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).expect("a hello") > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent");
    });
    let client = Client::new(Options { proxy: Proxy::Off, ..Options::default() }).expect("a client");
    let error = read(&client, &url).await.expect_err("no TLS");
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    answering.join().expect("answered");
}

#[tokio::test]
async fn a_file_of_certificates_that_cannot_be_used_is_named() {
    for (name, content) in [("missing", None), ("empty", Some("no certificate here\n"))] {
        let path = std::env::temp_dir().join(format!("thalweg-ca-{name}-{}.pem", std::process::id()));
        if let Some(content) = content {
            std::fs::write(&path, content).expect("written");
        }
        let client = Client::new(Options { proxy: Proxy::Off, ca_files: vec![path.clone()], ..Options::default() });
        let error = read(&client.expect("a client"), "https://127.0.0.1:9/").await.expect_err("no roots");
        assert!(
            matches!(&error, Error::Roots { path: named, .. } if *named == path.display().to_string()),
            "{error:?}"
        );
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn dropping_a_reply_resets_its_stream_and_leaves_the_connection_to_others() {
    let server = Server::start("reset", &["h2"]).await;
    let client = server.client();
    let mut response = client.send(Request::get(&server.url("/hang")).expect("a URL")).await.expect("a head");
    assert_eq!(response.body.chunk().await.expect("a chunk").as_deref(), Some(&b"one"[..]));
    assert_eq!(server.seen.open_bodies.load(Ordering::SeqCst), 1);
    let dropped = Instant::now();
    drop(response);
    while server.seen.open_bodies.load(Ordering::SeqCst) > 0 {
        assert!(dropped.elapsed() < Duration::from_secs(5), "the stream was not reset");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("stream reset seen after {:?}", dropped.elapsed());
    assert_eq!(read(&client, &server.url("/")).await.expect("a reply"), b"onetwo");
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn hung_streams_beyond_what_one_http2_connection_allows_do_not_hold_up_a_fresh_one() {
    let server = Server::start("hung", &["h2"]).await;
    let client = server.client();
    let mut hung = Vec::new();
    for _ in 0..150 {
        let mut response = client.send(Request::get(&server.url("/hang")).expect("a URL")).await.expect("a head");
        assert!(response.body.chunk().await.expect("a chunk").is_some());
        hung.push(response);
    }
    let started = Instant::now();
    assert_eq!(read(&client, &server.url("/")).await.expect("a reply"), b"onetwo");
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 3);
    drop(hung);
    assert_eq!(read(&client, &server.url("/")).await.expect("a reply"), b"onetwo");
    assert_eq!(server.seen.connections.load(Ordering::SeqCst), 3, "room is used again");
}

/// A proxy that leads every request to one server, and keeps the heads it was sent.
struct TestProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn start(leads_to: SocketAddr, refuses: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        match tokio::io::AsyncReadExt::read(&mut stream, &mut byte).await {
                            Ok(1) => head.push(byte[0]),
                            _ => return,
                        }
                    }
                    let text = String::from_utf8_lossy(&head).into_owned();
                    let connect = text.starts_with("CONNECT ");
                    kept.lock().expect("heads").push(text);
                    let mut server = TcpStream::connect(leads_to).await.expect("the server");
                    let said: &[u8] = match (connect, refuses) {
                        (true, false) => b"HTTP/1.1 200 OK\r\n\r\n",
                        (_, true) => b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
                        (false, false) => b"",
                    };
                    stream.write_all(said).await.expect("sent");
                    if !connect {
                        server.write_all(&head).await.expect("sent");
                    }
                    // Until either side ends.
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        });
        Self { address, heads }
    }

    fn client(&self, ca_files: Vec<PathBuf>) -> Client {
        let proxy = Proxy::Url(format!("http://user:hunter2@{}", self.address));
        Client::new(Options { proxy, ca_files, ..Options::default() }).expect("a client")
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("heads").clone()
    }
}

/// `user:hunter2` as the proxy gets it.
const PROXY_AUTH: &str = "proxy-authorization: Basic dXNlcjpodW50ZXIy";

#[tokio::test]
async fn https_goes_through_a_proxy_by_a_tunnel_that_sees_no_request() {
    let server = Server::start("tunnel", &["h2"]).await;
    let proxy = TestProxy::start(server.address, false).await;
    let client = proxy.client(vec![server.ca_file.clone()]);
    assert_eq!(read(&client, "https://provider.test/v1/x").await.expect("a reply"), b"onetwo");
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("CONNECT provider.test:443 HTTP/1.1\r\n"), "{}", heads[0]);
    assert!(
        heads[0].to_lowercase().contains(&PROXY_AUTH.to_lowercase()) && !heads[0].contains("/v1/x"),
        "{}",
        heads[0]
    );
}

#[tokio::test]
async fn plain_http_goes_through_a_proxy_with_its_whole_url() {
    let server = thalweg_replay::Server::start(
        vec![{
            let mut recording = thalweg_replay::builtin().remove(0);
            recording.exchanges = vec![thalweg_replay::Exchange::of_chunks(["plain"])];
            recording
        }],
        thalweg_replay::Options::in_order(),
    )
    .expect("a server");
    let proxy = TestProxy::start(server.address(), false).await;
    assert_eq!(read(&proxy.client(Vec::new()), "http://provider.test:81/v1").await.expect("a reply"), b"plain");
    let head = &proxy.heads()[0];
    assert!(head.starts_with("GET http://provider.test:81/v1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(PROXY_AUTH), "{head}");

    let direct = read(&proxy.client(Vec::new()), &server.url()).await.expect("a reply");
    assert_eq!(direct, b"plain");
    assert_eq!(proxy.heads().len(), 1, "this machine is reached directly");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let server = Server::start("refused", &["h2"]).await;
    let proxy = TestProxy::start(server.address, true).await;
    let error = read(&proxy.client(Vec::new()), "https://provider.test/").await.expect_err("refused");
    let text = format!("{error} {error:?}");
    assert!(
        matches!(&error, Error::Proxy { proxy: named, target, .. }
        if *named == proxy.address.to_string() && target == "provider.test:443"),
        "{error:?}"
    );
    assert!(text.contains("HTTPS_PROXY") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_proxy_url_that_cannot_be_used_is_refused_when_the_client_is_made() {
    assert!(matches!(
        Client::new(Options { proxy: Proxy::Url("::".into()), ..Options::default() }),
        Err(Error::Proxy { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_and_certificates_are_taken_from_the_environment() {
    const CHILD: &str = "THALWEG_TEST_IN_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let client = Client::new(Options::default()).expect("a client");
        assert_eq!(read(&client, "https://provider.test/").await.expect("a reply"), b"onetwo");
        return;
    }
    // A process' environment cannot be changed safely, so the same test runs in another one.
    let server = Server::start("environment", &["h2"]).await;
    let proxy = TestProxy::start(server.address, false).await;
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "proxy_and_certificates_are_taken_from_the_environment", "--nocapture"]);
    child.env(CHILD, "1").env("SSL_CERT_FILE", &server.ca_file).env("HTTPS_PROXY", format!("http://{}", proxy.address));
    for name in ["NO_PROXY", "no_proxy", "https_proxy", "REQUEST_METHOD"] {
        child.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.expect("joined").expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(proxy.heads()[0].starts_with("CONNECT provider.test:443 "));
}
