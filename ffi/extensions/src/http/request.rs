//! A request of a plugin, copied and checked.

use core::slice;

use thalweg_abi::failure::Failure;
use thalweg_abi::table::{HttpCall, HttpHeader};
use thalweg_abi::types::Str;

/// A request as a plugin made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// All of it.
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// Perhaps empty.
    pub body: Vec<u8>,
    /// The variable that holds a key for it.
    pub credential: Option<String>,
    /// The header that carries the key, if that is not `authorization`.
    pub credential_header: Option<String>,
}

/// More headers than this is a mistake.
const HEADERS_MAX: u32 = 256;

/// The request behind a record.
///
/// # Safety
/// `request` is NULL or a record of the size it states, whose slices are readable for the call.
pub(super) unsafe fn read(request: *const HttpCall) -> Result<Request, Failure> {
    if request.is_null() || !request.is_aligned() {
        return Err(Failure::invalid("there is no request"));
    }
    // SAFETY: not NULL, and as long as it states.
    if (unsafe { (*request).struct_size } as usize) < size_of::<HttpCall>() {
        return Err(Failure::invalid("the request is smaller than thw_http_call"));
    }
    // SAFETY: large enough.
    let record = unsafe { request.read() };
    if record.headers_len > HEADERS_MAX || (record.headers_len > 0 && record.headers.is_null()) {
        return Err(Failure::invalid(format!("the list of headers is NULL, or has more than {HEADERS_MAX}")));
    }
    let headers: &[HttpHeader] = if record.headers_len == 0 {
        &[]
    } else {
        // SAFETY: an array of that length, by contract.
        unsafe { slice::from_raw_parts(record.headers, record.headers_len as usize) }
    };
    // SAFETY: readable by contract, for each of them.
    let part = |slice| unsafe { text(slice) };
    let headers = headers.iter().map(|header| Ok((part(header.name)?, part(header.value)?)));
    let named = |slice| part(slice).map(|name| (!name.is_empty()).then_some(name));
    Ok(Request {
        method: part(record.method)?,
        url: part(record.url)?,
        headers: headers.collect::<Result<_, Failure>>()?,
        // SAFETY: readable by contract.
        body: unsafe { bytes(record.body) }?.to_vec(),
        credential: named(record.credential)?,
        credential_header: named(record.credential_header)?,
    })
}

/// # Safety
/// `slice` is readable for `'a` if it can be.
unsafe fn bytes<'a>(slice: Str) -> Result<&'a [u8], Failure> {
    if (slice.ptr.is_null() && slice.len > 0) || isize::try_from(slice.len).is_err() {
        return Err(Failure::invalid("a text of the request has a wrong pointer or length"));
    }
    // SAFETY: promised by the caller.
    Ok(unsafe { slice.as_bytes() })
}

/// # Safety
/// As [`bytes`].
unsafe fn text(slice: Str) -> Result<String, Failure> {
    // SAFETY: promised by the caller.
    let bytes = unsafe { bytes(slice) }?;
    let text = core::str::from_utf8(bytes).map_err(|_| Failure::invalid("a text of the request is not UTF-8"))?;
    Ok(text.to_owned())
}
