//! The codec table of a package.

use super::Instance;
use super::guard::{guard, text};
use super::request::Written;
use crate::decode::recycle_events;
use crate::failure::Failure;
use crate::guest::out::Scratch;
use crate::guest::{Codec as _, CodecStream, Out, Package};
use crate::table::{Codec as Table, HttpRequest};
use crate::types::{E_STATE, Error, Event, Frame, FrameRef, MORE, OK, Status, Str, StreamEvent};
use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::slice;

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table {
            struct_size: size_of::<Table>() as u32,
            flags: 0,
            describe: Some(describe::<P>),
            open: Some(open::<P>),
            encode_message: Some(encode_message::<StreamOf<P>>),
            encode_request: Some(encode_request::<StreamOf<P>>),
            decode: Some(decode::<StreamOf<P>>),
            finish: Some(finish::<StreamOf<P>>),
            reset: Some(reset::<StreamOf<P>>),
            close: Some(close::<StreamOf<P>>),
        };
    }
    &Of::<P>::TABLE
}

type StreamOf<P> = <<P as Package>::Codec as crate::guest::Codec>::Stream;

/// An open stream: the author's codec, and what the C side reads until the next call.
struct Stream<S> {
    codec: S,
    /// Events that did not fit, from `spilled` on; their slices lie in the frames of the call that goes on.
    spill: Vec<StreamEvent<'static>>,
    spilled: usize,
    scratch: Scratch,
    message: String,
    written: Written,
    finished: bool,
    /// A panic left the codec in an unknown state: only `close` is allowed.
    poisoned: bool,
}

/// The stream behind a handle, if it may be used.
///
/// # Safety
/// `stream` is NULL or a handle from `open` that is not closed, and no other call on it is running.
unsafe fn usable<'s, S>(stream: *mut c_void) -> Result<&'s mut Stream<S>, Failure> {
    if stream.is_null() {
        return Err(Failure::invalid("the stream is NULL"));
    }
    // SAFETY: promised by the caller.
    let stream = unsafe { &mut *stream.cast::<Stream<S>>() };
    if stream.poisoned {
        return Err(Failure::new(E_STATE, "the codec panicked earlier; close the stream and open a new one"));
    }
    Ok(stream)
}

impl<S> Stream<S> {
    /// Runs the author's code: the stream stays poisoned if it does not come back.
    fn run<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        self.poisoned = true;
        let result = work(self);
        self.poisoned = false;
        result
    }

    /// Moves spilled events to the caller's array; returns how many.
    fn drain(&mut self, room: &mut [MaybeUninit<StreamEvent<'_>>]) -> usize {
        let rest = &self.spill[self.spilled..];
        let count = rest.len().min(room.len());
        for (slot, event) in room.iter_mut().zip(rest) {
            slot.write(*event);
        }
        self.spilled += count;
        if self.spilled == self.spill.len() {
            self.spill.clear();
            self.spilled = 0;
        }
        count
    }
}

/// # Safety
/// As [`Table::describe`] says.
unsafe extern "C" fn describe<P: Package>(context: *mut c_void, json: *mut Str) -> Status {
    let work = || {
        if context.is_null() || json.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: from `entry`, by contract.
        let instance = unsafe { &*context.cast::<Instance<P>>() };
        let codec = instance.codec.as_ref().ok_or(Failure::unsupported("the plugin has no codec"))?;
        let text = Str::new(codec.describe().as_bytes());
        // SAFETY: not NULL, writable by contract.
        unsafe { json.write(text) };
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard(core::ptr::null_mut(), work) }
}

/// # Safety
/// As [`Table::open`] says.
unsafe extern "C" fn open<P: Package>(
    context: *mut c_void,
    options: *const Str,
    stream: *mut *mut c_void,
    error: *mut Error,
) -> Status {
    let work = || {
        if context.is_null() || stream.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: from `entry`, by contract.
        let instance = unsafe { &*context.cast::<Instance<P>>() };
        // SAFETY: borrowed for the call, by contract.
        let options = unsafe { text(options) }?;
        let codec = instance.codec.as_ref().ok_or(Failure::unsupported("the plugin has no codec"))?;
        let opened: Box<Stream<StreamOf<P>>> = Box::new(Stream {
            codec: codec.open(options)?,
            spill: Vec::new(),
            spilled: 0,
            scratch: Scratch::default(),
            message: String::new(),
            written: Written::default(),
            finished: false,
            poisoned: false,
        });
        // SAFETY: not NULL, writable by contract.
        unsafe { stream.write(Box::into_raw(opened).cast()) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::encode_message`] says.
unsafe extern "C" fn encode_message<S: CodecStream>(
    stream: *mut c_void,
    message: *const Str,
    out: *mut Str,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable::<S>(stream) }?;
        // SAFETY: borrowed for the call, by contract.
        let message = unsafe { text(message) }?;
        if out.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        stream.message.clear();
        stream.run(|stream| stream.codec.encode_message(message, &mut stream.message))?;
        // SAFETY: not NULL, writable by contract.
        unsafe { out.write(Str::new(stream.message.as_bytes())) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::encode_request`] says.
unsafe extern "C" fn encode_request<S: CodecStream>(
    stream: *mut c_void,
    request: *const Str,
    out: *mut HttpRequest,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable::<S>(stream) }?;
        // SAFETY: borrowed for the call, by contract.
        let request = unsafe { text(request) }?;
        // SAFETY: NULL or the engine's record, by contract.
        unsafe { stream.written.clear(out) }?;
        stream.run(|stream| stream.codec.encode_request(request, &mut stream.written.request))?;
        // SAFETY: as above.
        unsafe { stream.written.give(out) };
        Ok(OK)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// # Safety
/// As [`Table::decode`] says.
unsafe extern "C" fn decode<S: CodecStream>(
    stream: *mut c_void,
    frames: *const Frame,
    frames_len: u32,
    next: *mut u32,
    events: *mut Event,
    events_cap: u32,
    events_len: *mut u32,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable::<S>(stream) }?;
        if next.is_null() || events_len.is_null() || (frames.is_null() && frames_len > 0) {
            return Err(Failure::invalid("an argument is NULL"));
        }
        let frames: &[FrameRef<'_>] = if frames_len == 0 {
            &[]
        } else {
            // SAFETY: an array of that length, valid until the next call; `FrameRef` is a `Frame`.
            unsafe { slice::from_raw_parts(frames.cast(), frames_len as usize) }
        };
        // SAFETY: an array of that length, or NULL, by contract.
        let room = unsafe { room(events, events_cap) }?;
        // SAFETY: not NULL, readable by contract.
        let mut at = unsafe { next.read() };
        let (status, written) = stream.run(|stream| read_frames(stream, frames, &mut at, room))?;
        // SAFETY: not NULL, writable by contract.
        unsafe { next.write(at) };
        // SAFETY: as above.
        unsafe { events_len.write(written as u32) };
        Ok(status)
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// Decodes until the frames or the room end.
fn read_frames<'f, S: CodecStream>(
    stream: &mut Stream<S>,
    frames: &[FrameRef<'f>],
    at: &mut u32,
    room: &mut [MaybeUninit<StreamEvent<'f>>],
) -> Result<(Status, usize), Failure> {
    let mut written = stream.drain(room);
    if !stream.spill.is_empty() {
        return Ok((MORE, written));
    }
    // A call that goes on has read one frame at least.
    if *at == 0 && written < room.len() {
        stream.codec.begin_frames(frames)?;
    }
    if written == 0 {
        // Nothing of an earlier call is given out any more.
        stream.scratch.clear();
    }
    // Spilled events keep their address and outlive this call on purpose; the caller comes back with the same frames.
    let mut spill: Vec<StreamEvent<'f>> = core::mem::take(&mut stream.spill);
    while let Some(frame) = frames.get(*at as usize) {
        if written == room.len() {
            break;
        }
        // SAFETY: the scratch is cleared by a later call only, when events of this one are not valid any more.
        let mut out = unsafe { Out::new(&mut room[written..], &mut spill, &mut stream.scratch) };
        stream.codec.decode_frame(frame, &mut out);
        written += out.written();
        *at += 1;
    }
    keep_spill(stream, spill);
    let done = *at as usize >= frames.len() && stream.spill.is_empty();
    Ok((if done { OK } else { MORE }, written))
}

/// Keeps events for the next call.
fn keep_spill<S>(stream: &mut Stream<S>, spill: Vec<StreamEvent<'_>>) {
    let mut spill = core::mem::ManuallyDrop::new(spill);
    // SAFETY: the same allocation, and events differ in nothing but their lifetime. They are given out only by the next
    // call, for which the caller keeps the frames of this one alive (`THW_MORE`), or dropped by `reset`.
    stream.spill = unsafe { Vec::from_raw_parts(spill.as_mut_ptr().cast(), spill.len(), spill.capacity()) };
}

/// # Safety
/// As [`Table::finish`] says.
unsafe extern "C" fn finish<S: CodecStream>(
    stream: *mut c_void,
    events: *mut Event,
    events_cap: u32,
    events_len: *mut u32,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable::<S>(stream) }?;
        if events_len.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: an array of that length, or NULL, by contract.
        let room = unsafe { room(events, events_cap) }?;
        let written = stream.run(|stream| read_end(stream, room))?;
        // SAFETY: not NULL, writable by contract.
        unsafe { events_len.write(written as u32) };
        Ok(if stream.spill.is_empty() { OK } else { MORE })
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}

/// Asks the codec for its last events once, and gives them out.
fn read_end<S: CodecStream>(
    stream: &mut Stream<S>,
    room: &mut [MaybeUninit<StreamEvent<'_>>],
) -> Result<usize, Failure> {
    if !stream.finished {
        stream.codec.begin_finish()?;
        stream.finished = true;
        // What a caller did not fetch of its last frames points into frames that may be gone.
        let mut spill = recycle_events(core::mem::take(&mut stream.spill));
        stream.spilled = 0;
        stream.scratch.clear();
        // SAFETY: as in `read_frames`.
        let mut out = unsafe { Out::new(&mut [], &mut spill, &mut stream.scratch) };
        stream.codec.finish(&mut out);
        let mut spill = core::mem::ManuallyDrop::new(spill);
        // SAFETY: the same allocation. The events lie in the codec, which is not called again before they are fetched:
        // `finish` only drains, and `reset` clears.
        stream.spill = unsafe { Vec::from_raw_parts(spill.as_mut_ptr().cast(), spill.len(), spill.capacity()) };
    }
    Ok(stream.drain(room))
}

/// The caller's array as slots.
///
/// # Safety
/// `events` is NULL or has `cap` writable events.
unsafe fn room<'e, 'f>(events: *mut Event, cap: u32) -> Result<&'e mut [MaybeUninit<StreamEvent<'f>>], Failure> {
    if cap == 0 {
        return Ok(&mut []);
    }
    if events.is_null() {
        return Err(Failure::invalid("the array of events is NULL"));
    }
    // SAFETY: promised by the caller; a `StreamEvent` is an `Event`.
    Ok(unsafe { slice::from_raw_parts_mut(events.cast(), cap as usize) })
}

/// # Safety
/// As [`Table::reset`] says.
unsafe extern "C" fn reset<S: CodecStream>(stream: *mut c_void) {
    let work = || {
        // SAFETY: by contract.
        let stream = unsafe { usable::<S>(stream) }?;
        stream.spill.clear();
        stream.spilled = 0;
        stream.finished = false;
        stream.scratch.clear();
        stream.run(|stream| stream.codec.reset());
        Ok(OK)
    };
    // SAFETY: NULL is allowed. A panic poisons the stream, so the next call says so.
    unsafe { guard(core::ptr::null_mut(), work) };
}

/// # Safety
/// As [`Table::close`] says.
unsafe extern "C" fn close<S>(stream: *mut c_void) {
    let work = || {
        if !stream.is_null() {
            // SAFETY: from `open`, closed once, by contract.
            drop(unsafe { Box::from_raw(stream.cast::<Stream<S>>()) });
        }
        Ok(OK)
    };
    // SAFETY: NULL is allowed. A panic of a destructor has nobody to be told to.
    unsafe { guard(core::ptr::null_mut(), work) };
}
