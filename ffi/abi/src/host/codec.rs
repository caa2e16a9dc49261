//! A dialect, loaded or linked in, through its C table.

use crate::decode::{Decode, Events, Progress};
use crate::failure::Failure;
use crate::host::check::{Slices, check_scratch, text};
use crate::host::plugin::Started;
use crate::host::request::{self, Request};
use crate::host::{Error, Misbehaviour};
use crate::table::{Codec as Table, HttpRequest};
use crate::types::{self, E_PANIC, Event, Frame, FrameRef, MORE, OK, Status, Str, StreamEvent};
use core::ffi::c_void;
use std::sync::Arc;

/// The members of a codec's table, all present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions {
    describe: unsafe extern "C" fn(*mut c_void, *mut Str) -> Status,
    open: unsafe extern "C" fn(*mut c_void, *const Str, *mut *mut c_void, *mut types::Error) -> Status,
    encode_message: unsafe extern "C" fn(*mut c_void, *const Str, *mut Str, *mut types::Error) -> Status,
    encode_request: unsafe extern "C" fn(*mut c_void, *const Str, *mut HttpRequest, *mut types::Error) -> Status,
    decode: unsafe extern "C" fn(
        *mut c_void,
        *const Frame,
        u32,
        *mut u32,
        *mut Event,
        u32,
        *mut u32,
        *mut types::Error,
    ) -> Status,
    finish: unsafe extern "C" fn(*mut c_void, *mut Event, u32, *mut u32, *mut types::Error) -> Status,
    reset: unsafe extern "C" fn(*mut c_void),
    close: unsafe extern "C" fn(*mut c_void),
}

impl Functions {
    /// Reads the table, in which nothing may be missing.
    pub(crate) fn read(plugin: &Started, table: *const Table) -> Result<Self, Error> {
        // SAFETY: the plugin gave it as its codec table.
        let table = unsafe { plugin.read(table, "thw_codec") }?;
        let missing = |function| plugin.missing("thw_codec", function);
        Ok(Self {
            describe: table.describe.ok_or_else(|| missing("describe"))?,
            open: table.open.ok_or_else(|| missing("open"))?,
            encode_message: table.encode_message.ok_or_else(|| missing("encode_message"))?,
            encode_request: table.encode_request.ok_or_else(|| missing("encode_request"))?,
            decode: table.decode.ok_or_else(|| missing("decode"))?,
            finish: table.finish.ok_or_else(|| missing("finish"))?,
            reset: table.reset.ok_or_else(|| missing("reset"))?,
            close: table.close.ok_or_else(|| missing("close"))?,
        })
    }
}

/// The dialect of a plugin. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Codec {
    plugin: Arc<Started>,
    functions: Functions,
}

impl Codec {
    pub(crate) const fn new(plugin: Arc<Started>, functions: Functions) -> Self {
        Self { plugin, functions }
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// JSON that describes the dialect; see docs/PLUGINS.md.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn describe(&self) -> Result<String, Error> {
        // SAFETY: the function takes the plugin's context and gives a text that lives until `deinit`.
        unsafe { self.plugin.describe(self.functions.describe, "the description of its codec") }
    }

    /// Opens a stream: the state of one conversation with one provider. `options` is JSON.
    ///
    /// # Errors
    /// When the plugin refuses the options or breaks a rule.
    pub fn open(&self, options: &str) -> Result<CodecStream, Error> {
        // SAFETY: the function is that of the plugin's table.
        let stream = unsafe { self.plugin.open(self.functions.open, options) }?;
        let error = Box::new(types::Error::empty());
        Ok(CodecStream { plugin: Arc::clone(&self.plugin), functions: self.functions, stream, broken: false, error })
    }
}

/// One conversation with a loaded dialect. Used by one thread at a time, whichever.
///
/// After a panic of the plugin or a broken rule it gives [`Error::Broken`] for everything; open a new one.
pub struct CodecStream {
    plugin: Arc<Started>,
    functions: Functions,
    stream: *mut c_void,
    broken: bool,
    /// The record of the hot call, kept between calls.
    error: Box<types::Error>,
}

// SAFETY: by contract a stream may be used from any thread, one call at a time, which `&mut self` ensures.
unsafe impl Send for CodecStream {}

impl CodecStream {
    /// The wire form of one canonical message (JSON): one element of the array of messages, several joined by commas,
    /// or nothing.
    ///
    /// # Errors
    /// When the dialect cannot say it, or the plugin breaks a rule.
    pub fn encode_message(&mut self, message: &str) -> Result<&str, Error> {
        self.usable()?;
        let message = Str::new(message.as_bytes());
        let mut out = Str::EMPTY;
        let mut error = types::Error::empty();
        // SAFETY: the stream is open; `message` is borrowed for the call, the outputs are writable.
        let status =
            unsafe { (self.functions.encode_message)(self.stream, &raw const message, &raw mut out, &raw mut error) };
        self.expect_ok("encode_message", status, &error)?;
        // SAFETY: valid until the next call on the stream, for which the borrow of `self` must be over.
        let out = unsafe { text(out, "an encoded message") };
        out.map_err(|what| self.plugin.misbehaved(what))
    }

    /// All of a request but its messages.
    ///
    /// # Errors
    /// As [`CodecStream::encode_message`].
    pub fn encode_request(&mut self, request: &str) -> Result<Request<'_>, Error> {
        self.usable()?;
        let request = Str::new(request.as_bytes());
        let mut out = request::empty();
        let mut error = types::Error::empty();
        // SAFETY: as in `encode_message`.
        let status =
            unsafe { (self.functions.encode_request)(self.stream, &raw const request, &raw mut out, &raw mut error) };
        self.expect_ok("encode_request", status, &error)?;
        // SAFETY: valid until the next call on the stream, for which the borrow of `self` must be over.
        unsafe { request::read(&out) }.map_err(|what| self.plugin.misbehaved(what))
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// Whether a panic or a broken rule has ended the use of this stream.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// As `finish` of [`Decode`], with the typed error.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn finish_events<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Error> {
        self.usable()?;
        let room = out.room();
        if room == 0 {
            return Ok(Progress::More);
        }
        out.buffer.reserve(room);
        let events = out.buffer.spare_capacity_mut().as_mut_ptr().cast::<Event>();
        let mut count = 0;
        let mut error = types::Error::empty();
        // SAFETY: the stream is open; the array has room for `room` events.
        let status =
            unsafe { (self.functions.finish)(self.stream, events, to_u32(room), &raw mut count, &raw mut error) };
        if status < OK {
            self.expect_ok("finish", status, &error)?;
        }
        let count = count as usize;
        // SAFETY: `events` has room for `room` events, and the plugin vouches for the first `count`.
        let checked = unsafe { check_events(events, count, room, |_, event| check_scratch(event)) };
        let progress = checked.and(match status {
            OK => Ok(Progress::Done),
            MORE if count > 0 => Ok(Progress::More),
            MORE => Err(Misbehaviour::NoProgress),
            _ => Err(Misbehaviour::UnknownStatus { function: "finish", status }),
        });
        let progress = progress.map_err(|what| self.misbehaved(what))?;
        let len = out.buffer.len() + count;
        // SAFETY: `count` events behind the old length were written and checked; they live until the next call.
        unsafe { out.buffer.set_len(len) };
        Ok(progress)
    }

    /// As `decode` of [`Decode`], with the typed error.
    ///
    /// # Errors
    /// When the plugin fails or breaks a rule.
    pub fn decode_events<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Error> {
        self.usable()?;
        let room = out.room();
        if room == 0 {
            return Ok(if *next >= frames.len() { Progress::Done } else { Progress::More });
        }
        out.buffer.reserve(room);
        let events = out.buffer.spare_capacity_mut().as_mut_ptr().cast::<Event>();
        let (mut at, mut count) = (to_u32(*next), 0);
        self.error.message_len = 0; // Zeroing all of it would cost more than the call.
        let error = &raw mut *self.error;
        // SAFETY: the stream is open; `FrameRef` is a `Frame`, its slices live as long as the borrow of `self`; the array
        // has room for `room` events.
        let status = unsafe {
            (self.functions.decode)(
                self.stream,
                frames.as_ptr().cast(),
                to_u32(frames.len()),
                &raw mut at,
                events,
                to_u32(room),
                &raw mut count,
                error,
            )
        };
        if status < OK {
            let error = *self.error;
            self.error.struct_size = size_of::<types::Error>() as u32;
            self.expect_ok("decode", status, &error)?;
        }
        let (from, to, count) = (*next, at as usize, count as usize);
        let mut slices = Slices::new(frames);
        // SAFETY: `events` has room for `room` events, and the plugin vouches for the first `count`.
        let checked = unsafe { check_events(events, count, room, |index, event| slices.check(index, event)) };
        let progress = checked.and_then(|()| judge_position(status, from, to, frames.len(), count));
        let progress = progress.map_err(|what| self.misbehaved(what))?;
        *next = to;
        let len = out.buffer.len() + count;
        // SAFETY: `count` events behind the old length were written; each slice lies in a frame or, marked as scratch, in
        // memory that the plugin keeps until the next call, for which the borrow of `self` must be over.
        unsafe { out.buffer.set_len(len) };
        Ok(progress)
    }

    fn usable(&self) -> Result<(), Error> {
        if self.broken { Err(self.plugin.broken()) } else { Ok(()) }
    }

    fn misbehaved(&mut self, what: Misbehaviour) -> Error {
        self.broken = true;
        self.plugin.misbehaved(what)
    }

    fn expect_ok(&mut self, function: &'static str, status: Status, error: &types::Error) -> Result<(), Error> {
        let result = self.plugin.expect_ok(function, status, error);
        if status == E_PANIC || matches!(result, Err(Error::Misbehaved { .. })) {
            self.broken = true;
        }
        result
    }
}

impl Decode for CodecStream {
    fn decode<'f>(
        &'f mut self,
        frames: &[FrameRef<'f>],
        next: &mut usize,
        out: &mut Events<'_, 'f>,
    ) -> Result<Progress, Failure> {
        self.decode_events(frames, next, out).map_err(Failure::from)
    }

    fn finish<'s>(&'s mut self, out: &mut Events<'_, 's>) -> Result<Progress, Failure> {
        self.finish_events(out).map_err(Failure::from)
    }

    fn reset(&mut self) {
        if !self.broken {
            // SAFETY: the stream is open.
            unsafe { (self.functions.reset)(self.stream) };
        }
    }
}

impl Drop for CodecStream {
    fn drop(&mut self) {
        // SAFETY: opened once and closed here only; `close` is allowed on a broken stream too.
        unsafe { (self.functions.close)(self.stream) };
    }
}

impl core::fmt::Debug for CodecStream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CodecStream").field("plugin", &self.plugin.name()).field("broken", &self.broken).finish()
    }
}

/// Whether `decode` may leave the position and the count as it did.
const fn judge_position(
    status: Status,
    from: usize,
    to: usize,
    frames: usize,
    count: usize,
) -> Result<Progress, Misbehaviour> {
    if to < from || to > frames {
        return Err(Misbehaviour::PositionOutOfRange { from, to, frames });
    }
    match status {
        OK if to == frames => Ok(Progress::Done),
        OK => Err(Misbehaviour::StoppedShort { at: to, frames }),
        MORE if count > 0 || to > from => Ok(Progress::More),
        MORE => Err(Misbehaviour::NoProgress),
        _ => Err(Misbehaviour::UnknownStatus { function: "decode", status }),
    }
}

/// Checks the first `count` events.
///
/// # Safety
/// `events` has room for `room` events, of which the first `count` were written if there are as many.
#[inline]
unsafe fn check_events(
    events: *const Event,
    count: usize,
    room: usize,
    mut check: impl FnMut(usize, &Event) -> Result<(), Misbehaviour>,
) -> Result<(), Misbehaviour> {
    if count > room {
        return Err(Misbehaviour::TooManyEvents { count, room });
    }
    // SAFETY: written, as the caller vouches.
    let events = unsafe { core::slice::from_raw_parts(events, count) };
    for (index, event) in events.iter().enumerate() {
        check(index, event)?;
    }
    Ok(())
}

/// Lengths of the ABI have 32 bits; an array beyond that is offered in part.
fn to_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

const _: () = assert!(size_of::<StreamEvent<'_>>() == size_of::<Event>());
