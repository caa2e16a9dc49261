//! The serve table of a package.

use super::guard::{guard, text};
use super::{describe_to, instance, open_to};
use crate::failure::Failure;
use crate::guest::{ClientRequest, Package, Serve, ServeStream};
use crate::table::{HttpHeader, HttpRequest, Serve as Table};
use crate::types::{E_STATE, Error, Event, OK, Status, Str, StreamEvent};
use core::ffi::c_void;
use core::marker::PhantomData;
use std::borrow::Cow;

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table {
            struct_size: size_of::<Table>() as u32,
            flags: 0,
            describe: Some(describe::<P>),
            open: Some(open::<P>),
            parse: Some(parse),
            encode: Some(encode),
            finish: Some(finish),
            close: Some(close),
        };
    }
    &Of::<P>::TABLE
}

/// An open stream, and what the C side reads until the next call.
struct Stream {
    serve: Box<dyn ServeStream>,
    given: String,
    /// A panic left it in an unknown state: only `close` is allowed.
    poisoned: bool,
}

/// The stream behind a handle, if it may be used; `out` is where its text goes.
///
/// # Safety
/// `stream` is NULL or a handle from `open` that is not closed, and no other call on it is running.
unsafe fn usable<'s>(stream: *mut c_void, out: *const Str) -> Result<&'s mut Stream, Failure> {
    // SAFETY: promised by the caller.
    let stream = unsafe { stream.cast::<Stream>().as_mut() }.ok_or(Failure::invalid("the stream is NULL"))?;
    if stream.poisoned {
        return Err(Failure::new(E_STATE, "the plugin panicked earlier; close the stream and open a new one"));
    }
    if out.is_null() {
        return Err(Failure::invalid("an argument is NULL"));
    }
    stream.given.clear();
    Ok(stream)
}

impl Stream {
    /// Runs the author's code: the stream stays poisoned if it does not come back.
    fn run<R>(&mut self, work: impl FnOnce(&mut dyn ServeStream, &mut String) -> R) -> R {
        self.poisoned = true;
        let result = work(&mut *self.serve, &mut self.given);
        self.poisoned = false;
        result
    }
}

/// # Safety
/// `context` is NULL or from `entry`, and not ended.
unsafe fn serve<'a, P: Package>(context: *mut c_void) -> Result<&'a dyn Serve, Failure> {
    // SAFETY: promised by the caller.
    let instance = unsafe { instance::<P>(context) }?;
    instance.serve.as_deref().ok_or(Failure::unsupported("the plugin serves no dialect"))
}

/// # Safety
/// As [`Table::describe`] says.
unsafe extern "C" fn describe<P: Package>(context: *mut c_void, json: *mut Str) -> Status {
    // SAFETY: by contract.
    let serve = || unsafe { serve::<P>(context) };
    // SAFETY: by contract.
    unsafe { describe_to(json, || Ok(serve()?.describe())) }
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
        let serve = unsafe { serve::<P>(context) }?;
        Ok(Stream { serve: serve.open(options)?, given: String::new(), poisoned: false })
    };
    // SAFETY: by contract.
    unsafe { open_to(options, stream, error, open) }
}

/// The request behind a record.
///
/// # Safety
/// `request` is NULL or a record whose slices are readable and unchanged for `'a`.
unsafe fn client_request<'a>(request: *const HttpRequest) -> Result<ClientRequest<'a>, Failure> {
    if request.is_null() {
        return Err(Failure::invalid("an argument is NULL"));
    }
    // SAFETY: not NULL; the engine filled the size.
    if (unsafe { (*request).struct_size } as usize) < size_of::<HttpRequest>() {
        return Err(Failure::invalid("the request is of another version"));
    }
    // SAFETY: large enough.
    let record = unsafe { request.read() };
    // SAFETY: readable, as promised by the caller; for each of them.
    let part = |text: &Str| unsafe { self::text(&raw const *text) };
    let headers: &[HttpHeader] = if record.headers_len == 0 || record.headers.is_null() {
        &[]
    } else {
        // SAFETY: an array of that length, as promised by the caller.
        unsafe { core::slice::from_raw_parts(record.headers, record.headers_len as usize) }
    };
    let headers = headers.iter().map(|header| Ok((part(&header.name)?, part(&header.value)?)));
    let (head, tail) = (part(&record.body_head)?, part(&record.body_tail)?);
    Ok(ClientRequest {
        method: part(&record.method)?,
        path: part(&record.path)?,
        headers: headers.collect::<Result<_, Failure>>()?,
        body: if tail.is_empty() { Cow::Borrowed(head) } else { Cow::Owned([head, tail].concat()) },
    })
}

/// # Safety
/// As [`Table::parse`] says.
unsafe extern "C" fn parse(
    stream: *mut c_void,
    request: *const HttpRequest,
    canonical: *mut Str,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable(stream, canonical) }?;
        // SAFETY: borrowed for the call, by contract.
        let request = unsafe { client_request(request) }?;
        stream.run(|serve, given| serve.parse(&request, given))?;
        // SAFETY: not NULL, writable by contract.
        unsafe { canonical.write(Str::new(stream.given.as_bytes())) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::encode`] says.
unsafe extern "C" fn encode(
    stream: *mut c_void,
    events: *const Event,
    count: u32,
    piece: *mut Str,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable(stream, piece) }?;
        if events.is_null() && count > 0 {
            return Err(Failure::invalid("an argument is NULL"));
        }
        let events: &[StreamEvent<'_>] = if count == 0 {
            &[]
        } else {
            // SAFETY: an array of that length, borrowed for the call; a `StreamEvent` is an `Event`.
            unsafe { core::slice::from_raw_parts(events.cast(), count as usize) }
        };
        stream.run(|serve, given| events.iter().for_each(|event| serve.encode(event, given)));
        // SAFETY: not NULL, writable by contract.
        unsafe { piece.write(Str::new(stream.given.as_bytes())) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::finish`] says.
unsafe extern "C" fn finish(stream: *mut c_void, piece: *mut Str, error: *mut Error) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable(stream, piece) }?;
        stream.run(ServeStream::finish);
        // SAFETY: not NULL, writable by contract.
        unsafe { piece.write(Str::new(stream.given.as_bytes())) };
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
