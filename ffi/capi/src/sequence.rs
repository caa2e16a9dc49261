//! Sequences of a crew: the program's objects in a row, some of them still on their way.

use std::ffi::c_void;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_CANCELLED, E_CLOSED, EOF, Error, OK, PENDING, Status};
use thalweg_crew::{Piece, Reader, SequenceOf, WriterOf};
use thalweg_log::Entry;

use crate::callback::Drop;
use crate::crew::{Crew, CrewObject, Shared, Ticket};
use crate::fault::Fault;
use crate::guard;
use crate::handle::{self, Class};
use crate::text;

/// Objects of the program in a row, and the end where they are added.
#[repr(C)]
pub struct Sequence {
    _opaque: [u8; 0],
}

/// One reader of a sequence.
#[repr(C)]
pub struct SequenceReader {
    _opaque: [u8; 0],
}

/// Called once, before somebody reads a sequence first: what fills it may start now. `[crew-thread]`
pub type Start = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// What lies behind a `thw_sequence`.
pub(crate) struct SequenceObject {
    shared: Arc<Shared>,
    writer: Mutex<Option<WriterOf<Kept>>>,
    sequence: SequenceOf<Kept>,
}

impl Class for SequenceObject {
    type Handle = Sequence;
    const NAME: &'static str = "sequence";
    const TAG: &'static [u8; 8] = b"thwseqnc";
}

impl SequenceObject {
    fn writer(&self) -> MutexGuard<'_, Option<WriterOf<Kept>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What lies behind a `thw_sequence_reader`.
pub(crate) struct SequenceReaderObject {
    reader: Mutex<Reader<Kept>>,
    ticket: Arc<Ticket>,
    waker: Waker,
}

impl Class for SequenceReaderObject {
    type Handle = SequenceReader;
    const NAME: &'static str = "reader of a sequence";
    const TAG: &'static [u8; 8] = b"thwseqrd";
}

/// An object of the program, released when the last sequence that has it is gone. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Kept(Arc<Object>);

struct Object {
    object: *mut c_void,
    release: Drop,
}

// SAFETY: by contract it may be released on any thread; nobody here looks into it.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl std::ops::Drop for Object {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: taken over for this one call.
            unsafe { release(self.object) };
        }
    }
}

impl Kept {
    fn new(object: *mut c_void, release: Drop) -> Self {
        Self(Arc::new(Object { object, release }))
    }
}

/// The log keeps the place of each; the objects themselves lie beside it.
impl Piece for Kept {
    type Store = Mutex<Vec<Self>>;

    fn write(self, kind: u32, store: &Self::Store, append: &mut dyn FnMut(&Entry<'_>)) {
        let mut objects = store.lock().unwrap_or_else(PoisonError::into_inner);
        objects.push(self);
        let place = objects.len() as i64 - 1;
        drop(objects);
        append(&Entry::new(kind).with_num(place));
    }

    fn read(entry: &Entry<'_>, store: &Self::Store) -> Self {
        // Written before the entry that refers to it.
        store.lock().unwrap_or_else(PoisonError::into_inner)[entry.num as usize].clone()
    }
}

/// An object that stands for an error.
struct Raised(Kept);

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raised")
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error of the program")
    }
}

impl std::error::Error for Raised {}

/// A user's pointer that goes with a callback; given back when dropped.
struct Starter {
    start: Start,
    user: *mut c_void,
    release: Drop,
}

// SAFETY: by contract it may be released on any thread.
unsafe impl Send for Starter {}

impl Starter {
    fn call(&self) {
        if let Some(start) = self.start {
            // SAFETY: the program's own function, called as the header says.
            unsafe { start(self.user) };
        }
    }
}

impl std::ops::Drop for Starter {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: taken over for this one call.
            unsafe { release(self.user) };
        }
    }
}

/// A new sequence, empty and open. `start` may be NULL; `user` is its, until `drop`, which may be NULL, is called with it.
/// NULL on an error. It is the caller's, to be freed with `thw_sequence_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_new(
    crew: *mut Crew,
    start: Start,
    user: *mut c_void,
    drop: Drop,
    error: *mut Error,
) -> *mut Sequence {
    let starter = Starter { start, user, release: drop };
    let body = || {
        // SAFETY: by contract.
        let CrewObject { shared, crew, .. } = unsafe { handle::get::<CrewObject>(crew) }?;
        let (writer, mut sequence) = SequenceOf::channel(crew);
        if starter.start.is_some() {
            sequence = sequence.starting(move || starter.call());
        }
        Ok(handle::new(SequenceObject { shared: Arc::clone(shared), writer: Mutex::new(Some(writer)), sequence }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Closes and frees a sequence. Its readers, and the sequences that it was added to, read on. NULL is accepted.
/// `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_free(sequence: *mut Sequence) {
    guard::quiet(|| {
        // SAFETY: by contract.
        drop(unsafe { handle::take::<SequenceObject>(sequence) });
    });
}

/// Adds an object behind what was added before. `drop`, which may be NULL, is called with it once nothing can read it any
/// more, on any thread; also if this fails. `THW_E_CLOSED` after the end. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_append(
    sequence: *mut Sequence,
    object: *mut c_void,
    drop: Drop,
    error: *mut Error,
) -> Status {
    let kept = Kept::new(object, drop);
    // SAFETY: by contract.
    unsafe { append(sequence, error, |writer| writer.append(thalweg_crew::ItemOf::Piece(kept))) }
}

/// Adds an object that stands for an error at this place: see `thw_sequence_append`. More may follow. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_append_error(
    sequence: *mut Sequence,
    object: *mut c_void,
    drop: Drop,
    error: *mut Error,
) -> Status {
    let failure = thalweg_crew::Failure::from(Raised(Kept::new(object, drop)));
    // SAFETY: by contract.
    unsafe { append(sequence, error, |writer| writer.append(failure)) }
}

/// Adds all of another sequence, errors included, as it comes: at this place, before what is added later, or with
/// `THW_OUT_OF_ORDER` wherever this sequence is when it is there. The other one stays the caller's. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_append_all(
    sequence: *mut Sequence,
    other: *const Sequence,
    flags: u32,
    error: *mut Error,
) -> Status {
    // SAFETY: by contract.
    let other = unsafe { handle::get::<SequenceObject>(other) }.map(|other| other.sequence.clone());
    let add = |writer: &WriterOf<Kept>, other| {
        if flags & OUT_OF_ORDER == 0 { writer.append(other) } else { writer.append_out_of_order(other) }
    };
    let body = || {
        let other = other?;
        // SAFETY: by contract.
        let object = unsafe { handle::get::<SequenceObject>(sequence) }?;
        let writer = object.writer();
        let open = writer.as_ref().ok_or_else(closed)?;
        add(open, other).map_err(|_| closed())?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// No more will be added; the sequence ends behind what is still on its way. Closing twice is closing once.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_close(sequence: *mut Sequence, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<SequenceObject>(sequence) }?;
        // Not with the lock held: whoever waits for the end is told.
        let writer = object.writer().take();
        drop(writer);
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Ends a sequence at once, with an error behind what is there: readers get `THW_E_CANCELLED`, then the end. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_cancel(sequence: *mut Sequence) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Ok(object) = unsafe { handle::get::<SequenceObject>(sequence) } {
            object.sequence.cancel();
        }
    });
}

/// A new reader of a sequence, before its first object; any number of them, at any time. `user` is what `thw_crew_next`
/// calls it. NULL on an error. It is the caller's, to be freed with `thw_sequence_reader_free`. `[crew-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_read(
    sequence: *mut Sequence,
    user: *mut c_void,
    error: *mut Error,
) -> *mut SequenceReader {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<SequenceObject>(sequence) }?;
        let ticket = Ticket::new(user, Arc::clone(&object.shared));
        let waker = Waker::from(Arc::clone(&ticket));
        let reader = Mutex::new(object.sequence.reader());
        Ok(handle::new(SequenceReaderObject { reader, ticket, waker }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a reader. NULL is accepted. `[crew-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_reader_free(reader: *mut SequenceReader) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(reader) = unsafe { handle::take::<SequenceReaderObject>(reader) } {
            reader.ticket.forget();
        }
    });
}

/// The next object of a sequence, with `*is_error` 1 for one that was added as an error, else 0. It is lent, as long as the reader is there.
///
/// `THW_OK`: an object. `THW_PENDING`: none yet; `thw_crew_next` will name the reader when there is. `THW_EOF`: all was
/// read. `THW_E_CANCELLED`: the sequence was cancelled here. `[crew-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sequence_next(
    reader: *mut SequenceReader,
    object: *mut *mut c_void,
    is_error: *mut i32,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let of = unsafe { handle::get::<SequenceReaderObject>(reader) }?;
        let (object, is_error) = (text::out(object, "object")?, text::out(is_error, "is_error")?);
        let mut reader = of.reader.try_lock().map_err(|_| Fault::state("another thread uses the reader"))?;
        let next = match reader.poll_next(&mut Context::from_waker(&of.waker)) {
            Poll::Ready(Some(next)) => next,
            Poll::Ready(None) => return Ok(EOF),
            Poll::Pending => return Ok(PENDING),
        };
        let (kept, raised) = match &next {
            Ok(kept) => (kept, false),
            Err(failure) => match failure.downcast_ref::<Raised>() {
                Some(Raised(kept)) => (kept, true),
                None => return Err(Failure::new(E_CANCELLED, failure.to_string()).into()),
            },
        };
        // SAFETY: both were checked.
        unsafe { object.write(kept.0.object) };
        // SAFETY: as above.
        unsafe { is_error.write(i32::from(raised)) };
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// # Safety
/// As the functions that call it.
unsafe fn append(
    sequence: *mut Sequence,
    error: *mut Error,
    add: impl FnOnce(&WriterOf<Kept>) -> Result<(), thalweg_crew::Closed>,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<SequenceObject>(sequence) }?;
        let writer = object.writer();
        add(writer.as_ref().ok_or_else(closed)?).map_err(|_| closed())?;
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

fn closed() -> Fault {
    Failure::new(E_CLOSED, "the sequence is closed: nothing is added after its end").into()
}

/// For `thw_sequence_append_all`: whenever it is there.
pub const OUT_OF_ORDER: u32 = 1;
