//! The bare decoder: bytes in, events out, for programs with an HTTP stack of their own.

use std::ffi::c_char;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, TryLockError};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use thalweg::open_pipeline;
use thalweg_abi::failure::Failure;
use thalweg_abi::host::CodecStream;
use thalweg_abi::types::{E_PROTOCOL, Error, Event, FRAME_ERROR_BODY, FRAME_WHOLE_BODY, OK, Status, Str, StreamEvent};
use thalweg_wire::limits::Limits;
use thalweg_wire::pipeline::{self, Pipeline};

use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::{built_in, guard, json, text};

/// Decodes the body of one reply after the other.
#[repr(C)]
pub struct Decoder {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_decoder`.
pub(crate) struct DecoderObject(Mutex<State>);

impl Class for DecoderObject {
    type Handle = Decoder;
    const NAME: &'static str = "decoder";
    const TAG: &'static [u8; 8] = b"thwdecod";
}

struct State {
    pipeline: Pipeline<CodecStream>,
    lent: Lent,
}

/// Events that are lent to the caller until the next call.
#[derive(Default)]
struct Lent {
    events: Vec<Event>,
    /// Texts that do not lie in the caller's bytes: unescaped ones, and those of frames across two calls.
    kept: Vec<u8>,
    moved: Vec<Moved>,
    seq: u64,
}

/// A text that lies in `kept`, whose address is only known when all are there.
struct Moved {
    event: usize,
    slot: Slot,
    offset: usize,
}

#[derive(Clone, Copy)]
enum Slot {
    Text,
    Aux,
}

// SAFETY: the addresses in the events are those of `kept` and of bytes of the caller, who says on which thread they are
// read.
unsafe impl Send for Lent {}

impl Lent {
    fn clear(&mut self) {
        self.events.clear();
        self.kept.clear();
        self.moved.clear();
    }

    /// Takes over a batch that came from `bytes`, which stay where they are.
    #[inline]
    fn take(&mut self, batch: &[StreamEvent<'_>], bytes: &Range<usize>) {
        self.events.reserve(batch.len());
        for event in batch {
            let mut raw = *event.as_raw();
            raw.seq = self.seq;
            self.seq += 1;
            if raw.text.len > 0 && !bytes.contains(&raw.text.ptr.addr()) {
                self.keep(Slot::Text, event.text());
            }
            if raw.aux.len > 0 && !bytes.contains(&raw.aux.ptr.addr()) {
                self.keep(Slot::Aux, event.aux());
            }
            self.events.push(raw);
        }
    }

    /// Copies a text of the event that is about to be pushed.
    fn keep(&mut self, slot: Slot, bytes: &[u8]) {
        self.moved.push(Moved { event: self.events.len(), slot, offset: self.kept.len() });
        self.kept.extend_from_slice(bytes);
    }

    /// Sets the addresses of the copied texts.
    fn settle(&mut self) -> &[Event] {
        for Moved { event, slot, offset } in self.moved.drain(..) {
            let event = &mut self.events[event];
            let place: &mut Str = match slot {
                Slot::Text => &mut event.text,
                Slot::Aux => &mut event.aux,
            };
            place.ptr = self.kept[offset..].as_ptr();
        }
        &self.events
    }
}

impl DecoderObject {
    fn enter(&self) -> Result<MutexGuard<'_, State>, Fault> {
        self.0.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Fault::state("another thread uses the decoder; give each its own"),
            TryLockError::Poisoned(_) => Fault::state("the decoder panicked earlier; free it"),
        })
    }
}

/// The keys of the options.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    provider: Option<String>,
    base_url: Option<String>,
    flags: Map<String, Value>,
    event_bytes_max: Option<usize>,
}

/// A decoder of one dialect; NULL on an error. It needs no engine, opens no socket and starts no thread. `dialect` is one
/// that is built in, such as "openai-chat" or "anthropic"; an unknown one is `THW_E_UNSUPPORTED`, and the message names
/// those there are. `options` is JSON, or NULL and 0. Both are borrowed for the call. Keys, all optional: `provider` and
/// `base_url` (whose habits to expect), `flags` (an object of the dialect's own), `event_bytes_max` (32 MiB if absent). The decoder is the caller's, to be freed with
/// `thw_decoder_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_new(
    dialect: *const c_char,
    dialect_len: usize,
    options: *const c_char,
    options_len: usize,
    error: *mut Error,
) -> *mut Decoder {
    let body = || {
        // SAFETY: by contract.
        let dialect = unsafe { text::text(dialect, dialect_len, "dialect") }?;
        // SAFETY: by contract.
        let options: Options = json::read(unsafe { text::text(options, options_len, "options") }?, "options")?;
        let registry = built_in::registry()?;
        let codec = registry.codec(dialect).ok_or_else(|| {
            let known: Vec<&str> = registry.dialects().collect();
            Failure::unsupported(format!("unknown dialect {dialect:?}; there are {}", known.join(", ")))
        })?;
        let mut limits = Limits::default();
        if let Some(bytes) = options.event_bytes_max {
            limits = limits.with_event_bytes_max(bytes);
        }
        let habits = json!({"provider": options.provider, "base_url": options.base_url, "flags": options.flags});
        let pipeline = open_pipeline(codec, &habits.to_string(), limits)?;
        Ok(handle::new(DecoderObject(Mutex::new(State { pipeline, lent: Lent::default() }))))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a decoder and what it lent out. NULL is accepted. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_free(decoder: *mut Decoder) {
    // SAFETY: by contract.
    guard::quiet(|| drop(unsafe { handle::take::<DecoderObject>(decoder) }));
}

/// Decodes the next bytes of a body, cut wherever the network cut them. `*events` points to `*count` events, perhaps none;
/// a provider's error inside of the stream is a `THW_EVENT_ERROR` among them.
///
/// The array is the decoder's, valid until the next call on it. The texts lie in `bytes` where they can, else in the
/// decoder: keep `bytes` as they are for as long as you read them. Below 0 the stream cannot be read any further (a frame
/// beyond the limit, a damaged binary frame); `*events` and `*count` are set all the same, to what came before.
/// `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_feed(
    decoder: *mut Decoder,
    bytes: *const u8,
    bytes_len: usize,
    events: *mut *const Event,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let bytes = unsafe { text::bytes(bytes, bytes_len, "bytes") }?;
        // SAFETY: by contract.
        unsafe { decode(decoder, bytes, events, count, |pipeline, sink| pipeline.feed(bytes, sink)) }
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// The body has ended: gives what was still held back. A last frame without its end is delivered if it is complete JSON,
/// its events marked with `THW_FLAG_AT_EOF`; else the status is `THW_E_PROTOCOL`, since the stream was cut off, with
/// `*events` and `*count` set all the same. Lifetimes as for `thw_decoder_feed`. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_finish(
    decoder: *mut Decoder,
    events: *mut *const Event,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        let mut dropped = 0;
        let finish = |pipeline: &mut Pipeline<CodecStream>, sink: &mut pipeline::Sink<'_>| {
            let result = pipeline.finish(sink);
            dropped = pipeline.counters().dropped_at_eof;
            result
        };
        // SAFETY: by contract.
        unsafe { decode(decoder, &[], events, count, finish) }?;
        if dropped > 0 {
            let message = format!("the stream was cut off within a frame, of which {dropped} bytes had come");
            return Err(Failure { retryable: true, ..Failure::new(E_PROTOCOL, message) }.into());
        }
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Decodes a whole body that is no stream: that of an HTTP error, which becomes a `THW_EVENT_ERROR`, or a reply that was not
/// streamed. For the former `http_status` is 400 or above. Lifetimes as for `thw_decoder_feed`; call `thw_decoder_reset`
/// before the next reply. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_body(
    decoder: *mut Decoder,
    http_status: u32,
    bytes: *const u8,
    bytes_len: usize,
    events: *mut *const Event,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let bytes = unsafe { text::bytes(bytes, bytes_len, "bytes") }?;
        let kind = if http_status >= 400 { FRAME_ERROR_BODY } else { FRAME_WHOLE_BODY };
        let read = |pipeline: &mut Pipeline<CodecStream>, sink: &mut pipeline::Sink<'_>| {
            pipeline.whole_body(bytes, kind, http_status, sink)?;
            pipeline.finish(sink)
        };
        // SAFETY: by contract.
        unsafe { decode(decoder, bytes, events, count, read) }
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Forgets the reply read so far, and what was lent out; memory is kept for the next one. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_decoder_reset(decoder: *mut Decoder) -> Status {
    let body = || {
        // SAFETY: by contract.
        let mut state = unsafe { handle::get::<DecoderObject>(decoder) }?.enter()?;
        state.pipeline.reset();
        state.lent.clear();
        state.lent.seq = 0;
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(std::ptr::null_mut(), body) }
}

/// Lends out what `read` gives, also before an error.
///
/// # Safety
/// All pointers are NULL or as the header says.
unsafe fn decode(
    decoder: *mut Decoder,
    bytes: &[u8],
    events: *mut *const Event,
    count: *mut usize,
    read: impl FnOnce(&mut Pipeline<CodecStream>, &mut pipeline::Sink<'_>) -> Result<(), pipeline::Error>,
) -> Result<Status, Fault> {
    // SAFETY: promised by the caller.
    let mut state = unsafe { handle::get::<DecoderObject>(decoder) }?.enter()?;
    let (events, count) = (text::out(events, "events")?, text::out(count, "count")?);
    let State { pipeline, lent } = &mut *state;
    lent.clear();
    let range = bytes.as_ptr_range();
    let range = range.start.addr()..range.end.addr();
    let result = read(pipeline, &mut |batch| lent.take(batch, &range));
    let lent = lent.settle();
    // SAFETY: both were checked.
    unsafe { events.write(lent.as_ptr()) };
    // SAFETY: as above.
    unsafe { count.write(lent.len()) };
    result?;
    Ok(OK)
}
