//! `thw.serve/1`: a dialect from the side of the server.

use crate::table::HttpRequest;
use crate::types::{Error, Event, Status, Str};
use core::ffi::c_void;

/// Id of [`Serve`].
pub const INTERFACE_SERVE: &str = "thw.serve/1";

/// A dialect as a server speaks it: reads the requests of clients and writes the replies. Does no I/O, knows no key and no
/// clock.
///
/// A stream serves one request: `parse`, then `encode` as events come, then `finish`, once. The reply is streamed if the
/// canonical request that `parse` gave says `"stream":true`, else it is one body, which `finish` gives whole.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Serve {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Gives JSON: `dialect`, and `framing` as that of a codec: how a streamed reply is cut. The text is the plugin's and
    /// lives until `deinit`. `[any-thread]`
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, json: *mut Str) -> Status>,
    /// Opens a stream. `options` is a JSON object, borrowed for the call: `{"id"?:s,"created"?:n}`, the id of the reply and its
    /// time in seconds since 1970, for dialects that have them. The stream is the plugin's memory and the engine's to
    /// close, once; it is never NULL on success. `error` is the caller's, here and below; it may be NULL. `[any-thread]`
    pub open: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            options: *const Str,
            stream: *mut *mut c_void,
            error: *mut Error,
        ) -> Status,
    >,
    /// Reads a client's request, borrowed for the call; its body is `body_head`, then `body_tail`. Writes the canonical
    /// request with its key `messages`: what the dialect has no canonical word for stands in `extra`. The text behind
    /// `canonical` is the plugin's, valid until the next call on the stream. `THW_E_INVALID`: it is no request of the
    /// dialect; `error` says what is wrong, for the client. `[stream-thread]`
    pub parse: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            request: *const HttpRequest,
            canonical: *mut Str,
            error: *mut Error,
        ) -> Status,
    >,
    /// Writes `count` events as the next piece of the reply, which may be empty. The events are those that a codec gives,
    /// with plain texts, borrowed for the call; kinds that the dialect has no word for are skipped. The text behind
    /// `piece` is the plugin's, valid until the next call on the stream. `[stream-thread]`
    pub encode: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            events: *const Event,
            count: u32,
            piece: *mut Str,
            error: *mut Error,
        ) -> Status,
    >,
    /// Writes the end of the reply, or all of one that is not streamed. Before any event it writes the reply to a request
    /// that failed: `THW_EVENT_ERROR` first. The text behind `piece` is the plugin's, valid until the next call on the
    /// stream. `[stream-thread]`
    pub finish: Option<unsafe extern "C" fn(stream: *mut c_void, piece: *mut Str, error: *mut Error) -> Status>,
    /// Ends the stream and frees it; allowed after every error. NULL is accepted. `[stream-thread]`
    pub close: Option<unsafe extern "C" fn(stream: *mut c_void)>,
}
