//! A request of a package as the other side reads it.

use crate::failure::Failure;
use crate::guest::Request;
use crate::table::{HttpHeader, HttpRequest};
use crate::types::Str;

/// A request, and the C form of its headers.
#[derive(Default)]
pub(super) struct Written {
    pub(super) request: Request,
    headers: Vec<HttpHeader>,
}

impl Written {
    /// Empties it, and checks that there is room for what will be written.
    ///
    /// # Safety
    /// `out` is NULL or states its size.
    pub(super) unsafe fn clear(&mut self, out: *const HttpRequest) -> Result<(), Failure> {
        if out.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: not NULL; the engine filled the size.
        let room = unsafe { (*out).struct_size } as usize;
        if room < size_of::<HttpRequest>() {
            return Err(Failure::invalid("the place for the request is too small"));
        }
        self.request.clear();
        Ok(())
    }

    /// Writes the request to the engine's record; it stays until the next call on the stream.
    ///
    /// # Safety
    /// `out` was given to [`Written::clear`], which found it right.
    pub(super) unsafe fn give(&mut self, out: *mut HttpRequest) {
        let Self { request, headers } = self;
        headers.clear();
        headers.extend(
            request
                .headers
                .iter()
                .map(|(name, value)| HttpHeader { name: Str::new(name.as_bytes()), value: Str::new(value.as_bytes()) }),
        );
        // SAFETY: as above.
        let room = unsafe { (*out).struct_size };
        let record = HttpRequest {
            struct_size: room,
            headers_len: headers.len() as u32,
            method: Str::new(b"POST"),
            path: Str::new(request.path.as_bytes()),
            headers: headers.as_ptr(),
            body_head: Str::new(request.body_head.as_bytes()),
            body_tail: Str::new(request.body_tail.as_bytes()),
        };
        // SAFETY: there is room for it.
        unsafe { out.write(record) };
    }
}
