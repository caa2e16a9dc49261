//! Crews: sequences of what a program keeps, that flatten one another, on the thread of the program.
//!
//! The sequences are those of the Rust crates (thalweg-crew). What lies in them are the program's own objects: opaque
//! here, and given back when nothing can read them any more.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::task::Wake;

use thalweg_abi::types::{Error, OK, PENDING, Status};
use thalweg_crew::Turns;

use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::signal::Signal;
use crate::{guard, text};

/// Where sequences are flattened, by the thread that made it.
#[repr(C)]
pub struct Crew {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_crew`.
pub(crate) struct CrewObject {
    pub(crate) shared: Arc<Shared>,
    pub(crate) crew: thalweg_crew::Crew,
    /// Lent to the caller until the next call.
    lent: Mutex<Lent>,
}

impl Class for CrewObject {
    type Handle = Crew;
    const NAME: &'static str = "crew";
    const TAG: &'static [u8; 8] = b"thw_crew";
}

#[derive(Default)]
struct Lent(Vec<*mut c_void>);

// SAFETY: the program's own pointers, which are only handed back.
unsafe impl Send for Lent {}

/// What the crew, its sequences and their readers share.
pub(crate) struct Shared {
    turns: OnceLock<Turns>,
    woken: Mutex<Woken>,
    /// Whether something is woken, or ready to run.
    is_ready: AtomicBool,
    /// Its thread: what `here` gives there.
    owner: usize,
    signal: OnceLock<Arc<Signal>>,
    is_raised: AtomicBool,
}

#[derive(Default)]
struct Woken(Vec<Arc<Ticket>>);

/// Of one reader: what the program calls it.
pub(crate) struct Ticket {
    pub(crate) user: *mut c_void,
    pub(crate) shared: Arc<Shared>,
    is_queued: AtomicBool,
    is_gone: AtomicBool,
}

// SAFETY: the pointer is the program's own, and is only handed back.
unsafe impl Send for Ticket {}
// SAFETY: as above.
unsafe impl Sync for Ticket {}

impl Ticket {
    pub(crate) fn new(user: *mut c_void, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { user, shared, is_queued: AtomicBool::new(false), is_gone: AtomicBool::new(false) })
    }

    /// The reader is freed: its name must not be spoken any more.
    pub(crate) fn forget(&self) {
        let _woken = self.shared.woken();
        self.is_gone.store(true, Ordering::Release);
    }
}

impl Wake for Ticket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        self.shared.woken().0.push(Arc::clone(self));
        self.shared.note();
    }
}

impl Shared {
    fn woken(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something for `thw_crew_next`.
    fn note(&self) {
        self.is_ready.store(true, Ordering::Release);
        // On its own thread the program looks by itself: no system call for each piece.
        if let Some(signal) = self.signal.get()
            && here() != self.owner
            && !self.is_raised.swap(true, Ordering::AcqRel)
        {
            signal.raise();
        }
    }
}

/// A new crew. It belongs to the thread that makes it: what flattens its sequences runs there, within `thw_crew_next`.
/// NULL on an error. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_crew_new(error: *mut Error) -> *mut Crew {
    let body = || {
        let shared = Arc::new(Shared {
            turns: OnceLock::new(),
            woken: Mutex::default(),
            is_ready: AtomicBool::new(false),
            owner: here(),
            signal: OnceLock::new(),
            is_raised: AtomicBool::new(false),
        });
        let weak = Arc::downgrade(&shared);
        let turns = Turns::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.note();
            }
        });
        let crew = thalweg_crew::Crew::in_turns(&turns);
        let _ = shared.turns.set(turns);
        Ok(handle::new(CrewObject { shared, crew, lent: Mutex::default() }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a crew. Its sequences and readers stay what they are, but nothing is flattened any more. NULL is accepted.
/// `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_crew_free(crew: *mut Crew) {
    guard::quiet(|| {
        // SAFETY: by contract.
        drop(unsafe { handle::take::<CrewObject>(crew) });
    });
}

/// 1 if `thw_crew_next` has something to do, else 0; costs next to nothing. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_crew_is_ready(crew: *const Crew) -> i32 {
    let mut is_ready = 0;
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Ok(object) = unsafe { handle::get::<CrewObject>(crew) } {
            is_ready = i32::from(object.shared.is_ready.load(Ordering::Acquire));
        }
    });
    is_ready
}

/// Flattens what is there to be flattened, and says which readers have something new: `*users` points to the `user` of
/// each, `*count` of them, valid until the next call. It does not wait. A reader comes up here once for each
/// `THW_PENDING` that `thw_sequence_next` gave.
///
/// Call it on the crew's thread after anything that you did there with its sequences, if `thw_crew_is_ready`, and when the
/// descriptor of `thw_crew_fd` is readable. `THW_OK`: at least one. `THW_PENDING`: none, and nothing is left to be done.
/// `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_crew_next(
    crew: *mut Crew,
    users: *mut *const *mut c_void,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<CrewObject>(crew) }?;
        let shared = &object.shared;
        let (users, count) = (text::out(users, "users")?, text::out(count, "count")?);
        let mut lent = object.lent.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Fault::state("thw_crew_next is called within itself, or on two threads"),
            TryLockError::Poisoned(_) => Fault::state("the crew panicked earlier; free it"),
        })?;
        lent.0.clear();
        // First: what comes from now on raises it again.
        if shared.is_raised.swap(false, Ordering::AcqRel)
            && let Some(signal) = shared.signal.get()
        {
            signal.clear();
        }
        shared.is_ready.store(false, Ordering::Release);
        if shared.turns.get().is_some_and(|turns| turns.run(STEPS_MAX)) {
            shared.note();
        }
        {
            let mut woken = shared.woken();
            for ticket in woken.0.drain(..) {
                ticket.is_queued.store(false, Ordering::Release);
                if !ticket.is_gone.load(Ordering::Acquire) {
                    lent.0.push(ticket.user);
                }
            }
        }
        // SAFETY: both were checked.
        unsafe { users.write(lent.0.as_ptr()) };
        // SAFETY: as above.
        unsafe { count.write(lent.0.len()) };
        let is_done = lent.0.is_empty() && !shared.is_ready.load(Ordering::Acquire);
        Ok(if is_done { PENDING } else { OK })
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// A file descriptor that is readable when `thw_crew_next` has something that another thread brought about; for poll,
/// epoll and event loops. It is the crew's: do not read, write or close it. -1 on an error. `[one-at-a-time]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_crew_fd(crew: *mut Crew, error: *mut Error) -> c_int {
    let mut fd = -1;
    let body = || {
        // SAFETY: by contract.
        let shared = &unsafe { handle::get::<CrewObject>(crew) }?.shared;
        if shared.signal.get().is_none() {
            let signal = Signal::new()?;
            // What came before there was a descriptor did not raise it.
            if shared.is_ready.load(Ordering::Acquire) {
                signal.raise();
                shared.is_raised.store(true, Ordering::Release);
            }
            let _ = shared.signal.set(signal);
        }
        fd = shared.signal.get().map_or(-1, |signal| signal.fd());
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) };
    fd
}

/// What tells this thread from others that live now; cheaper than its id, and nothing to be freed.
fn here() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// Steps of flattening in a call: who has an event loop wants it back.
const STEPS_MAX: usize = 4096;
