//! A dialect from the side of the server, loaded or linked in, through its C table.

use crate::host::check::text;
use crate::host::plugin::Started;
use crate::host::request::{self, Request};
use crate::host::{Error, Misbehaviour};
use crate::table::{HttpHeader, HttpRequest, Serve as Table};
use crate::types::{self, E_PANIC, Event, OK, Status, Str, StreamEvent};
use core::ffi::c_void;
use std::sync::Arc;

/// The members of the table, all present.
#[derive(Clone, Copy, Debug)]
struct Functions {
    describe: unsafe extern "C" fn(*mut c_void, *mut Str) -> Status,
    open: unsafe extern "C" fn(*mut c_void, *const Str, *mut *mut c_void, *mut types::Error) -> Status,
    parse: unsafe extern "C" fn(*mut c_void, *const HttpRequest, *mut Str, *mut types::Error) -> Status,
    encode: unsafe extern "C" fn(*mut c_void, *const Event, u32, *mut Str, *mut types::Error) -> Status,
    finish: unsafe extern "C" fn(*mut c_void, *mut Str, *mut types::Error) -> Status,
    close: unsafe extern "C" fn(*mut c_void),
}

/// The dialect of a plugin as a server speaks it. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Serve {
    plugin: Arc<Started>,
    functions: Functions,
}

impl Serve {
    /// Reads the table, in which nothing may be missing.
    pub(crate) fn read(plugin: &Arc<Started>, table: *const Table) -> Result<Self, Error> {
        // SAFETY: the plugin gave it as its serve table.
        let table = unsafe { plugin.read(table, "thw_serve") }?;
        let missing = |function| plugin.missing("thw_serve", function);
        let functions = Functions {
            describe: table.describe.ok_or_else(|| missing("describe"))?,
            open: table.open.ok_or_else(|| missing("open"))?,
            parse: table.parse.ok_or_else(|| missing("parse"))?,
            encode: table.encode.ok_or_else(|| missing("encode"))?,
            finish: table.finish.ok_or_else(|| missing("finish"))?,
            close: table.close.ok_or_else(|| missing("close"))?,
        };
        Ok(Self { plugin: Arc::clone(plugin), functions })
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// JSON that names the dialect and its framing; see docs/PLUGINS.md.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn describe(&self) -> Result<String, Error> {
        // SAFETY: the function takes the plugin's context and gives a text that lives until `deinit`.
        unsafe { self.plugin.describe(self.functions.describe, "the description of what it serves") }
    }

    /// Opens a stream for one request. `options` is JSON: `{"id"?:s,"created"?:n}`.
    ///
    /// # Errors
    /// When the plugin refuses the options or breaks a rule.
    pub fn open(&self, options: &str) -> Result<ServeStream, Error> {
        // SAFETY: the function is that of the plugin's table.
        let stream = unsafe { self.plugin.open(self.functions.open, options) }?;
        Ok(ServeStream { plugin: Arc::clone(&self.plugin), functions: self.functions, stream, broken: false })
    }
}

/// One request of a client and its reply. Used by one thread at a time, whichever.
///
/// After a panic of the plugin or a broken rule it gives [`Error::Broken`] for everything.
pub struct ServeStream {
    plugin: Arc<Started>,
    functions: Functions,
    stream: *mut c_void,
    broken: bool,
}

// SAFETY: by contract a stream may be used from any thread, one call at a time, which `&mut self` ensures.
unsafe impl Send for ServeStream {}

impl ServeStream {
    /// The canonical request, with its messages, that a client's request says. Its body is the head, then the tail.
    ///
    /// # Errors
    /// What is wrong with the request, for the client to read; or that the plugin breaks a rule.
    pub fn parse(&mut self, request: &Request<'_>) -> Result<&str, Error> {
        self.usable()?;
        let part = |text: &str| Str::new(text.as_bytes());
        let header = |(name, value): &(&str, &str)| HttpHeader { name: part(name), value: part(value) };
        let headers: Vec<HttpHeader> = request.headers.iter().map(header).collect();
        let record = HttpRequest {
            headers_len: headers.len() as u32,
            method: part(request.method),
            path: part(request.path),
            headers: headers.as_ptr(),
            body_head: part(request.body_head),
            body_tail: part(request.body_tail),
            ..request::empty()
        };
        let (mut canonical, mut error) = (Str::EMPTY, types::Error::empty());
        // SAFETY: the stream is open; the request is borrowed for the call, the outputs are writable.
        let status =
            unsafe { (self.functions.parse)(self.stream, &raw const record, &raw mut canonical, &raw mut error) };
        self.expect_ok("parse", status, &error)?;
        self.given(canonical, "a canonical request")
    }

    /// The next piece of the reply, perhaps empty. The events are those of a codec, with plain texts.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn encode(&mut self, events: &[StreamEvent<'_>]) -> Result<&str, Error> {
        self.usable()?;
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let (mut piece, mut error) = (Str::EMPTY, types::Error::empty());
        let events = events.as_ptr().cast::<Event>();
        // SAFETY: the stream is open; a `StreamEvent` is an `Event`; they are borrowed for the call, the outputs writable.
        let status = unsafe { (self.functions.encode)(self.stream, events, count, &raw mut piece, &raw mut error) };
        self.expect_ok("encode", status, &error)?;
        self.given(piece, "a piece of a reply")
    }

    /// The end of the reply, or all of one that is not streamed.
    ///
    /// # Errors
    /// As [`ServeStream::encode`].
    pub fn finish(&mut self) -> Result<&str, Error> {
        self.usable()?;
        let (mut piece, mut error) = (Str::EMPTY, types::Error::empty());
        // SAFETY: the stream is open; the outputs are writable.
        let status = unsafe { (self.functions.finish)(self.stream, &raw mut piece, &raw mut error) };
        self.expect_ok("finish", status, &error)?;
        self.given(piece, "the end of a reply")
    }

    /// A text of the plugin, valid until the next call on the stream.
    fn given(&mut self, given: Str, what: &'static str) -> Result<&str, Error> {
        // SAFETY: valid until the next call on the stream, for which the borrow of `self` must be over.
        unsafe { text(given, what) }.map_err(|what| self.misbehaved(what))
    }

    fn usable(&self) -> Result<(), Error> {
        if self.broken { Err(self.plugin.broken()) } else { Ok(()) }
    }

    fn misbehaved(&mut self, what: Misbehaviour) -> Error {
        self.broken = true;
        self.plugin.misbehaved(what)
    }

    fn expect_ok(&mut self, function: &'static str, status: Status, error: &types::Error) -> Result<(), Error> {
        self.broken |= status == E_PANIC || status > OK;
        self.plugin.expect_ok(function, status, error)
    }
}

impl Drop for ServeStream {
    fn drop(&mut self) {
        // SAFETY: opened once and closed here only; `close` is allowed on a broken stream too.
        unsafe { (self.functions.close)(self.stream) };
    }
}

impl core::fmt::Debug for ServeStream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServeStream").field("plugin", &self.plugin.name()).field("broken", &self.broken).finish()
    }
}
