//! A request as a plugin wrote it, checked.

use crate::host::Misbehaviour;
use crate::host::check::text;
use crate::table::{HttpHeader, HttpRequest};
use crate::types::Str;

/// A request as a dialect wrote it: borrowed from the plugin until the next call on the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'s> {
    /// `POST`.
    pub method: &'s str,
    /// Path below the provider's base URL.
    pub path: &'s str,
    /// Name and value.
    pub headers: Vec<(&'s str, &'s str)>,
    /// Body before the first message.
    pub body_head: &'s str,
    /// Body after the last message.
    pub body_tail: &'s str,
}

/// A record that a plugin fills.
pub(crate) const fn empty() -> HttpRequest {
    HttpRequest {
        struct_size: size_of::<HttpRequest>() as u32,
        headers_len: 0,
        method: Str::EMPTY,
        path: Str::EMPTY,
        headers: core::ptr::null(),
        body_head: Str::EMPTY,
        body_tail: Str::EMPTY,
    }
}

/// The texts of a request.
///
/// # Safety
/// All slices are readable and unchanged for `'s`.
pub(crate) unsafe fn read<'s>(out: &HttpRequest) -> Result<Request<'s>, Misbehaviour> {
    // SAFETY: promised by the caller, for each of the six.
    let part = |slice, what| unsafe { text(slice, what) };
    let count = out.headers_len as usize;
    if count > HEADERS_MAX || (count > 0 && (out.headers.is_null() || !out.headers.is_aligned())) {
        return Err(Misbehaviour::BadSlice { what: "the list of headers" });
    }
    let headers: &[HttpHeader] = if count == 0 {
        &[]
    } else {
        // SAFETY: an array of that length, as the caller promises.
        unsafe { core::slice::from_raw_parts(out.headers, count) }
    };
    let header = |header: &HttpHeader| Ok((part(header.name, "a header")?, part(header.value, "a header")?));
    Ok(Request {
        method: part(out.method, "the method of a request")?,
        path: part(out.path, "the path of a request")?,
        headers: headers.iter().map(header).collect::<Result<_, _>>()?,
        body_head: part(out.body_head, "the body of a request")?,
        body_tail: part(out.body_tail, "the body of a request")?,
    })
}

/// More headers than this is a mistake.
const HEADERS_MAX: usize = 256;
