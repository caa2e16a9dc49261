//! `thw.http/1`: HTTP for plugins, by the engine's client.

use crate::table::{Cancel, HttpHeader};
use crate::types::{Error, Status, Str};
use core::ffi::c_void;

/// Id of [`Http`], an extension of the host.
pub const EXTENSION_HTTP: &str = "thw.http/1";

/// A request of a plugin. All that it points to is borrowed for the call of `send`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HttpCall {
    /// Size as the plugin compiled it.
    pub struct_size: u32,
    /// Number of `headers`.
    pub headers_len: u32,
    /// `GET`, `POST` and so on.
    pub method: Str,
    /// All of it, with scheme and host. Redirects are not followed.
    pub url: Str,
    /// `headers_len` headers beyond those of the engine.
    pub headers: *const HttpHeader,
    /// Bytes of the body; may be empty.
    pub body: Str,
    /// Name of the environment variable that holds a key, which the engine adds; empty for none. The plugin never sees the
    /// key, and it goes only to hosts that the table of providers or the user names for it.
    pub credential: Str,
    /// The header that carries the key; empty for `authorization`, after `Bearer`.
    pub credential_header: Str,
}

/// Takes the reply. The engine copies the table in `send`. Its functions are called on a thread of the engine, one at a
/// time for one exchange, perhaps before `send` has returned; they must not block, and may call `resume` and `abort`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HttpReceiver {
    /// Size as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// The plugin's own; stays valid until `end` has returned.
    pub user: *mut c_void,
    /// The head has come: HTTP status and headers with lower-case names, borrowed for the call. Gives what `body` gives.
    /// May be NULL. `[any-thread]`
    pub head: Option<
        unsafe extern "C" fn(user: *mut c_void, status: u32, headers: *const HttpHeader, headers_len: u32) -> Status,
    >,
    /// Bytes of the body, as they came, borrowed for the call. `THW_OK`: go on. `THW_PENDING`: no more until `resume`; the
    /// server is slowed down, too. Anything else aborts. `[any-thread]`
    pub body: Option<unsafe extern "C" fn(user: *mut c_void, bytes: *const Str) -> Status>,
    /// The last call, exactly once for each exchange, also after `abort`: `THW_OK` when the body is complete, else below 0, and
    /// `error`, borrowed for the call, says why. `[any-thread]`
    pub end: Option<unsafe extern "C" fn(user: *mut c_void, status: Status, error: *const Error)>,
}

/// HTTP for providers that drive themselves and for tools: by the engine's client, with its timeouts, proxy and certificates.
///
/// A plugin may ask only the hosts that the user allowed for it. An exchange belongs to a running call of the plugin, and is
/// aborted when that call is cancelled or ends.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Http {
    /// Size of the table as the engine compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Sends a request. `call` is the `thw_cancel` of the running call; `exchange` is written before any function of
    /// `receiver` is called; `error` is the caller's and may be NULL. On an error no function of `receiver` is called.
    /// `THW_E_REJECTED`: the host, or the key for it, is not allowed. `THW_E_CLOSED`: the call has ended. Does not block.
    /// `[any-thread]`
    pub send: Option<
        unsafe extern "C" fn(
            call: *mut Cancel,
            request: *const HttpCall,
            receiver: *const HttpReceiver,
            exchange: *mut u64,
            error: *mut Error,
        ) -> Status,
    >,
    /// Goes on behind a `THW_PENDING`. `THW_E_CLOSED`: the exchange has ended. `[any-thread]`
    pub resume: Option<unsafe extern "C" fn(exchange: u64) -> Status>,
    /// Ends an exchange: `end` follows soon, on whichever thread. `THW_E_CLOSED`: it has ended. `[any-thread]`
    pub abort: Option<unsafe extern "C" fn(exchange: u64) -> Status>,
}
