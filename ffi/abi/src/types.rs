//! Types that cross the boundary in both directions: text slices, status codes, errors and events.
//!
//! Everything here is plain C data: fixed-width integers, no enums, no booleans, no bit-fields.

use core::marker::PhantomData;
use core::slice;

/// UTF-8 text as pointer and length; not NUL-terminated. `ptr` may be NULL only if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Str {
    /// First byte.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

impl Str {
    /// No text.
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    /// The slice as the other side sees it; the caller keeps `bytes` alive as long as the contract of the call says.
    #[must_use]
    pub const fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes behind the pointer. None, if there are none, are still where the pointer says.
    ///
    /// # Safety
    /// `ptr` must be valid for reads of `len` bytes for the whole of `'a`, and nothing may write to them.
    #[must_use]
    pub const unsafe fn as_bytes<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() {
            return &[];
        }
        // SAFETY: promised by the caller; of no bytes any address is one, and bytes have no alignment.
        unsafe { slice::from_raw_parts(self.ptr, self.len) }
    }
}

// SAFETY: a `Str` is an address and a length; reading through it is what needs care, and that is `as_bytes`.
unsafe impl Send for Str {}
// SAFETY: as above, the value itself has no interior mutability.
unsafe impl Sync for Str {}

/// Result of every call: 0 is success, above 0 is information, below 0 is an error.
pub type Status = i32;

/// Success.
pub const OK: Status = 0;
/// The result will arrive later, through the sink.
pub const PENDING: Status = 1;
/// The output array is full; call again with the same input.
pub const MORE: Status = 2;
/// The stream has reached its logical end.
pub const EOF: Status = 3;
/// A NULL pointer, a bad length or a bad `struct_size`.
pub const E_INVALID: Status = -1;
/// The two sides were built for different major versions.
pub const E_VERSION: Status = -2;
/// Out of memory.
pub const E_NOMEM: Status = -3;
/// A panic or an exception was stopped at the boundary.
pub const E_PANIC: Status = -4;
/// The caller asked to stop.
pub const E_CANCELLED: Status = -5;
/// Something took longer than allowed.
pub const E_TIMEOUT: Status = -6;
/// The bytes are not what the dialect allows.
pub const E_PROTOCOL: Status = -7;
/// A policy says no.
pub const E_REJECTED: Status = -8;
/// The function or feature is not offered.
pub const E_UNSUPPORTED: Status = -9;
/// Calls in the wrong order.
pub const E_STATE: Status = -10;
/// The remote side answered with an error.
pub const E_REMOTE: Status = -11;
/// The other end is gone.
pub const E_CLOSED: Status = -12;
/// A tool or a callback failed; the message says why.
pub const E_FAILED: Status = -13;

/// The error may pass when tried again.
pub const ERROR_RETRYABLE: u32 = 1;

/// Room for the message of [`Error`], the closing NUL included.
pub const ERROR_MESSAGE_BYTES: usize = 232;

/// What went wrong. Allocated by the caller, filled by the callee, owns nothing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Error {
    /// In: `sizeof(thw_error)` as the caller compiled it.
    pub struct_size: u32,
    /// A status below 0.
    pub code: Status,
    /// HTTP status, or 0.
    pub http_status: i32,
    /// `THW_ERROR_*` flags.
    pub flags: u32,
    /// Milliseconds that the remote side asks to wait; -1 when it does not say.
    pub retry_after_ms: i64,
    /// Length of `message` without its NUL.
    pub message_len: u32,
    /// Zero.
    pub reserved: u32,
    /// UTF-8, cut at a character boundary, NUL-terminated.
    pub message: [u8; ERROR_MESSAGE_BYTES],
}

impl Error {
    /// An error record ready to be filled by the other side.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            code: OK,
            http_status: 0,
            flags: 0,
            retry_after_ms: -1,
            message_len: 0,
            reserved: 0,
            message: [0; ERROR_MESSAGE_BYTES],
        }
    }

    /// An error with a code and a message, which is cut at a character boundary when too long.
    #[must_use]
    pub fn new(code: Status, message: &str) -> Self {
        let mut error = Self::empty();
        error.code = code;
        let mut len = message.len().min(ERROR_MESSAGE_BYTES - 1);
        while !message.is_char_boundary(len) {
            len -= 1;
        }
        error.message[..len].copy_from_slice(&message.as_bytes()[..len]);
        error.message_len = len as u32;
        error
    }

    /// The message; empty when it is not UTF-8 or its length is out of range.
    #[must_use]
    pub fn message(&self) -> &str {
        let len = (self.message_len as usize).min(ERROR_MESSAGE_BYTES - 1);
        core::str::from_utf8(&self.message[..len]).unwrap_or_default()
    }
}

impl core::fmt::Debug for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Error({}, {:?})", self.code, self.message())
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

/// One provider-neutral step of a message: 64 bytes, one cache line.
///
/// The layout is frozen, since arrays of it cross the boundary. A reader skips kinds that it does not know.
/// What `text`, `aux` and `num` mean is said at each `THW_EVENT_*` kind.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `THW_EVENT_*`.
    pub kind: u32,
    /// `THW_EVENT_FLAG_*`.
    pub flags: u32,
    /// Index of the content block, or of the counter for [`EVENT_USAGE`].
    pub block: u32,
    /// Index of the choice or candidate.
    pub sub: u32,
    /// Borrowed; see the call that hands the event over.
    pub text: Str,
    /// Borrowed; see the call that hands the event over.
    pub aux: Str,
    /// A number whose meaning depends on the kind.
    pub num: i64,
    /// Position in the run, given by the engine; 0 from plugins.
    pub seq: u64,
}

/// A reply begins. `text` is the model, `aux` the id of the response; either may be empty. At most once a stream.
pub const EVENT_MESSAGE_START: u32 = 1;
/// More text of block `block`: `text`.
pub const EVENT_TEXT: u32 = 2;
/// More thinking of block `block`: `text`. `aux` is the name of the wire field where the dialect has several.
pub const EVENT_THINKING: u32 = 3;
/// More of the opaque signature of thinking block `block`: `text`. To be sent back unchanged.
pub const EVENT_THINKING_SIGNATURE: u32 = 4;
/// A thinking block that the provider hides; `text` is its opaque data, to be sent back unchanged.
pub const EVENT_REDACTED_THINKING: u32 = 5;
/// More of a refusal of block `block`: `text`.
pub const EVENT_REFUSAL: u32 = 6;
/// Tool call `block` begins: `text` is the tool's name, `aux` the id of the call.
pub const EVENT_TOOL_BEGIN: u32 = 7;
/// More of the JSON text of the arguments of tool call `block`: `text`.
pub const EVENT_TOOL_ARGUMENTS: u32 = 8;
/// Block `block` is complete. Dialects without such a mark do not send it; a stop ends all blocks.
pub const EVENT_BLOCK_END: u32 = 9;
/// A normalised token counter: `block` is `THW_USAGE_*`, `num` the count. The last one of a stream counts.
pub const EVENT_USAGE: u32 = 10;
/// The provider's own usage object: `text` is its JSON. With [`FLAG_MERGE`] its keys go over those of the one before.
pub const EVENT_USAGE_RAW: u32 = 11;
/// Choice `sub` ends: `num` is `THW_STOP_*`, `text` the provider's word, `aux` the stop sequence that was met.
pub const EVENT_STOP: u32 = 12;
/// The provider reports an error: `num` is `THW_FAILURE_*`, `text` the message, `aux` the JSON of the error.
pub const EVENT_ERROR: u32 = 13;
/// The dialect's own end mark (`[DONE]`, `message_stop`).
pub const EVENT_DONE: u32 = 14;
/// Content that the engine keeps but does not read (search results, citations, …): `text` is its JSON, `aux` its type.
pub const EVENT_OTHER_CONTENT: u32 = 15;
/// A wire event that the codec does not know and skipped: `aux` is its type.
pub const EVENT_SKIPPED: u32 = 16;
/// From a tool: a message for the person who waits, `text`; `num` is progress in permille, or -1.
pub const EVENT_TOOL_PROGRESS: u32 = 17;
/// From a tool: its answer, `text`. Several are joined.
pub const EVENT_TOOL_RESULT: u32 = 18;
/// Kinds from here on belong to the engine (turns, tool runs, the run itself).
pub const EVENT_ENGINE_FIRST: u32 = 64;

/// `text` is still JSON-escaped as it stood between the quotes; the engine unescapes it.
pub const FLAG_TEXT_ESCAPED: u32 = 1;
/// `aux` is still JSON-escaped as it stood between the quotes; the engine unescapes it.
pub const FLAG_AUX_ESCAPED: u32 = 2;
/// `text` and `aux` point into memory of the plugin, not into a frame: valid until the next call on the stream.
pub const FLAG_SCRATCH: u32 = 4;
/// A frame that differs from this one only inside the string `text` (and inside volatile keys) gives this same
/// event with that string's content, and changes nothing in the codec's state. On an event whose `text` is other JSON
/// than a string it says the latter only.
pub const FLAG_REPEATABLE: u32 = 8;
/// The keys of this object go over those of the one before.
pub const FLAG_MERGE: u32 = 16;
/// The event came from a last frame that had no terminator; set by the engine.
pub const FLAG_AT_EOF: u32 = 32;
/// With [`FLAG_REPEATABLE`], on the last event of a frame: the promise holds from the next frame on. This one has changed
/// the codec's state, so what was promised before is void, and it may have given other events before.
pub const FLAG_FROM_NOW: u32 = 64;
/// With [`FLAG_REPEATABLE`]: the promise holds until the reply ends, whatever comes in between. Where a number stands under one
/// of the codec's `block_keys`, it is `block`, and may be another one too: the event is then that of the other block.
pub const FLAG_LASTING: u32 = 128;
/// On text, thinking or refusal: `aux` is who says it, in a reply of several, such as `panel/critic`. Their blocks are open side by side.
pub const FLAG_SPEAKER: u32 = 256;

/// Tokens of the prompt as the provider counts them.
pub const USAGE_INPUT: u32 = 1;
/// Tokens of the reply.
pub const USAGE_OUTPUT: u32 = 2;
/// Total as the provider gives it.
pub const USAGE_TOTAL: u32 = 3;
/// Tokens spent on thinking, where counted apart.
pub const USAGE_REASONING: u32 = 4;
/// Prompt tokens read from a cache.
pub const USAGE_CACHE_READ: u32 = 5;
/// Prompt tokens written to a cache.
pub const USAGE_CACHE_WRITE: u32 = 6;

/// A reason that the engine has no word for.
pub const STOP_OTHER: i64 = 0;
/// The model had said all.
pub const STOP_END: i64 = 1;
/// The limit on tokens was met.
pub const STOP_LENGTH: i64 = 2;
/// The model waits for tools.
pub const STOP_TOOL_USE: i64 = 3;
/// A stop sequence was met.
pub const STOP_SEQUENCE: i64 = 4;
/// The provider's filter, or a refusal of the model.
pub const STOP_CONTENT_FILTER: i64 = 5;
/// The turn is paused and may be continued by sending it back.
pub const STOP_PAUSE: i64 = 6;
/// The provider ended with an error.
pub const STOP_ERROR: i64 = 7;

/// An error that fits no other kind.
pub const FAILURE_OTHER: i64 = 0;
/// Too many requests or tokens.
pub const FAILURE_RATE_LIMIT: i64 = 1;
/// The provider is overloaded.
pub const FAILURE_OVERLOADED: i64 = 2;
/// The prompt is longer than the model takes.
pub const FAILURE_CONTEXT_OVERFLOW: i64 = 3;
/// No key, a wrong key, or no right to the model.
pub const FAILURE_AUTH: i64 = 4;
/// The request is wrong.
pub const FAILURE_INVALID_REQUEST: i64 = 5;
/// The content was refused.
pub const FAILURE_CONTENT_FILTER: i64 = 6;
/// The provider failed.
pub const FAILURE_SERVER: i64 = 7;
/// The event was not the JSON that the dialect promises.
pub const FAILURE_MALFORMED: i64 = 8;

/// An [`Event`] whose slices are known to live for `'a`: what safe Rust reads and writes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct StreamEvent<'a> {
    raw: Event,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> StreamEvent<'a> {
    /// An event of `kind` with nothing in it.
    #[must_use]
    pub const fn new(kind: u32) -> Self {
        let raw = Event { kind, flags: 0, block: 0, sub: 0, text: Str::EMPTY, aux: Str::EMPTY, num: 0, seq: 0 };
        Self { raw, lifetime: PhantomData }
    }

    /// The same event with `text`.
    #[must_use]
    pub const fn with_text(mut self, text: &'a [u8]) -> Self {
        self.raw.text = Str::new(text);
        self
    }

    /// The same event with `aux`.
    #[must_use]
    pub const fn with_aux(mut self, aux: &'a [u8]) -> Self {
        self.raw.aux = Str::new(aux);
        self
    }

    /// The same event with `flags` added.
    #[must_use]
    pub const fn with_flags(mut self, flags: u32) -> Self {
        self.raw.flags |= flags;
        self
    }

    /// The same event without `flags`.
    #[must_use]
    pub const fn without_flags(mut self, flags: u32) -> Self {
        self.raw.flags &= !flags;
        self
    }

    /// The same event of block `block`.
    #[must_use]
    pub const fn with_block(mut self, block: u32) -> Self {
        self.raw.block = block;
        self
    }

    /// The same event of choice `sub`.
    #[must_use]
    pub const fn with_sub(mut self, sub: u32) -> Self {
        self.raw.sub = sub;
        self
    }

    /// The same event with `num`.
    #[must_use]
    pub const fn with_num(mut self, num: i64) -> Self {
        self.raw.num = num;
        self
    }

    /// The same event at position `seq`.
    #[must_use]
    pub const fn with_seq(mut self, seq: u64) -> Self {
        self.raw.seq = seq;
        self
    }

    /// `EVENT_*`.
    #[must_use]
    pub const fn kind(&self) -> u32 {
        self.raw.kind
    }

    /// `FLAG_*`.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.raw.flags
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.raw.flags & flags == flags
    }

    /// Index of the content block, or of the usage counter.
    #[must_use]
    pub const fn block(&self) -> u32 {
        self.raw.block
    }

    /// Index of the choice.
    #[must_use]
    pub const fn sub(&self) -> u32 {
        self.raw.sub
    }

    /// The number.
    #[must_use]
    pub const fn num(&self) -> i64 {
        self.raw.num
    }

    /// Position in the run.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.raw.seq
    }

    /// The text, as bytes.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        // SAFETY: built from a slice that lives for `'a`, or vouched for by the caller of `from_raw`.
        unsafe { self.raw.text.as_bytes() }
    }

    /// The second slice, as bytes.
    #[must_use]
    pub const fn aux(&self) -> &'a [u8] {
        // SAFETY: as in `text`.
        unsafe { self.raw.aux.as_bytes() }
    }

    /// The C form.
    #[must_use]
    pub const fn as_raw(&self) -> &Event {
        &self.raw
    }

    /// Takes over an event that came through the ABI.
    ///
    /// # Safety
    /// Both slices must be readable and unchanged for the whole of `'a`.
    #[must_use]
    pub const unsafe fn from_raw(raw: Event) -> Self {
        Self { raw, lifetime: PhantomData }
    }
}

impl core::fmt::Debug for StreamEvent<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StreamEvent")
            .field("kind", &self.kind())
            .field("flags", &self.flags())
            .field("block", &self.block())
            .field("sub", &self.sub())
            .field("text", &String::from_utf8_lossy(self.text()))
            .field("aux", &String::from_utf8_lossy(self.aux()))
            .field("num", &self.num())
            .finish()
    }
}

/// One wire event as the engine framed it, or a whole body.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The payload: valid UTF-8, unchanged until the next `decode`, `reset` or `close` on the stream.
    pub data: Str,
    /// Name of the SSE event; empty where there is none.
    pub event: Str,
    /// `THW_FRAME_*`.
    pub kind: u32,
    /// HTTP status for [`FRAME_ERROR_BODY`], else 0.
    pub status: u32,
}

/// One event of the stream.
pub const FRAME_EVENT: u32 = 0;
/// The whole body of an HTTP error; the codec answers with one [`EVENT_ERROR`].
pub const FRAME_ERROR_BODY: u32 = 1;
/// The whole body of a reply that was not streamed; the codec gives the same events as for a stream.
pub const FRAME_WHOLE_BODY: u32 = 2;
/// Added to `kind`: the frame had no terminator when the stream ended.
pub const FRAME_AT_EOF: u32 = 0x100;

/// A [`Frame`] whose slices are known to live for `'a`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct FrameRef<'a> {
    raw: Frame,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> FrameRef<'a> {
    /// A frame of `kind` with its payload.
    #[must_use]
    pub const fn new(kind: u32, data: &'a [u8]) -> Self {
        let raw = Frame { data: Str::new(data), event: Str::EMPTY, kind, status: 0 };
        Self { raw, lifetime: PhantomData }
    }

    /// The same frame with the name of its SSE event.
    #[must_use]
    pub const fn with_event(mut self, event: &'a [u8]) -> Self {
        self.raw.event = Str::new(event);
        self
    }

    /// The same frame with an HTTP status.
    #[must_use]
    pub const fn with_status(mut self, status: u32) -> Self {
        self.raw.status = status;
        self
    }

    /// The payload.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        // SAFETY: built from a slice that lives for `'a`, or vouched for by the caller of `from_raw`.
        unsafe { self.raw.data.as_bytes() }
    }

    /// Name of the SSE event; empty where there is none.
    #[must_use]
    pub const fn event(&self) -> &'a [u8] {
        // SAFETY: as in `data`.
        unsafe { self.raw.event.as_bytes() }
    }

    /// `FRAME_*` without [`FRAME_AT_EOF`].
    #[must_use]
    pub const fn kind(&self) -> u32 {
        self.raw.kind & !FRAME_AT_EOF
    }

    /// Whether the frame had no terminator when the stream ended.
    #[must_use]
    pub const fn is_at_eof(&self) -> bool {
        self.raw.kind & FRAME_AT_EOF != 0
    }

    /// HTTP status of an error body, else 0.
    #[must_use]
    pub const fn status(&self) -> u32 {
        self.raw.status
    }

    /// The C form.
    #[must_use]
    pub const fn as_raw(&self) -> &Frame {
        &self.raw
    }

    /// Takes over a frame that came through the ABI.
    ///
    /// # Safety
    /// Both slices must be readable and unchanged for the whole of `'a`.
    #[must_use]
    pub const unsafe fn from_raw(raw: Frame) -> Self {
        Self { raw, lifetime: PhantomData }
    }
}

const _: () = {
    assert!(size_of::<Event>() == 64 || size_of::<usize>() != 8);
    assert!(size_of::<Frame>() == 40 || size_of::<usize>() != 8);
    assert!(size_of::<Error>() == 264);
    assert!(size_of::<StreamEvent<'_>>() == size_of::<Event>());
};
