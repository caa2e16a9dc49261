//! The server side of HTTP/1.1, as much as loopback needs: requests with a length or in chunks, replies in chunks.
//!
//! Written by hand because a recording's chunks must reach the socket as they are: one HTTP chunk each, when it is due.

use std::io;

use tokio::net::TcpStream;

/// A request as it was read.
#[derive(Clone)]
pub struct Request {
    /// Method, for example `POST`.
    pub method: String,
    /// Path with its query.
    pub target: String,
    /// Headers in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole body.
    pub body: Vec<u8>,
    /// The client allows another request on the connection.
    pub keep_alive: bool,
}

impl Request {
    /// The first header of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Headers may hold a key, so only their names are shown.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target.split('?').next())
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The socket failed, or was closed within a request.
    #[error("the connection failed within a request: {0}")]
    Io(#[from] io::Error),
    /// Not HTTP/1.1 as this server reads it.
    #[error("not a request that can be read: {0}")]
    Malformed(&'static str),
    /// Larger than allowed.
    #[error("the request's {part} is larger than {max} bytes")]
    TooLarge {
        /// `head` or `body`.
        part: &'static str,
        /// Bytes allowed.
        max: usize,
    },
}

/// One accepted connection: its socket, and what was read ahead.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Socket {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// When the socket is already broken.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// The next request; `None` when the client has closed the connection between requests.
    ///
    /// # Errors
    /// When the request is broken, or longer than 64 KiB of head and 64 MiB of body.
    pub async fn read_request(&mut self) -> Result<Option<Request>, ReadError> {
        let head_len = loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                break at + 4;
            }
            if self.ahead.len() > HEAD_BYTES_MAX {
                return Err(ReadError::TooLarge { part: "head", max: HEAD_BYTES_MAX });
            }
            let idle = self.ahead.is_empty();
            if !self.read_more().await? {
                return if idle { Ok(None) } else { Err(cut()) };
            }
        };
        let head: Vec<u8> = self.ahead.drain(..head_len).collect();
        let mut request = parse_head(&head)?;
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let chunked =
            request.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"));
        request.body = if chunked {
            self.read_chunked().await?
        } else {
            let length = request.header("content-length").unwrap_or("0").trim();
            let length = length.parse().map_err(|_| ReadError::Malformed("content-length is not a number"))?;
            self.take(length).await?
        };
        Ok(Some(request))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns once the client has closed or reset the connection.
    pub async fn gone(&self) {
        let mut byte = [0];
        loop {
            match self.stream.peek(&mut byte).await {
                Ok(0) | Err(_) => return,
                // A request sent ahead: it stays in the socket until its turn, and hides an end behind it.
                Ok(_) => std::future::pending().await,
            }
        }
    }

    /// Closes with a TCP reset instead of a proper end.
    pub fn reset(self) {
        // On failure the socket is closed all the same, only more politely.
        let _ = self.stream.set_zero_linger();
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        loop {
            self.stream.readable().await?;
            let mut buffer = [0; 8192];
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.ahead.extend_from_slice(&buffer[..read]);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        if length > BODY_BYTES_MAX {
            return Err(ReadError::TooLarge { part: "body", max: BODY_BYTES_MAX });
        }
        while self.ahead.len() < length {
            if !self.read_more().await? {
                return Err(cut());
            }
        }
        Ok(self.ahead.drain(..length).collect())
    }

    async fn read_line(&mut self) -> Result<Vec<u8>, ReadError> {
        loop {
            if let Some(at) = find(&self.ahead, b"\r\n") {
                let mut line: Vec<u8> = self.ahead.drain(..at + 2).collect();
                line.truncate(at);
                return Ok(line);
            }
            if self.ahead.len() > HEAD_BYTES_MAX {
                return Err(ReadError::Malformed("a chunk's size line without end"));
            }
            if !self.read_more().await? {
                return Err(cut());
            }
        }
    }

    async fn read_chunked(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line().await?;
            let size = std::str::from_utf8(&line).ok().and_then(|line| line.split(';').next()).unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16)
                .map_err(|_| ReadError::Malformed("a chunk's size is not a hexadecimal number"))?;
            if size == 0 {
                while !self.read_line().await?.is_empty() {}
                return Ok(body);
            }
            if size > BODY_BYTES_MAX - body.len() {
                return Err(ReadError::TooLarge { part: "body", max: BODY_BYTES_MAX });
            }
            body.extend(self.take(size).await?);
            if !self.read_line().await?.is_empty() {
                return Err(ReadError::Malformed("no line end after a chunk"));
            }
        }
    }
}

/// The head of a reply whose body comes in chunks. Headers of the connection among `headers` are left out.
#[must_use]
pub fn head(status: u16, headers: &[(String, String)], keep_alive: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        let own = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer"];
        if !own.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("transfer-encoding: chunked\r\n");
    head.push_str(if keep_alive { "\r\n" } else { "connection: close\r\n\r\n" });
    head.into_bytes()
}

/// Appends `bytes` as one HTTP chunk. An empty one would end the body and is left out.
pub fn push_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// Ends a body in chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn parse_head(head: &[u8]) -> Result<Request, ReadError> {
    let head = std::str::from_utf8(head).map_err(|_| ReadError::Malformed("the head is not UTF-8"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(ReadError::Malformed("the first line is not a method, a path and a version"));
    };
    if version != "HTTP/1.1" && version != "HTTP/1.0" {
        return Err(ReadError::Malformed("neither HTTP/1.1 nor HTTP/1.0"));
    }
    let mut headers = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(ReadError::Malformed("a header without a colon"));
        };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request =
        Request { method: method.into(), target: target.into(), headers, body: Vec::new(), keep_alive: false };
    let connection = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    request.keep_alive = if version == "HTTP/1.1" { connection != "close" } else { connection == "keep-alive" };
    Ok(request)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn cut() -> ReadError {
    ReadError::Io(io::ErrorKind::UnexpectedEof.into())
}

const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;
