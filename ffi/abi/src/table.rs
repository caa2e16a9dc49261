//! The tables of the plugin ABI, version 1: manifest, host services, plugin, codec, provider, tool; and, in files of their
//! own, models, embed, serve and http.
//!
//! Every table starts with its size as the side that made it compiled it; tables only ever grow at the end, and a
//! reader treats what lies past the size, or is NULL, as absent. Each function says on which thread it is called:
//! `[any-thread]` from any thread, also at the same time; `[stream-thread]` from any thread, one call at a time for
//! one stream; `[entry-thread]` never at the same time as anything else of the plugin.

use crate::types::{Error, Event, Frame, Status, Str};
use core::ffi::{c_char, c_void};

mod embed;
mod http;
mod models;
mod serve;

pub use embed::{Embed, Embeddings, INTERFACE_EMBED};
pub use http::{EXTENSION_HTTP, Http, HttpCall, HttpReceiver};
pub use models::{INTERFACE_MODELS, Models};
pub use serve::{INTERFACE_SERVE, Serve};

/// Version of the ABI that cannot be mixed.
pub const ABI_MAJOR: u32 = 1;
/// Version of the ABI that only adds.
pub const ABI_MINOR: u32 = 1;
/// `THW1`, little-endian.
pub const MANIFEST_MAGIC: u32 = 0x3157_4854;

/// What a plugin says of itself, readable from the file before any of its code runs.
///
/// Exported as the data symbol `thw_plugin_manifest_v1`. Texts are UTF-8, padded with NUL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Manifest {
    /// `THW_MANIFEST_MAGIC`.
    pub magic: u32,
    /// `sizeof(thw_manifest)`.
    pub struct_size: u32,
    /// `THW_ABI_MAJOR` of the header that the plugin was built with.
    pub abi_major: u32,
    /// `THW_ABI_MINOR` of the header that the plugin was built with.
    pub abi_minor: u32,
    /// The oldest minor version of a host that it runs on.
    pub min_host_minor: u32,
    /// Bits of a pointer.
    pub pointer_bits: u32,
    /// `sizeof(thw_event)`: tells a wrong layout early.
    pub event_size: u32,
    /// `THW_MANIFEST_*` flags.
    pub flags: u32,
    /// Reverse-domain or short id, for example `thalweg.openai`.
    pub id: [u8; 64],
    /// Version of the plugin.
    pub version: [u8; 32],
    /// Compiler and settings, for logs.
    pub build: [u8; 64],
    /// CPU features that it needs beyond the baseline; empty for none.
    pub cpu: [u8; 32],
}

// No padding, so all bytes of a manifest can be read.
const _: () = assert!(size_of::<Manifest>() == 8 * 4 + 64 + 32 + 64 + 32);

impl Manifest {
    /// The manifest in the bytes of a file; what is missing at the end is zeros, which no check lets pass.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut whole = [0_u8; size_of::<Self>()];
        let len = bytes.len().min(whole.len());
        whole[..len].copy_from_slice(&bytes[..len]);
        // SAFETY: as many bytes as a manifest has, and all its members are integers or bytes.
        unsafe { whole.as_ptr().cast::<Self>().read_unaligned() }
    }

    /// All bytes of the manifest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        // SAFETY: a manifest has no padding, as asserted above.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }

    /// The id, as far as it is UTF-8.
    #[must_use]
    pub fn id(&self) -> &str {
        unpadded(&self.id)
    }

    /// The version, as far as it is UTF-8.
    #[must_use]
    pub fn version(&self) -> &str {
        unpadded(&self.version)
    }

    /// Compiler and settings, as far as they are UTF-8.
    #[must_use]
    pub fn build(&self) -> &str {
        unpadded(&self.build)
    }
}

/// The text before the padding, up to the first byte that is not UTF-8.
fn unpadded(field: &[u8]) -> &str {
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// The plugin starts threads of its own.
pub const MANIFEST_THREADS: u32 = 1;
/// The plugin was built so that a panic aborts the process; the host refuses it.
pub const MANIFEST_PANIC_ABORT: u32 = 2;

/// The engine, as a plugin sees it.
#[repr(C)]
pub struct Host {
    _opaque: [u8; 0],
}

/// Where a tool puts its progress and its answer, and a provider the events of its reply.
#[repr(C)]
pub struct Sink {
    _opaque: [u8; 0],
}

/// Tells a tool or a provider that nobody waits any more.
#[repr(C)]
pub struct Cancel {
    _opaque: [u8; 0],
}

/// What the engine offers to a plugin. Lives as long as the process; a plugin may keep the pointer.
///
/// Every function may be called from any thread, blocks never and unwinds never, and must not be called after `deinit`
/// has returned. `host` is the pointer that the entry function got.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HostServices {
    /// Size of the table as the engine compiled it.
    pub struct_size: u32,
    /// The smaller of both minor versions.
    pub abi_minor: u32,
    /// Writes a line to the engine's log. `level`: 1 error, 2 warning, 3 info, 4 debug, 5 trace. Both texts are
    /// copied before it returns. `[any-thread]`
    pub log: Option<unsafe extern "C" fn(host: *const Host, level: i32, target: *const Str, message: *const Str)>,
    /// 1 if a line of this level would be written, else 0. `[any-thread]`
    pub log_enabled: Option<unsafe extern "C" fn(host: *const Host, level: i32) -> i32>,
    /// Memory that may change hands between plugin and engine; NULL when there is none or `size` is 0. `align` is a
    /// power of two. It belongs to the caller until given back with `dealloc`. `[any-thread]`
    pub alloc: Option<unsafe extern "C" fn(host: *const Host, size: usize, align: usize) -> *mut c_void>,
    /// Takes back what `alloc` gave, with the same `size` and `align`. NULL is accepted. `[any-thread]`
    pub dealloc: Option<unsafe extern "C" fn(host: *const Host, memory: *mut c_void, size: usize, align: usize)>,
    /// Monotonic clock in nanoseconds. `[any-thread]`
    pub now_ns: Option<unsafe extern "C" fn(host: *const Host) -> u64>,
    /// A further service by its id (NUL-terminated, borrowed for the call), or NULL when there is none. What it points
    /// to lives as long as the process. `[any-thread]`
    pub get_extension: Option<unsafe extern "C" fn(host: *const Host, id: *const c_char) -> *const c_void>,
    /// Hands `count` events to the engine, which copies them and their texts before it returns. From a tool, kinds other
    /// than `THW_EVENT_TOOL_PROGRESS` and `THW_EVENT_TOOL_RESULT` are skipped; from a provider, kinds other than those
    /// that a codec gives. `THW_OK`: taken. `THW_PENDING`: taken, and please slow down: see `sink_wait`. `THW_E_CLOSED`:
    /// nobody listens any more, end the work. `THW_E_INVALID`: a text is not UTF-8; the call will fail. One sink is used
    /// by one thread at a time. `[any-thread]`
    pub sink_push: Option<unsafe extern "C" fn(sink: *mut Sink, events: *const Event, count: u32) -> Status>,
    /// Ends the work behind the sink, exactly once: `sink` and `cancel` of the call are gone when it returns, and so are
    /// all registrations of `on_cancel`, whose callbacks are not running any more. `status` is `THW_OK`, or below 0 for
    /// a failure that `error` explains (borrowed for the call; NULL is allowed). A second call does nothing and returns
    /// `THW_E_CLOSED`. Hold no lock that a callback of `on_cancel` takes. `[any-thread]`
    pub sink_finish: Option<unsafe extern "C" fn(sink: *mut Sink, status: Status, error: *const Error) -> Status>,
    /// 1 once the work was cancelled, else 0. Cheap enough for a loop. `[any-thread]`
    pub is_cancelled: Option<unsafe extern "C" fn(cancel: *const Cancel) -> i32>,
    /// Has `callback(user)` called once when the work is cancelled: on any thread, and at once, before this returns, if
    /// it already is. The callback must not block. `user` stays the plugin's, which keeps it until `off_cancel` or
    /// `sink_finish` has returned. Gives a registration, which is 0 only if `callback` is NULL. `[any-thread]`
    pub on_cancel: Option<
        unsafe extern "C" fn(
            cancel: *mut Cancel,
            callback: Option<unsafe extern "C" fn(user: *mut c_void)>,
            user: *mut c_void,
        ) -> u64,
    >,
    /// Takes a registration back: the callback is not called any more, and is not running once this has returned,
    /// unless it is called from the callback itself. Hold no lock that the callback takes. `[any-thread]`
    pub off_cancel: Option<unsafe extern "C" fn(cancel: *mut Cancel, registration: u64)>,
    /// Blocks until the engine has taken what was pushed, at most `timeout_ms` milliseconds; 0 only asks, below 0 is
    /// without limit. `THW_OK`: push on. `THW_PENDING`: the time is over. `THW_E_CLOSED`: cancelled, or nobody listens any
    /// more. Before it is called, a provider may have pushed 64 MiB ahead; further pushes fail the reply. `[any-thread]`
    pub sink_wait: Option<unsafe extern "C" fn(sink: *mut Sink, timeout_ms: i32) -> Status>,
}

/// What a plugin offers. The engine fills it with zeros and its own `struct_size`; the plugin writes at most that much.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// In: size as the engine compiled it. Out: size as the plugin compiled it, if smaller.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// The plugin's own; handed back to every function that asks for a context. May be NULL.
    pub context: *mut c_void,
    /// Ends the plugin; called at most once and nothing is called after it. Not called while one of its tools still holds
    /// a sink. May be NULL. `[entry-thread]`
    pub deinit: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// The table for an interface by its id (NUL-terminated, borrowed for the call): `thw_codec` for "thw.codec/1",
    /// `thw_tool` for "thw.tool/1" and so on; NULL for any that is not offered. The table stays the plugin's, does not
    /// change and lives until `deinit`. `[any-thread]`
    pub get_interface: Option<unsafe extern "C" fn(context: *mut c_void, id: *const c_char) -> *const c_void>,
}

/// The one function that a plugin exports, as `thw_plugin_entry_v1`. It sets up and starts no work.
///
/// `host` and `services` live as long as the process. `host_minor` is the minor version of the engine. `plugin` is the
/// engine's: zeros but for its `struct_size`; the plugin fills it and keeps no pointer to it. On an error `plugin` is left
/// as it was and `error`, which is the caller's and may be NULL, says why. Called again, it gives another plugin with a
/// context of its own. `[entry-thread]`
pub type PluginEntry = unsafe extern "C" fn(
    host: *const Host,
    services: *const HostServices,
    host_minor: u32,
    plugin: *mut Plugin,
    error: *mut Error,
) -> Status;

/// Name of the entry symbol.
pub const ENTRY_SYMBOL: &str = "thw_plugin_entry_v1";
/// Name of the manifest symbol.
pub const MANIFEST_SYMBOL: &str = "thw_plugin_manifest_v1";
/// Id of [`Codec`].
pub const INTERFACE_CODEC: &str = "thw.codec/1";
/// Id of [`Provider`].
pub const INTERFACE_PROVIDER: &str = "thw.provider/1";
/// Id of [`Tool`].
pub const INTERFACE_TOOL: &str = "thw.tool/1";

/// Id of [`Json`], an extension of the host.
pub const EXTENSION_JSON: &str = "thw.json/1";

/// Lookups in JSON, so that a plugin in C needs no parser. Texts are borrowed for the call, and what is found is a part
/// of what was searched. All functions may be called from any thread and do not block.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Json {
    /// Size of the table as the engine compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Finds the value that `pointer` leads to in `json`: a JSON pointer (RFC 6901), for example `/messages/-1/role`,
    /// where a number below 0 counts from the end of an array. `value` is JSON: a string has its quotes. `THW_EOF`:
    /// nothing is there. `THW_E_INVALID`: not JSON, or no pointer. `[any-thread]`
    pub find: Option<unsafe extern "C" fn(json: *const Str, pointer: *const Str, value: *mut Str) -> Status>,
    /// Number of elements of an array. `THW_E_INVALID`: it is none. `[any-thread]`
    pub count: Option<unsafe extern "C" fn(array: *const Str, number: *mut usize) -> Status>,
    /// Writes what a JSON string says, quotes and escapes resolved: at most `cap` bytes to `out`, which is the caller's,
    /// cut between characters, without a NUL. `len` is the length of the whole. `THW_E_INVALID`: no string.
    /// `[any-thread]`
    pub unescape: Option<unsafe extern "C" fn(string: *const Str, out: *mut u8, cap: usize, len: *mut usize) -> Status>,
    /// Writes text as a JSON string with its quotes, as `unescape` writes. `THW_E_INVALID`: not UTF-8. `[any-thread]`
    pub escape: Option<unsafe extern "C" fn(text: *const Str, out: *mut u8, cap: usize, len: *mut usize) -> Status>,
}

/// A header of an HTTP request. Both texts live as long as the request that holds them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HttpHeader {
    /// Lower-case name.
    pub name: Str,
    /// Value.
    pub value: Str,
}

/// A request as a codec wrote it. The engine adds scheme, host, key and length.
///
/// The body is `body_head`, then the wire form of every message joined by commas, then `body_tail`; so a conversation
/// grows by appending and its history is written once. Everything is the plugin's, valid until the next call on the
/// stream.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest {
    /// In: size as the engine compiled it.
    pub struct_size: u32,
    /// Number of `headers`.
    pub headers_len: u32,
    /// `POST`.
    pub method: Str,
    /// Path below the provider's base URL, with a leading slash.
    pub path: Str,
    /// `headers_len` headers beyond those of the engine; never a key.
    pub headers: *const HttpHeader,
    /// Body before the first message.
    pub body_head: Str,
    /// Body after the last message.
    pub body_tail: Str,
}

/// A dialect: writes requests and reads replies. Does no I/O, knows no key and no clock.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Gives JSON that describes the dialect: see docs/PLUGINS.md. The text is the plugin's and lives until `deinit`.
    /// `[any-thread]`
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, json: *mut Str) -> Status>,
    /// Opens a stream: the state of one conversation with one provider. `options` is JSON, borrowed for the call. The
    /// stream is the plugin's memory and the engine's to close, once; it is never NULL on success. `error` is the
    /// caller's, here and below; it may be NULL. `[any-thread]`
    pub open: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            options: *const Str,
            stream: *mut *mut c_void,
            error: *mut Error,
        ) -> Status,
    >,
    /// Writes the wire form of one message (JSON, borrowed for the call): one element of the array of messages, or
    /// several joined by commas, or nothing. The text behind `out` is the plugin's, valid until the next call on the
    /// stream. `[stream-thread]`
    pub encode_message: Option<
        unsafe extern "C" fn(stream: *mut c_void, message: *const Str, out: *mut Str, error: *mut Error) -> Status,
    >,
    /// Writes all of the request but its messages (JSON, borrowed for the call). All that `out` points to is the
    /// plugin's, valid until the next call on the stream. `[stream-thread]`
    pub encode_request: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            request: *const Str,
            out: *mut HttpRequest,
            error: *mut Error,
        ) -> Status,
    >,
    /// The hot path; does not block. Reads `frames[*next..frames_len]`, writes at most `events_cap` events and their
    /// number to `events_len`, and moves `*next` past the frames that are wholly read, never back.
    ///
    /// `frames` is borrowed for the call, their payloads until the next call on the stream. `events` is the caller's.
    /// Each `text` and `aux` is a part of a frame of this call that begins and ends between characters, or, with
    /// `THW_FLAG_SCRATCH` on the event, UTF-8 in the plugin's memory that stays until the next call on the stream. The
    /// engine checks this and ends a stream that breaks it.
    ///
    /// `THW_OK`: all frames are read. `THW_MORE`: the array is full, call again with the same frames. A frame that the
    /// dialect does not allow is a `THW_EVENT_ERROR` event, not an error of the call. `[stream-thread]`
    pub decode: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            frames: *const Frame,
            frames_len: u32,
            next: *mut u32,
            events: *mut Event,
            events_cap: u32,
            events_len: *mut u32,
            error: *mut Error,
        ) -> Status,
    >,
    /// The body has ended: gives what is still held back, in memory that stays until the next call on the stream.
    /// `THW_MORE`: the array is full, call again. `[stream-thread]`
    pub finish: Option<
        unsafe extern "C" fn(
            stream: *mut c_void,
            events: *mut Event,
            events_cap: u32,
            events_len: *mut u32,
            error: *mut Error,
        ) -> Status,
    >,
    /// Forgets the reply read so far, before the next one on the same stream. `[stream-thread]`
    pub reset: Option<unsafe extern "C" fn(stream: *mut c_void)>,
    /// Ends the stream and frees it; allowed after every error. NULL is accepted. `[stream-thread]`
    pub close: Option<unsafe extern "C" fn(stream: *mut c_void)>,
}

/// A provider that drives itself: a model inside the process, or one behind a protocol of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Gives JSON that describes the provider: see docs/PLUGINS.md. The text is the plugin's and lives until `deinit`.
    /// `[any-thread]`
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, json: *mut Str) -> Status>,
    /// Starts one reply. `request` is canonical JSON with the key `messages`, borrowed for the call.
    ///
    /// The events of the reply go to `sink`: those that a codec gives, with plain texts, each delta in a block of its
    /// own number; a `THW_EVENT_STOP` is among the last. `THW_OK`: all was pushed and the sink finished before return.
    /// `THW_PENDING`: the provider keeps `sink` and `cancel` and finishes the sink later, from any thread, exactly once,
    /// also after a cancel. Below 0: it failed, `error` says why, and `sink` and `cancel` are gone.
    ///
    /// It may block: the engine calls it on a thread for such work. Several replies may run at once. `[any-thread]`
    pub start: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            request: *const Str,
            sink: *mut Sink,
            cancel: *mut Cancel,
            error: *mut Error,
        ) -> Status,
    >,
}

/// One tool as its plugin describes it. All texts are the plugin's and live until `deinit`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ToolInfo {
    /// In: size as the engine compiled it.
    pub struct_size: u32,
    /// `THW_TOOL_*` flags.
    pub flags: u32,
    /// Name: letters, digits, `_` and `-`, at most 64.
    pub name: Str,
    /// What it does, for the model.
    pub description: Str,
    /// JSON Schema of its arguments, an object.
    pub parameters: Str,
}

/// `invoke` may block; the engine runs it on a thread for such work.
pub const TOOL_BLOCKING: u32 = 1;
/// `invoke` may run several times at once.
pub const TOOL_PARALLEL: u32 = 2;
/// It changes nothing.
pub const TOOL_READ_ONLY: u32 = 4;
/// Calling it twice does no more than calling it once.
pub const TOOL_IDEMPOTENT: u32 = 8;

/// One or more tools.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Size of the table as the plugin compiled it.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Number of tools; always the same. `[any-thread]`
    pub count: Option<unsafe extern "C" fn(context: *mut c_void) -> u32>,
    /// Describes tool `index`, counted from 0; `out` is the caller's. `[any-thread]`
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, index: u32, out: *mut ToolInfo) -> Status>,
    /// Runs tool `index`. `call_id` and `arguments` (a JSON object) are borrowed for the call.
    ///
    /// `THW_OK`: the answer was pushed and the sink finished before return. `THW_PENDING`: the tool keeps `sink` and
    /// `cancel` and finishes the sink later, from any thread, exactly once, also after a cancel. Below 0: it failed,
    /// `error` says why for the model to read, and `sink` and `cancel` are gone.
    ///
    /// Returns soon unless `THW_TOOL_BLOCKING`. Several tools may run at once, one tool several times at once only with
    /// `THW_TOOL_PARALLEL`. `[any-thread]`
    pub invoke: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            index: u32,
            call_id: *const Str,
            arguments: *const Str,
            sink: *mut Sink,
            cancel: *mut Cancel,
            error: *mut Error,
        ) -> Status,
    >,
}
