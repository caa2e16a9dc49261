//! `thalweg record`: a proxy that forwards to an upstream and keeps what comes back, with its timing and without keys.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use thalweg::http::{self, Client};
use thalweg_replay::http1::{self, Socket};
use thalweg_replay::{End, Open, Recorder};
use tokio::net::TcpListener;

use crate::endpoint;
use crate::failure::{Failure, say};

/// Forward requests to an upstream and record what comes back
///
/// Point a client at the printed URL. After each exchange FILE holds all of them: method, path and body of the requests,
/// status and bytes of the replies with their chunking and timing. No request header is kept, so no key is; an exchange
/// whose body holds the key is dropped.
#[derive(clap::Args)]
pub(crate) struct Record {
    /// Base URL of the upstream, for example `https://api.openai.com/v1`
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// The dialect of the upstream; by its address if that is known, else openai-chat
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<String>,
    /// Software that answers and its version, for whoever reads the recording
    #[arg(long, value_name = "TEXT")]
    server: Option<String>,
    /// What else a reader should know
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Record {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        let upstream = Upstream::parse(&self.upstream)?;
        let table = endpoint::table()?;
        let known = table.at(&self.upstream, &endpoint::variable).map(|provider| provider.dialect.as_str());
        let dialect = self.dialect.as_deref().or(known).unwrap_or("openai-chat");
        let name = self.out.file_stem().map_or_else(|| "recording".into(), |stem| stem.to_string_lossy());
        let mut recorder = Recorder::new(&name, dialect, self.server.as_deref().unwrap_or(&upstream.host));
        if let Some(note) = &self.note {
            recorder.note(note);
        }
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|error| Failure::run(format_args!("cannot listen on {}: {error}", self.listen)))?;
        let address = listener.local_addr().map_err(Failure::run)?;
        let mut out = io::stdout().lock();
        writeln!(out, "recording {} to {}", upstream.shown(), self.out.display())?;
        writeln!(out, "point a client at  http://{address}{}", upstream.path)?;
        writeln!(
            out,
            "with thalweg:      thalweg chat --base-url http://{address}{} --model … --key-env …",
            upstream.path
        )?;
        writeln!(out, "Ctrl-C ends")?;
        out.flush()?;
        drop(out);
        let client = Client::new(http::Options::default()).map_err(Failure::run)?;
        let proxy = Arc::new(Proxy { client, upstream, recorder: Mutex::new(recorder), out: self.out });
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let proxy = Arc::clone(&proxy);
                        tokio::spawn(async move {
                            if let Err(error) = proxy.serve(stream).await {
                                say(&error);
                            }
                        });
                    }
                    Err(error) => say(format_args!("a connection was not accepted: {error}")),
                },
                _ = tokio::signal::ctrl_c() => return proxy.end(),
            }
        }
    }
}

/// The upstream's address, taken apart.
struct Upstream {
    /// `https://host:port`, with what may stand before the host.
    origin: String,
    /// For the person who reads; without a user name and a password.
    host: String,
    /// What stands behind the host, without a slash at the end.
    path: String,
}

impl Upstream {
    fn parse(url: &str) -> Result<Self, Failure> {
        let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme));
        let Some(scheme) = scheme else {
            return Err(Failure::usage(format_args!("--upstream must begin with http:// or https://")));
        };
        let rest = url[scheme.len()..].trim_end_matches('/');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() {
            return Err(Failure::usage("--upstream names no host"));
        }
        Ok(Self { origin: format!("{scheme}{authority}"), host: host.to_owned(), path: path.to_owned() })
    }

    fn shown(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

struct Proxy {
    client: Client,
    upstream: Upstream,
    recorder: Mutex<Recorder>,
    out: PathBuf,
}

impl Proxy {
    /// Forwards the requests of one connection, one after another.
    async fn serve(&self, stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut socket = Socket::new(stream)?;
        while let Some(request) = socket.read_request().await? {
            if !self.forward(&socket, &request).await? || !request.keep_alive {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Forwards one request. False when the connection cannot be used any more.
    async fn forward(
        &self,
        socket: &Socket,
        request: &http1::Request,
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        // Lists of models and the like have no prompt, and a replay could not find them.
        let mut open = (request.method == "POST").then(|| self.recorder().request(request));
        let sent = Instant::now();
        let mut response = match self.client.send(self.request(request)?).await {
            Ok(response) => response,
            Err(error) => {
                say(&error);
                let body = serde_json::json!({ "error": { "type": "proxy_error", "message": error.to_string() } });
                let mut reply =
                    http1::head(502, &[("content-type".into(), "application/json".into())], request.keep_alive);
                http1::push_chunk(&mut reply, body.to_string().as_bytes());
                reply.extend_from_slice(http1::LAST_CHUNK);
                socket.write(&reply).await?;
                return Ok(true);
            }
        };
        if let Some(open) = &mut open {
            open.response(response.status, response.headers(), sent.elapsed());
        }
        let headers: Vec<(String, String)> = response
            .headers()
            .filter(|(name, _)| !is_of_the_connection(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut reply = http1::head(response.status, &headers, request.keep_alive);
        let end = loop {
            socket.write(&reply).await?;
            reply.clear();
            match response.body.chunk().await {
                Ok(Some(chunk)) => {
                    if let Some(open) = &mut open {
                        open.chunk(&chunk, sent.elapsed());
                    }
                    http1::push_chunk(&mut reply, &chunk);
                }
                Ok(None) => {
                    socket.write(http1::LAST_CHUNK).await?;
                    break End::Close;
                }
                Err(error) => {
                    say(&error);
                    break End::Cut;
                }
            }
        };
        if let Some(mut open) = open {
            open.end(end);
            self.keep(open, request.target.split('?').next().unwrap_or_default());
        }
        Ok(end == End::Close)
    }

    /// The request for the upstream: everything but what belongs to the client's connection.
    fn request(&self, request: &http1::Request) -> Result<http::Request, http::Error> {
        let url = format!("{}{}", self.upstream.origin, request.target);
        let mut forwarded = http::Request::new(&request.method, &url)?;
        for (name, value) in &request.headers {
            // Without `accept-encoding` the body comes as it is, and as it is to be recorded.
            if !is_of_the_connection(name) && name != "accept-encoding" {
                forwarded = forwarded.header(name, value)?;
            }
        }
        Ok(forwarded.body([request.body.clone()]))
    }

    /// Adds a finished exchange and writes the file anew, so that it is whole whenever the command is ended.
    fn keep(&self, open: Open, path: &str) {
        let mut recorder = self.recorder();
        if let Err(error) = recorder.push(open) {
            return say(format_args!("{path}: {error}"));
        }
        match write_whole(&self.out, &recorder.recording().to_jsonl()) {
            Ok(()) => say(format_args!("{path}: exchange {} kept", recorder.recording().exchanges.len())),
            Err(error) => say(format_args!("cannot write {}: {error}", self.out.display())),
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        // A recording whose last exchange could not be added is still one.
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) -> Result<(), Failure> {
        match self.recorder().recording().exchanges.len() {
            0 => Err(Failure::run("nothing was recorded: no request came")),
            _ => Ok(()),
        }
    }
}

/// Headers of one connection, which a proxy does not pass on.
fn is_of_the_connection(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) || name.eq_ignore_ascii_case("expect")
}

/// Replaces the file in one step, so that no reader sees half of it.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_shown_without_its_password() {
        let upstream = Upstream::parse("https://me:secret@example.com:8443/v1/").expect("a URL");
        assert_eq!(upstream.shown(), "example.com:8443/v1");
        assert_eq!((upstream.path.as_str(), upstream.host.as_str()), ("/v1", "example.com:8443"));
        assert!(Upstream::parse("example.com").is_err());
        assert!(Upstream::parse("http:///v1").is_err());
    }
}
