//! The embed table of a package.

use super::guard::{guard, text};
use super::request::Written;
use super::{describe_to, instance, open_to};
use crate::failure::Failure;
use crate::guest::{Embed, EmbedStream, Embeddings, Package};
use crate::table::{self, Embed as Table, HttpRequest};
use crate::types::{E_STATE, Error, Frame, FrameRef, OK, Status, Str};
use core::ffi::c_void;
use core::marker::PhantomData;

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table {
            struct_size: size_of::<Table>() as u32,
            flags: 0,
            describe: Some(describe::<P>),
            open: Some(open::<P>),
            encode: Some(encode),
            decode: Some(decode),
            close: Some(close),
        };
    }
    &Of::<P>::TABLE
}

/// An open stream, and what the C side reads until the next call.
struct Stream {
    embed: Box<dyn EmbedStream>,
    written: Written,
    embeddings: Embeddings,
    /// A panic left it in an unknown state: only `close` is allowed.
    poisoned: bool,
}

/// The stream behind a handle, if it may be used.
///
/// # Safety
/// `stream` is NULL or a handle from `open` that is not closed, and no other call on it is running.
unsafe fn usable<'s>(stream: *mut c_void) -> Result<&'s mut Stream, Failure> {
    // SAFETY: promised by the caller.
    let stream = unsafe { stream.cast::<Stream>().as_mut() }.ok_or(Failure::invalid("the stream is NULL"))?;
    if stream.poisoned {
        return Err(Failure::new(E_STATE, "the plugin panicked earlier; close the stream and open a new one"));
    }
    Ok(stream)
}

impl Stream {
    /// Runs the author's code: the stream stays poisoned if it does not come back.
    fn run<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        self.poisoned = true;
        let result = work(self);
        self.poisoned = false;
        result
    }
}

/// # Safety
/// `context` is NULL or from `entry`, and not ended.
unsafe fn embed<'a, P: Package>(context: *mut c_void) -> Result<&'a dyn Embed, Failure> {
    // SAFETY: promised by the caller.
    let instance = unsafe { instance::<P>(context) }?;
    instance.embed.as_deref().ok_or(Failure::unsupported("the plugin makes no vectors"))
}

/// # Safety
/// As [`Table::describe`] says.
unsafe extern "C" fn describe<P: Package>(context: *mut c_void, json: *mut Str) -> Status {
    // SAFETY: by contract.
    let embed = || unsafe { embed::<P>(context) };
    // SAFETY: by contract.
    unsafe { describe_to(json, || Ok(embed()?.describe())) }
}

/// # Safety
/// As [`Table::open`] says.
unsafe extern "C" fn open<P: Package>(
    context: *mut c_void,
    options: *const Str,
    stream: *mut *mut c_void,
    error: *mut Error,
) -> Status {
    let open = |options: &str| {
        // SAFETY: by contract.
        let embed = unsafe { embed::<P>(context) }?;
        Ok(Stream {
            embed: embed.open(options)?,
            written: Written::default(),
            embeddings: Embeddings::default(),
            poisoned: false,
        })
    };
    // SAFETY: by contract.
    unsafe { open_to(options, stream, error, open) }
}

/// # Safety
/// As [`Table::encode`] says.
unsafe extern "C" fn encode(
    stream: *mut c_void,
    request: *const Str,
    out: *mut HttpRequest,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable(stream) }?;
        // SAFETY: borrowed for the call, by contract.
        let request = unsafe { text(request) }?;
        // SAFETY: NULL or the engine's record, by contract.
        unsafe { stream.written.clear(out) }?;
        stream.run(|stream| stream.embed.encode(request, &mut stream.written.request))?;
        // SAFETY: as above.
        unsafe { stream.written.give(out) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::decode`] says.
unsafe extern "C" fn decode(
    stream: *mut c_void,
    reply: *const Frame,
    out: *mut table::Embeddings,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable(stream) }?;
        if reply.is_null() || out.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: not NULL; the engine filled the size.
        let room = unsafe { (*out).struct_size };
        if (room as usize) < size_of::<table::Embeddings>() {
            return Err(Failure::invalid("the place for the vectors is too small"));
        }
        // SAFETY: not NULL, readable by contract.
        let reply = unsafe { reply.read() };
        // SAFETY: its slices are borrowed for the call, by contract.
        let reply = unsafe { FrameRef::from_raw(reply) };
        stream.embeddings.clear();
        stream.run(|stream| stream.embed.decode(&reply, &mut stream.embeddings))?;
        let Embeddings { values, dimensions, input_tokens, model } = &stream.embeddings;
        let count = values.len().checked_div(*dimensions as usize).unwrap_or(0);
        let record = table::Embeddings {
            struct_size: room,
            flags: 0,
            values: values.as_ptr(),
            count: u32::try_from(count).map_err(|_| Failure::invalid("there are too many vectors"))?,
            dimensions: *dimensions,
            input_tokens: input_tokens.map_or(-1, |tokens| i64::try_from(tokens).unwrap_or(i64::MAX)),
            model: Str::new(model.as_bytes()),
        };
        // SAFETY: there is room for it.
        unsafe { out.write(record) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::close`] says.
unsafe extern "C" fn close(stream: *mut c_void) {
    let work = || {
        if !stream.is_null() {
            // SAFETY: from `open`, closed once, by contract.
            drop(unsafe { Box::from_raw(stream.cast::<Stream>()) });
        }
        Ok(OK)
    };
    // SAFETY: NULL is allowed. A panic of a destructor has nobody to be told to.
    unsafe { guard(core::ptr::null_mut(), work) };
}
