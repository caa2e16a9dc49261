//! hyper alone: the body is received and its bytes are counted. No client on hyper can cost less.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::client::{Client, KEY, MODEL, PROMPT, Sink, TOOL, TOOL_DESCRIPTION, TOOL_PARAMETERS};
use thalweg_end_to_end::turns;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::request_body;

/// hyper, its body only.
#[derive(Clone)]
pub(super) struct Floor {
    shared: Arc<Shared>,
}

struct Shared {
    uri: Uri,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client for Floor {
    const READS_TEXT: bool = false;

    fn new(arguments: &Arguments) -> Self {
        let uri = format!("{}/chat/completions", arguments.url()).parse().expect("a URL");
        let tls = arguments.certificate().map(|path| {
            let mut roots = RootCertStore::empty();
            let pem = fs::read(path).expect("the certificate of the server");
            roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("a certificate");
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions that ring knows");
            TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
        });
        Self { shared: Arc::new(Shared { uri, tls, idle: Mutex::default() }) }
    }

    async fn ask<S: Sink>(&self, sink: &mut S) {
        self.read(request_body().into(), |chunk| sink.bytes(chunk.len())).await;
    }

    /// Sends what a run with tools has to send, and looks at nothing that comes.
    async fn run_turns(&self, turns: usize) {
        let mut body = format!(
            r#"{{"model":"{MODEL}","stream":true,"tools":[{{"type":"function","function":{{"name":"{TOOL}","description":"{TOOL_DESCRIPTION}","parameters":{TOOL_PARAMETERS}}}}}],"messages":[{{"role":"user","content":"{PROMPT}"}}"#
        );
        for turn in 0..turns {
            self.read(format!("{body}]}}").into(), |_| {}).await;
            turns::mark();
            body.push_str(&format!(
                r#",{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{turn:024}","type":"function","function":{{"name":"{TOOL}","arguments":"{{\"n\":{turn}}}"}}}}]}},{{"role":"tool","tool_call_id":"call_{turn:024}","content":"{}"}}"#,
                turn + 1
            ));
        }
    }
}

impl Floor {
    /// Sends a request on a connection of its own, or one that is free, and hands on the chunks of the reply.
    pub(super) async fn read(&self, body: Bytes, mut take: impl FnMut(Bytes) + Send) {
        let Shared { uri, idle, .. } = &*self.shared;
        let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match free {
            Some(connection) => connection,
            None => self.connect().await,
        };
        let request = Request::post(uri.path())
            .header("host", uri.authority().expect("a host").as_str())
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {KEY}"))
            .body(Full::new(body))
            .expect("a request");
        connection.ready().await.expect("an open connection");
        let reply = connection.send_request(request).await.expect("a reply");
        assert!(reply.status().is_success(), "{}", reply.status());
        let mut body = reply.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(chunk) = frame.expect("a whole body").into_data() {
                take(chunk);
            }
        }
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let authority = self.shared.uri.authority().expect("a host");
        let socket = TcpStream::connect(authority.as_str()).await.expect("a connection");
        socket.set_nodelay(true).expect("a socket");
        match &self.shared.tls {
            None => shake_hands(TokioIo::new(socket)).await,
            Some(connector) => {
                let name = ServerName::try_from(authority.host().to_owned()).expect("a name");
                shake_hands(TokioIo::new(connector.connect(name, socket).await.expect("TLS"))).await
            }
        }
    }
}

async fn shake_hands<T: Read + Write + Unpin + Send + 'static>(socket: T) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = http1::handshake(socket).await.expect("a connection");
    // Its error is the one that the reader of the body gets.
    tokio::spawn(async move { drop(connection.await) });
    sender
}
