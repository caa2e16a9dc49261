//! A reply that comes from a server: it is asked by the engine, so that a script needs no network code.

use std::collections::BTreeMap;

use serde::Deserialize;
use thalweg_abi::guest::{Failure, HttpRequest, Reply as Sink};
use thalweg_abi::types::E_REMOTE;

/// What is asked, and where. The body of the reply is said as text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Where; the user must have allowed the host for this plugin.
    pub url: String,
    /// What is sent; without it, it is a GET.
    pub body: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Name of the environment variable with the key.
    #[serde(default)]
    pub key: String,
    /// Header of the key, if that is not `authorization`.
    #[serde(default)]
    pub key_header: String,
}

impl Fetch {
    /// Says the body of the reply as it comes.
    pub(crate) fn say(&self, block: u32, sink: &mut Sink) -> Result<(), Failure> {
        let mut request = match &self.body {
            Some(body) => HttpRequest::post(&self.url, body.as_bytes()),
            None => HttpRequest::get(&self.url),
        };
        request.headers.extend(self.headers.clone());
        (request.credential, request.credential_header) = (self.key.clone(), self.key_header.clone());
        let mut response = sink.sink().http(&request)?;
        if response.status() >= 400 {
            let mut failure = Failure::new(E_REMOTE, format!("HTTP {} from {}", response.status(), self.url));
            failure.http_status = response.status().into();
            return Err(failure);
        }
        // A character may be cut between two chunks.
        let mut rest = Vec::new();
        while let Some(chunk) = response.chunk()? {
            rest.extend_from_slice(&chunk);
            let whole = match std::str::from_utf8(&rest) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Err(Failure::new(E_REMOTE, format!("what {} says is not UTF-8", self.url))),
            };
            let text: Vec<u8> = rest.drain(..whole).collect();
            sink.text(block, &String::from_utf8_lossy(&text))?;
        }
        if rest.is_empty() { Ok(()) } else { Err(Failure::new(E_REMOTE, "the text ends within a character")) }
    }
}
