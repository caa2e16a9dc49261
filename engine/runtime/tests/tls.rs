//! The HTTP client over TLS, on both HTTP versions, and through proxies.

use std::convert::Infallible;
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
use thalweg::http::{Client, ClientCertificate, Error, Options, Proxy, Request, Roots};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
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
    /// A certificate of the same authority, and its key, in one file.
    client_file: PathBuf,
}

impl Server {
    async fn start(name: &str, protocols: &[&str]) -> Self {
        Self::start_with(name, protocols, false).await
    }

    async fn start_with(name: &str, protocols: &[&str], asks_for_certificate: bool) -> Self {
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

        let client_key = rcgen::KeyPair::generate().expect("a key");
        let client = rcgen::CertificateParams::new(["a-client".to_owned()]).expect("parameters");
        let client = client.signed_by(&client_key, &issuer).expect("a certificate");
        let client_file = ca_file.with_extension("client.pem");
        std::fs::write(&client_file, client.pem() + &client_key.serialize_pem()).expect("written");

        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let config = if asks_for_certificate {
            let mut trusted = rustls::RootCertStore::empty();
            trusted.add(authority_certificate.der().clone()).expect("an authority");
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider);
            config.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            config.with_no_client_auth()
        };
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate");
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
        Self { address, ca_file, seen, client_file }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn options(&self) -> Options {
        Options { proxy: Proxy::Off, ca_files: vec![self.ca_file.clone()], ..Options::default() }
    }

    fn client(&self) -> Client {
        Client::new(self.options()).expect("a client")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A file left in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.ca_file);
        let _ = std::fs::remove_file(&self.client_file);
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
        use std::io::{Read as _, Write as _};
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
                        match stream.read(&mut byte).await {
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

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    let server = Server::start_with("mutual", &["h2", "http/1.1"], true).await;
    let certificate = ClientCertificate { certificates: server.client_file.clone(), key: server.client_file.clone() };
    for http2 in [true, false] {
        let options = Options { client_certificate: Some(certificate.clone()), http2, ..server.options() };
        let client = Client::new(options).expect("a client");
        assert_eq!(read(&client, &server.url("/")).await.expect("a reply"), b"onetwo");
    }
    let error = read(&server.client(), &server.url("/")).await.expect_err("no certificate shown");
    println!("without one: {error}");
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_named() {
    let server = Server::start("no-key", &["h2"]).await;
    for (certificates, key, named) in [
        (&server.client_file, &server.ca_file, &server.ca_file),
        (&PathBuf::from("/nowhere/client.pem"), &server.client_file, &PathBuf::from("/nowhere/client.pem")),
    ] {
        let certificate = ClientCertificate { certificates: certificates.clone(), key: key.clone() };
        let client = Client::new(Options { client_certificate: Some(certificate), ..server.options() });
        let error = read(&client.expect("a client"), &server.url("/")).await.expect_err("no certificate");
        assert!(
            matches!(&error, Error::ClientCertificate { path, .. } if *path == named.display().to_string()),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn only_the_named_authorities_are_trusted_if_so_asked() {
    let server = Server::start("only", &["h2"]).await;
    let named = Client::new(Options { roots: Roots::Nobody, ..server.options() }).expect("a client");
    assert_eq!(read(&named, &server.url("/")).await.expect("a reply"), b"onetwo");
    let nobody = Options { roots: Roots::Nobody, ca_files: Vec::new(), ..server.options() };
    let error = read(&Client::new(nobody).expect("a client"), &server.url("/")).await.expect_err("nobody is trusted");
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorities_of_the_system_are_trusted_if_so_asked() {
    const CHILD: &str = "THALWEG_TEST_SYSTEM_ROOTS";
    if let Some(url) = std::env::var_os(CHILD) {
        let options = |roots| Options { proxy: Proxy::Off, roots, ..Options::default() };
        let url = url.into_string().expect("a URL");
        let client = Client::new(options(Roots::System)).expect("a client");
        assert_eq!(read(&client, &url).await.expect("a reply"), b"onetwo");
        let client = Client::new(options(Roots::Bundled)).expect("a client");
        assert!(matches!(read(&client, &url).await, Err(Error::Tls { .. })));
        return;
    }
    // Where the system keeps them is said by the environment, which a process cannot safely change for itself.
    let server = Server::start("system", &["h2"]).await;
    let folder = std::env::temp_dir().join(format!("thalweg-system-roots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    // Named as the system's tools name them.
    std::fs::copy(&server.ca_file, folder.join("0a0b0c0d.0")).expect("copied");
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "the_authorities_of_the_system_are_trusted_if_so_asked", "--nocapture"]);
    child.env(CHILD, server.url("/")).env("SSL_CERT_DIR", &folder).env_remove("SSL_CERT_FILE");
    let output = tokio::task::spawn_blocking(move || child.output()).await.expect("joined").expect("it ran");
    let _ = std::fs::remove_dir_all(folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn a_warm_connection_is_used_over_tls_on_both_versions_of_http() {
    for protocols in [&["h2", "http/1.1"][..], &["http/1.1"]] {
        let server = Server::start("warm", protocols).await;
        let client = server.client();
        client.warm_up(&server.url("/")).await.expect("a connection");
        for _ in 0..2 {
            assert_eq!(read(&client, &server.url("/")).await.expect("a reply"), b"onetwo");
        }
        assert_eq!(server.seen.connections.load(Ordering::SeqCst), 1, "{protocols:?}");
    }
}

/// A SOCKS5 proxy (RFC 1928) that leads everything to one server, and keeps what it was asked for.
struct SocksProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SocksProxy {
    /// With a user name and a password (RFC 1929) if `user` says so; `reply` is 0 for success.
    async fn start(leads_to: SocketAddr, user: Option<&'static str>, reply: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    // The client may go at any moment.
                    let _ = Self::serve(stream, leads_to, user, reply, &kept).await;
                });
            }
        });
        Self { address, asked }
    }

    async fn serve(
        mut stream: TcpStream,
        leads_to: SocketAddr,
        user: Option<&str>,
        reply: u8,
        asked: &Mutex<Vec<String>>,
    ) -> std::io::Result<()> {
        assert_eq!(stream.read_u8().await?, 5);
        let mut methods = vec![0; usize::from(stream.read_u8().await?)];
        stream.read_exact(&mut methods).await?;
        let method = if user.is_some() { 2 } else { 0 };
        assert!(methods.contains(&method));
        stream.write_all(&[5, method]).await?;
        if let Some(expected) = user {
            assert_eq!(stream.read_u8().await?, 1);
            let mut said = Vec::new();
            for _ in 0..2 {
                let mut part = vec![0; usize::from(stream.read_u8().await?)];
                stream.read_exact(&mut part).await?;
                said.push(String::from_utf8(part).expect("text"));
            }
            stream.write_all(&[1, u8::from(said.join(":") != expected)]).await?;
        }
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        assert_eq!(head[..3], [5, 1, 0]);
        let host = match head[3] {
            1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
            4 => std::net::Ipv6Addr::from(stream.read_u128().await?).to_string(),
            _ => {
                let mut name = vec![0; usize::from(stream.read_u8().await?)];
                stream.read_exact(&mut name).await?;
                String::from_utf8(name).expect("text")
            }
        };
        let port = stream.read_u16().await?;
        asked.lock().expect("asked").push(format!("{host}:{port}"));
        stream.write_all(&[5, reply, 0, 1, 127, 0, 0, 1, 0, 0]).await?;
        let mut server = TcpStream::connect(leads_to).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut server).await.map(|_| ())
    }

    fn client(&self, user: &str, scheme: &str, ca_files: Vec<PathBuf>) -> Client {
        let proxy = Proxy::Url(format!("{scheme}://{user}{}", self.address));
        Client::new(Options { proxy, ca_files, ..Options::default() }).expect("a client")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("asked").clone()
    }
}

fn plain_server() -> thalweg_replay::Server {
    let mut recording = thalweg_replay::builtin().remove(0);
    recording.exchanges = vec![thalweg_replay::Exchange::of_chunks(["plain"])];
    thalweg_replay::Server::start(vec![recording], thalweg_replay::Options::in_order()).expect("a server")
}

#[tokio::test]
async fn a_socks_proxy_is_asked_for_the_name_or_the_address_as_its_scheme_says() {
    let plain = plain_server();
    let proxy = SocksProxy::start(plain.address(), None, 0).await;
    let client = proxy.client("", "socks5h", Vec::new());
    assert_eq!(read(&client, "http://provider.test/v1").await.expect("a reply"), b"plain");
    assert_eq!(read(&client, "http://provider.test:81/v1").await.expect("a reply"), b"plain");
    assert_eq!(proxy.asked(), ["provider.test:80", "provider.test:81"]);
    // A name that only the proxy could know is looked up here, and not found.
    let client = proxy.client("", "socks5", Vec::new());
    let error = read(&client, "http://no-such-host.invalid/").await.expect_err("no such host");
    assert!(matches!(&error, Error::Proxy { target, .. } if target == "no-such-host.invalid:80"), "{error:?}");
    assert_eq!(read(&client, "http://192.0.2.1:82/").await.expect("a reply"), b"plain");
    assert_eq!(proxy.asked()[2..], ["192.0.2.1:82"]);
}

#[tokio::test]
async fn tls_goes_through_a_socks_proxy_that_wants_a_password() {
    let server = Server::start("socks", &["h2"]).await;
    let proxy = SocksProxy::start(server.address, Some("user:hunter2"), 0).await;
    let client = proxy.client("user:hunter2@", "socks5h", vec![server.ca_file.clone()]);
    assert_eq!(read(&client, "https://provider.test/").await.expect("a reply"), b"onetwo");
    assert_eq!(proxy.asked(), ["provider.test:443"]);

    let client = proxy.client("user:wrong@", "socks5h", vec![server.ca_file.clone()]);
    let error = read(&client, "https://provider.test/").await.expect_err("a wrong password");
    let text = format!("{error} {error:?}");
    assert!(matches!(error, Error::Proxy { .. }) && !text.contains("wrong@"), "{text}");
}

#[tokio::test]
async fn a_socks_proxy_that_refuses_is_named() {
    let plain = plain_server();
    let proxy = SocksProxy::start(plain.address(), None, 5).await;
    let error = read(&proxy.client("", "socks5h", Vec::new()), "http://provider.test/").await.expect_err("refused");
    assert!(
        matches!(&error, Error::Proxy { proxy: named, target, .. }
        if *named == proxy.address.to_string() && target == "provider.test:80"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_proxy_and_no_proxy_are_taken_from_the_environment() {
    const CHILD: &str = "THALWEG_TEST_ALL_PROXY";
    if std::env::var_os(CHILD).is_some() {
        let client = Client::new(Options::default()).expect("a client");
        assert_eq!(read(&client, "http://provider.test/").await.expect("a reply"), b"plain");
        let error = read(&client, "http://direct.invalid/").await.expect_err("not through the proxy");
        assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
        return;
    }
    let plain = plain_server();
    let proxy = SocksProxy::start(plain.address(), None, 0).await;
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "all_proxy_and_no_proxy_are_taken_from_the_environment", "--nocapture"]);
    for name in ["no_proxy", "all_proxy", "http_proxy", "HTTP_PROXY", "REQUEST_METHOD"] {
        child.env_remove(name);
    }
    child.env(CHILD, "1").env("ALL_PROXY", format!("socks5h://{}", proxy.address)).env("NO_PROXY", "direct.invalid");
    let output = tokio::task::spawn_blocking(move || child.output()).await.expect("joined").expect("it ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.asked(), ["provider.test:80"]);
}
