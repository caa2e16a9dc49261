//! What makes vectors of texts, loaded or linked in, through its C table.

use crate::host::check::text;
use crate::host::plugin::Started;
use crate::host::request::{self, Request};
use crate::host::{Error, Misbehaviour};
use crate::table::{self, Embed as Table, HttpRequest};
use crate::types::{self, E_PANIC, Frame, FrameRef, OK, Status, Str};
use core::ffi::c_void;
use std::sync::Arc;

/// Numbers that one vector may have.
pub const DIMENSIONS_MAX: usize = 1 << 20;

/// The members of the table, all present.
#[derive(Clone, Copy, Debug)]
struct Functions {
    describe: unsafe extern "C" fn(*mut c_void, *mut Str) -> Status,
    open: unsafe extern "C" fn(*mut c_void, *const Str, *mut *mut c_void, *mut types::Error) -> Status,
    encode: unsafe extern "C" fn(*mut c_void, *const Str, *mut HttpRequest, *mut types::Error) -> Status,
    decode: unsafe extern "C" fn(*mut c_void, *const Frame, *mut table::Embeddings, *mut types::Error) -> Status,
    close: unsafe extern "C" fn(*mut c_void),
}

/// The part of a plugin that makes vectors of texts. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Embed {
    plugin: Arc<Started>,
    functions: Functions,
}

impl Embed {
    /// Reads the table, in which nothing may be missing.
    pub(crate) fn read(plugin: &Arc<Started>, table: *const Table) -> Result<Self, Error> {
        // SAFETY: the plugin gave it as its embed table.
        let table = unsafe { plugin.read(table, "thw_embed") }?;
        let missing = |function| plugin.missing("thw_embed", function);
        let functions = Functions {
            describe: table.describe.ok_or_else(|| missing("describe"))?,
            open: table.open.ok_or_else(|| missing("open"))?,
            encode: table.encode.ok_or_else(|| missing("encode"))?,
            decode: table.decode.ok_or_else(|| missing("decode"))?,
            close: table.close.ok_or_else(|| missing("close"))?,
        };
        Ok(Self { plugin: Arc::clone(plugin), functions })
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// JSON that says which dialect it is of, and how many texts a request may have; see docs/PLUGINS.md.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn describe(&self) -> Result<String, Error> {
        // SAFETY: the function takes the plugin's context and gives a text that lives until `deinit`.
        unsafe { self.plugin.describe(self.functions.describe, "the description of its vectors") }
    }

    /// Opens a stream. `options` is JSON, as that of a codec.
    ///
    /// # Errors
    /// When the plugin refuses the options or breaks a rule.
    pub fn open(&self, options: &str) -> Result<EmbedStream, Error> {
        // SAFETY: the function is that of the plugin's table.
        let stream = unsafe { self.plugin.open(self.functions.open, options) }?;
        Ok(EmbedStream { plugin: Arc::clone(&self.plugin), functions: self.functions, stream, broken: false })
    }
}

/// One request for vectors after the other. Used by one thread at a time, whichever.
///
/// After a panic of the plugin or a broken rule it gives [`Error::Broken`] for everything; open a new one.
pub struct EmbedStream {
    plugin: Arc<Started>,
    functions: Functions,
    stream: *mut c_void,
    broken: bool,
}

// SAFETY: by contract a stream may be used from any thread, one call at a time, which `&mut self` ensures.
unsafe impl Send for EmbedStream {}

/// The vectors of one reply: borrowed from the plugin until the next call on the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings<'s> {
    /// One vector after the other, in the order of the texts.
    pub values: &'s [f32],
    /// Numbers of one vector.
    pub dimensions: usize,
    /// Tokens that were read, where the provider says.
    pub input_tokens: Option<u64>,
    /// The model that the provider names; may be empty.
    pub model: &'s str,
}

impl EmbedStream {
    /// Writes a request: `{"model":s,"texts":[s],"dimensions"?:n,"extra"?:{}}`. Its body is the head, then the tail.
    ///
    /// # Errors
    /// When the dialect cannot say it, or the plugin breaks a rule.
    pub fn encode(&mut self, request: &str) -> Result<Request<'_>, Error> {
        self.usable()?;
        let request = Str::new(request.as_bytes());
        let mut out = request::empty();
        let mut error = types::Error::empty();
        // SAFETY: the stream is open; `request` is borrowed for the call, the outputs are writable.
        let status = unsafe { (self.functions.encode)(self.stream, &raw const request, &raw mut out, &raw mut error) };
        self.expect_ok("encode", status, &error)?;
        // SAFETY: valid until the next call on the stream, for which the borrow of `self` must be over.
        unsafe { request::read(&out) }.map_err(|what| self.misbehaved(what))
    }

    /// Reads the reply to a request that had `texts` texts.
    ///
    /// # Errors
    /// What the provider said in an error; or that the reply is not one, or that the plugin breaks a rule.
    pub fn decode(&mut self, reply: &FrameRef<'_>, texts: usize) -> Result<Embeddings<'_>, Error> {
        self.usable()?;
        let mut out = table::Embeddings {
            struct_size: size_of::<table::Embeddings>() as u32,
            flags: 0,
            values: core::ptr::null(),
            count: 0,
            dimensions: 0,
            input_tokens: -1,
            model: Str::EMPTY,
        };
        let mut error = types::Error::empty();
        // SAFETY: the stream is open; the reply is borrowed for the call, the outputs are writable.
        let status =
            unsafe { (self.functions.decode)(self.stream, &raw const *reply.as_raw(), &raw mut out, &raw mut error) };
        self.expect_ok("decode", status, &error)?;
        // SAFETY: valid until the next call on the stream, for which the borrow of `self` must be over.
        unsafe { read(&out, texts) }.map_err(|what| self.misbehaved(what))
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

impl Drop for EmbedStream {
    fn drop(&mut self) {
        // SAFETY: opened once and closed here only; `close` is allowed on a broken stream too.
        unsafe { (self.functions.close)(self.stream) };
    }
}

impl core::fmt::Debug for EmbedStream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EmbedStream").field("plugin", &self.plugin.name()).field("broken", &self.broken).finish()
    }
}

/// The vectors of a record.
///
/// # Safety
/// What its counts and lengths say is readable and unchanged for `'s`, if they can be true.
unsafe fn read<'s>(out: &table::Embeddings, texts: usize) -> Result<Embeddings<'s>, Misbehaviour> {
    let (count, dimensions) = (out.count as usize, out.dimensions as usize);
    if count != texts {
        return Err(Misbehaviour::WrongCount { what: "vectors", count, expected: texts });
    }
    if dimensions > DIMENSIONS_MAX {
        return Err(Misbehaviour::TooMuch { what: "numbers in a vector", count: dimensions, limit: DIMENSIONS_MAX });
    }
    let numbers = count.checked_mul(dimensions).filter(|numbers| isize::try_from(numbers.saturating_mul(4)).is_ok());
    let bad = Misbehaviour::BadSlice { what: "the numbers of its vectors" };
    let values = match numbers {
        Some(0) if count == 0 => &[],
        // Vectors without numbers are none.
        Some(0) | None => return Err(bad),
        Some(_) if out.values.is_null() || !out.values.is_aligned() => return Err(bad),
        // SAFETY: neither NULL nor misaligned nor too long, and as long as the caller promises.
        Some(numbers) => unsafe { core::slice::from_raw_parts(out.values, numbers) },
    };
    // SAFETY: promised by the caller.
    let model = unsafe { text(out.model, "the model of its vectors") }?;
    Ok(Embeddings { values, dimensions, input_tokens: u64::try_from(out.input_tokens).ok(), model })
}
