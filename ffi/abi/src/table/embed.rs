//! `thw.embed/1`: texts to vectors.

use crate::table::HttpRequest;
use crate::types::{Error, Frame, Status, Str};
use core::ffi::c_void;

/// Id of [`Embed`].
pub const INTERFACE_EMBED: &str = "thw.embed/1";

/// The vectors of one reply, and what they cost. All that it points to is the plugin's, valid until the next call on the
/// stream.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Embeddings {
    /// In: size as the engine compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// `count` times `dimensions` numbers, one vector after the other in the order of the texts.
    pub values: *const f32,
    /// Number of vectors: as many as there were texts.
    pub count: u32,
    /// Numbers of one vector.
    pub dimensions: u32,
    /// Tokens that were read, or -1 where the provider does not say.
    pub input_tokens: i64,
    /// The model that the provider names; may be empty.
    pub model: Str,
}

/// Writes requests for vectors and reads their replies. As a codec it does no I/O and knows no key: the engine sends what
/// `encode` wrote to the provider, signed, and hands the whole body of the reply to `decode`. So the plugin of a dialect
/// has both, a [`Codec`](crate::table::Codec) for messages and this for vectors.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Embed {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Gives JSON: `dialect` and `auth` as those of a codec, and `texts_max`, how many texts one request may have. The text
    /// is the plugin's and lives until `deinit`. `[any-thread]`
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, json: *mut Str) -> Status>,
    /// Opens a stream, which does one request after the other. `options` is JSON as that of a codec, borrowed for the call.
    /// The stream is the plugin's memory and the engine's to close, once; it is never NULL on success. `error` is the
    /// caller's, here and below; it may be NULL. `[any-thread]`
    pub open: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            options: *const Str,
            stream: *mut *mut c_void,
            error: *mut Error,
        ) -> Status,
    >,
    /// Writes a request. `request` is JSON, borrowed for the call: `{"model":s,"texts":[s],"dimensions"?:n,"extra"?:{}}`. The
    /// body is `body_head`, then `body_tail`. All that `out` points to is the plugin's, valid until the next call on the
    /// stream. `[stream-thread]`
    pub encode: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            request: *const Str,
            out: *mut HttpRequest,
            error: *mut Error,
        ) -> Status,
    >,
    /// Reads the reply to the request that was written last: a `THW_FRAME_WHOLE_BODY`, borrowed for the call, or a
    /// `THW_FRAME_ERROR_BODY`, for which it fails with `THW_E_REMOTE` and says in `error` what the provider said.
    /// `[stream-thread]`
    pub decode: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            reply: *const Frame,
            out: *mut Embeddings,
            error: *mut Error,
        ) -> Status,
    >,
    /// Ends the stream and frees it; allowed after every error. NULL is accepted. `[stream-thread]`
    pub close: Option<unsafe extern "C" fn(stream: *mut c_void)>,
}
