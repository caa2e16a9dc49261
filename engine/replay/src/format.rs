//! The file of a recording: JSON lines.
//!
//! ```text
//! {"thalweg_recording":1,"name":…,"prompt":…,"dialect":…,"model":…,"server":…,"origin":"recorded","recorded":"2026-11-21","note":…}
//! {"request":{"method":"POST","path":"/v1/chat/completions","body"?:{…},"expect"?:{…}}}
//! {"response":{"status":200,"headers":{"content-type":"text/event-stream"},"at_us":212000}}
//! {"at_us":240120,"data":"data: {…}\n\n"}          or {"at_us":…,"base64":…} when the bytes alone are not UTF-8
//! {"end":"close"}                                   or "cut", "reset", "hang"
//! {"request":…                                      the next exchange
//! ```
//!
//! Times count from the moment the request was sent. Empty lines are skipped, so a file may be grouped by them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::recording::{Chunk, End, Exchange, Origin, Recording, Request, Response, Value};

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct FormatError {
    /// Line in the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Recording {
    /// Reads a recording from the text of its file.
    ///
    /// # Errors
    /// Names the first line that is not as the format says.
    pub fn from_jsonl(text: &str) -> Result<Self, FormatError> {
        let mut reader = Reader { recording: None, open: None };
        let mut last = 1;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            if !line.trim().is_empty() {
                reader.line(line).map_err(|reason| FormatError { line: last, reason })?;
            }
        }
        reader.finish().map_err(|reason| FormatError { line: last, reason })
    }

    /// The text of the file.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        push(
            &mut text,
            &Header {
                thalweg_recording: VERSION,
                name: self.name.clone(),
                prompt: self.prompt.clone(),
                dialect: self.dialect.clone(),
                model: self.model.clone(),
                server: self.server.clone(),
                origin: self.origin,
                recorded: self.recorded.clone(),
                note: self.note.clone(),
            },
        );
        for exchange in &self.exchanges {
            let headers = exchange
                .response
                .headers
                .iter()
                .filter(|(name, _)| is_storable(name))
                .map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value.as_str())))
                .collect();
            push(&mut text, &RequestLine { request: exchange.request.clone() });
            let response = ResponseBody { status: exchange.response.status, headers, at_us: exchange.response.at_us };
            push(&mut text, &ResponseLine { response });
            for chunk in &exchange.chunks {
                let (data, base64) = match std::str::from_utf8(&chunk.bytes) {
                    Ok(data) => (Some(data.to_owned()), None),
                    Err(_) => (None, Some(STANDARD.encode(&chunk.bytes))),
                };
                push(&mut text, &ChunkLine { at_us: chunk.at_us, data, base64 });
            }
            push(&mut text, &EndLine { end: exchange.end });
        }
        text
    }
}

/// Whether a response header may be stored. A list of what is known to be harmless, since others may name an account.
pub(crate) fn is_storable(name: &str) -> bool {
    const HARMLESS: [&str; 7] = [
        "content-type",
        "cache-control",
        "location",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-accel-buffering",
    ];
    HARMLESS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Collects lines into exchanges.
struct Reader {
    recording: Option<Recording>,
    open: Option<Open>,
}

/// An exchange whose end was not read yet.
struct Open {
    request: Request,
    response: Option<Response>,
    chunks: Vec<Chunk>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
        let Some(recording) = &mut self.recording else {
            self.recording = Some(header(value)?);
            return Ok(());
        };
        let Some(object) = value.as_object() else { return Err("a line is a JSON object".into()) };
        if object.contains_key("request") {
            if self.open.is_some() {
                return Err("a request before the \"end\" of the exchange above".into());
            }
            let request = parse::<RequestLine>(value)?.request;
            self.open = Some(Open { request, response: None, chunks: Vec::new() });
            return Ok(());
        }
        let Some(open) = &mut self.open else {
            return Err("expected a line with \"request\", which begins an exchange".into());
        };
        if object.contains_key("response") {
            if open.response.is_some() {
                return Err("a second \"response\" in one exchange".into());
            }
            open.response = Some(response(parse::<ResponseLine>(value)?.response)?);
            return Ok(());
        }
        let Some(head) = &open.response else {
            return Err("expected a line with \"response\" after the request".into());
        };
        if object.contains_key("at_us") {
            let chunk = chunk(parse(value)?)?;
            let before = open.chunks.last().map_or(head.at_us, |chunk| chunk.at_us);
            if chunk.at_us < before {
                return Err(format!("at_us {} is before the {before} of the line above", chunk.at_us));
            }
            open.chunks.push(chunk);
        } else if object.contains_key("end") {
            let end = parse::<EndLine>(value)?.end;
            let open = self.open.take().ok_or("no exchange is open")?;
            let response = open.response.ok_or("no response was read")?;
            recording.exchanges.push(Exchange { request: open.request, response, chunks: open.chunks, end });
        } else {
            return Err("expected one of \"request\", \"response\", \"at_us\", \"end\"".into());
        }
        Ok(())
    }

    fn finish(self) -> Result<Recording, String> {
        let recording = self.recording.ok_or("an empty file; expected a line with \"thalweg_recording\"")?;
        if self.open.is_some() {
            return Err("the file ends before the \"end\" of its last exchange".into());
        }
        if recording.exchanges.is_empty() {
            return Err("no exchange after the first line".into());
        }
        Ok(recording)
    }
}

fn header(value: Value) -> Result<Recording, String> {
    match value.get("thalweg_recording").map(Value::as_u64) {
        None => return Err("not a recording: the first line has no \"thalweg_recording\"".into()),
        Some(version) if version != Some(u64::from(VERSION)) => {
            return Err(format!("this program reads recordings of version {VERSION} only"));
        }
        Some(_) => {}
    }
    let header: Header = parse(value)?;
    if !is_date(&header.recorded) {
        return Err("\"recorded\" is a date as in 2026-11-21".into());
    }
    Ok(Recording {
        name: header.name,
        prompt: header.prompt,
        dialect: header.dialect,
        model: header.model,
        server: header.server,
        origin: header.origin,
        recorded: header.recorded,
        note: header.note,
        exchanges: Vec::new(),
    })
}

fn response(body: ResponseBody) -> Result<Response, String> {
    if !(200..=599).contains(&body.status) {
        return Err(format!("status {} is not that of a final reply (200 to 599)", body.status));
    }
    let mut headers = Vec::with_capacity(body.headers.len());
    for (name, value) in body.headers {
        let Value::String(value) = value else { return Err(format!("header {name:?} is not a text")) };
        let name_is_clean =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !name_is_clean || value.bytes().any(|b| b < 0x20 && b != b'\t') {
            return Err(format!("header {name:?} cannot be sent over HTTP"));
        }
        headers.push((name, value));
    }
    Ok(Response { status: body.status, headers, at_us: body.at_us })
}

fn chunk(line: ChunkLine) -> Result<Chunk, String> {
    let bytes = match (line.data, line.base64) {
        (Some(data), None) => data.into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|error| format!("\"base64\": {error}"))?,
        _ => return Err("a chunk has either \"data\" or \"base64\"".into()),
    };
    if bytes.is_empty() {
        return Err("an empty chunk, which HTTP cannot send".into());
    }
    Ok(Chunk { at_us: line.at_us, bytes })
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn push(text: &mut String, line: &impl Serialize) {
    // Texts, numbers and maps with text keys always have a JSON form.
    text.push_str(&serde_json::to_string(line).expect("a line of a recording is plain JSON"));
    text.push('\n');
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    thalweg_recording: u32,
    name: String,
    prompt: String,
    dialect: String,
    model: String,
    server: String,
    origin: Origin,
    recorded: String,
    #[serde(default)]
    note: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    request: Request,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseLine {
    response: ResponseBody,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseBody {
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(default)]
    at_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChunkLine {
    at_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: End,
}
