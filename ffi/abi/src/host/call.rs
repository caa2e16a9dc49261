//! Running calls of tools and providers: what stands behind the `thw_sink` and `thw_cancel` that a plugin holds.
//!
//! Both are the number of a call in a table of the process, never an address: a plugin that uses one after its end, or
//! finishes twice, gets `THW_E_CLOSED` and touches no memory. Numbers are not used again.

use crate::failure::Failure;
use crate::host::plugin::Started;
use crate::host::room::Room;
use crate::host::{CancelListener, CancelToken, Error, LogLine, Misbehaviour};
use crate::table::{Cancel, Sink};
use crate::types::{self, E_CLOSED, E_FAILED, E_INVALID, E_STATE, Event, OK, PENDING, Status};
use core::ffi::c_void;
use core::ops::Deref;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Takes what a call pushes. Called by one thread at a time, without a lock.
pub(crate) trait Listener: Send {
    /// Takes over events, which are borrowed; `THW_OK`, or `THW_PENDING` to slow the plugin down.
    ///
    /// # Errors
    /// The status that the plugin gets, and the rule that it broke: the call fails with it.
    fn push(&mut self, events: &[Event]) -> Result<Status, (Status, Misbehaviour)>;

    /// The call has ended: the last that is heard of it.
    fn finished(&mut self, result: Result<(), Error>);
}

/// One call of a plugin, from its start until its sink is finished.
pub(crate) struct Call {
    plugin: Kept,
    /// Where a plugin waits that pushes faster than its events are taken.
    room: Option<Arc<Room>>,
    /// Passes the cancellation of the token on; gone when the call ends.
    token: Mutex<Option<CancelListener>>,
    state: Mutex<State>,
    cancelled: AtomicBool,
    /// Told when the call is cancelled or ends.
    over: CancelToken,
    callbacks: Mutex<Callbacks>,
    callback_ended: Condvar,
}

/// A call of a plugin that is running, as an extension of the engine sees it.
pub struct RunningCall(Arc<Call>);

impl RunningCall {
    /// The call behind the `thw_cancel` that a plugin holds; `None` if it has ended.
    #[must_use]
    pub fn find(cancel: *const Cancel) -> Option<Self> {
        find(cancel).map(Self)
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.0.plugin.name()
    }

    /// Has `listener` called once when the call is cancelled or ends, at once if that has happened. The guard takes it back.
    pub fn on_end(&self, listener: impl FnOnce() + Send + 'static) -> CancelListener {
        self.0.over.on_cancel(listener)
    }
}

impl core::fmt::Debug for RunningCall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RunningCall").field("plugin", &self.plugin()).finish_non_exhaustive()
    }
}

/// Keeps the plugin started as long as one of its calls runs. It does not end the plugin: the last of a call may go while
/// the plugin's own thread is on its way out of `sink_finish`. A plugin whose call outlives all else stays started.
struct Kept(Option<Arc<Started>>);

impl Deref for Kept {
    type Target = Started;

    fn deref(&self) -> &Started {
        self.0.as_ref().expect("taken in `drop` only")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        static STARTED: Mutex<Vec<Started>> = Mutex::new(Vec::new());
        if let Some(last) = self.0.take().and_then(Arc::into_inner) {
            lock(&STARTED).push(last);
        }
    }
}

#[derive(Default)]
struct State {
    /// `None` while it is being called, and when nobody listens any more.
    listener: Option<Box<dyn Listener>>,
    /// The listener is being called on some thread.
    busy: bool,
    detached: bool,
    closed: bool,
    misbehaved: Option<Misbehaviour>,
    /// How the call ended, when that came while the listener was busy.
    last: Option<Result<(), Error>>,
}

#[derive(Default)]
struct Callbacks {
    waiting: Vec<Callback>,
    running: Vec<(u64, ThreadId)>,
}

#[derive(Clone, Copy)]
struct Callback {
    registration: u64,
    function: unsafe extern "C" fn(*mut c_void),
    user: *mut c_void,
}

// SAFETY: by contract the callback may be called on any thread.
unsafe impl Send for Callback {}

static CALLS: LazyLock<Mutex<HashMap<usize, Arc<Call>>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find<T>(handle: *const T) -> Option<Arc<Call>> {
    lock(&CALLS).get(&handle.addr()).cloned()
}

/// The number of a call as the two pointers that its plugin gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle(usize);

impl Handle {
    pub(crate) const fn sink(self) -> *mut Sink {
        core::ptr::without_provenance_mut(self.0)
    }

    pub(crate) const fn cancel(self) -> *mut Cancel {
        core::ptr::without_provenance_mut(self.0)
    }

    fn remove(self) {
        let call = lock(&CALLS).remove(&self.0);
        drop(call); // Outside the lock: this may end the plugin.
    }
}

impl Call {
    /// A call that tells `listener`; `room` is where its plugin may wait.
    pub(crate) fn begin(
        plugin: Arc<Started>,
        listener: Box<dyn Listener>,
        room: Option<Arc<Room>>,
    ) -> (Handle, Arc<Self>) {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let call = Arc::new(Self {
            plugin: Kept(Some(plugin)),
            room,
            token: Mutex::default(),
            state: Mutex::new(State { listener: Some(listener), ..State::default() }),
            cancelled: AtomicBool::new(false),
            over: CancelToken::new(),
            callbacks: Mutex::default(),
            callback_ended: Condvar::new(),
        });
        let handle = Handle(NEXT.fetch_add(1, Ordering::Relaxed));
        lock(&CALLS).insert(handle.0, Arc::clone(&call));
        (handle, call)
    }

    /// Cancels the call when `token` is cancelled, until the call ends.
    pub(crate) fn listen(self: &Arc<Self>, token: &CancelToken) {
        let call = Arc::downgrade(self);
        let listener = token.on_cancel(move || {
            if let Some(call) = call.upgrade() {
                call.cancel();
            }
        });
        *lock(&self.token) = Some(listener);
    }

    /// Whether the sink was finished.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Sets the flag, wakes the plugin where it waits for room, and runs its callbacks on this thread.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.over.cancel();
        if let Some(room) = &self.room {
            room.close();
        }
        loop {
            let callback = {
                let mut callbacks = lock(&self.callbacks);
                let Some(callback) = callbacks.waiting.pop() else { return };
                callbacks.running.push((callback.registration, thread::current().id()));
                callback
            };
            self.run(callback);
        }
    }

    /// Runs a callback that was entered as running.
    fn run(&self, callback: Callback) {
        // SAFETY: the plugin registered it and has not taken it back; if it does so now, it waits in `off_cancel`.
        unsafe { (callback.function)(callback.user) };
        lock(&self.callbacks).running.retain(|(running, _)| *running != callback.registration);
        self.callback_ended.notify_all();
    }

    /// Takes callbacks back and waits for those that run on other threads.
    fn forget_callbacks(&self, which: impl Fn(u64) -> bool) {
        let this = thread::current().id();
        let mut callbacks = lock(&self.callbacks);
        callbacks.waiting.retain(|callback| !which(callback.registration));
        while callbacks.running.iter().any(|(running, thread)| which(*running) && *thread != this) {
            callbacks = self.callback_ended.wait(callbacks).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody listens from here on. The call itself stays until its plugin finishes it.
    pub(crate) fn detach(&self) {
        let listener = {
            let mut state = lock(&self.state);
            state.detached = true;
            state.last = None;
            state.listener.take()
        };
        drop(listener); // Outside the lock: it may own anything.
        self.cancel();
    }

    /// The plugin's function has returned `status`: ends the call unless it goes on or its sink was finished.
    pub(crate) fn handle_return(&self, handle: Handle, function: &'static str, status: Status, error: &types::Error) {
        let unknown = Misbehaviour::UnknownStatus { function, status };
        let verdict = match status {
            PENDING => return,
            OK if self.is_closed() => return,
            OK => self.plugin.misbehaved(Misbehaviour::SinkNotFinished),
            // SAFETY: the engine's own record.
            ..OK => self.plugin.failed(unsafe { failure(status, &raw const *error) }),
            _ => self.plugin.misbehaved(unknown.clone()),
        };
        if !self.finish(handle, Err(verdict)) {
            // It finished the sink and then said that it failed: the answer was told, so this is for the log.
            log_misbehaviour(&self.plugin, &unknown);
        }
    }

    /// Ends the call with `result`, or with the rule that its plugin broke. False if it had ended.
    pub(crate) fn finish(&self, handle: Handle, result: Result<(), Error>) -> bool {
        let result = {
            let mut state = lock(&self.state);
            if core::mem::replace(&mut state.closed, true) {
                return false;
            }
            match state.misbehaved.take() {
                Some(what) => Err(self.plugin.misbehaved(what)),
                None => result,
            }
        };
        drop(lock(&self.token).take());
        self.over.cancel();
        self.forget_callbacks(|_| true);
        handle.remove();
        let mut state = lock(&self.state);
        if state.busy {
            state.last = Some(result);
            return true;
        }
        let listener = state.listener.take();
        drop(state);
        if let Some(listener) = listener {
            tell_end(listener, result);
        }
        true
    }

    /// Hands pushed events to the listener, without a lock: it may detach the call.
    fn push(&self, events: &[Event]) -> Status {
        let mut listener = {
            let mut state = lock(&self.state);
            if state.closed || state.detached {
                return E_CLOSED;
            }
            if state.busy {
                return E_STATE; // Two threads push at once.
            }
            let Some(listener) = state.listener.take() else { return E_CLOSED };
            state.busy = true;
            listener
        };
        // A panic of the listener must not run into the plugin's frames; it loses the events and no more.
        let pushed = catch_unwind(AssertUnwindSafe(|| listener.push(events))).unwrap_or(Ok(OK));
        let mut state = lock(&self.state);
        state.busy = false;
        let status = match pushed {
            Ok(status) => status,
            Err((status, what)) => {
                state.misbehaved.get_or_insert(what);
                status
            }
        };
        if state.detached {
            drop(state);
            return status; // Drops the listener outside the lock.
        }
        match state.last.take() {
            Some(result) => {
                drop(state);
                tell_end(listener, result);
            }
            None => state.listener = Some(listener),
        }
        status
    }
}

fn tell_end(mut listener: Box<dyn Listener>, result: Result<(), Error>) {
    let _ = catch_unwind(AssertUnwindSafe(|| listener.finished(result)));
}

/// # Safety
/// As [`HostServices::sink_push`](crate::table::HostServices::sink_push) says.
pub(crate) unsafe extern "C" fn sink_push(sink: *mut Sink, events: *const Event, count: u32) -> Status {
    let Some(call) = find(sink) else { return E_CLOSED };
    if count == 0 {
        return OK;
    }
    if events.is_null() || !events.is_aligned() {
        return E_INVALID;
    }
    // SAFETY: an array of that length, by contract.
    let events = unsafe { core::slice::from_raw_parts(events, count as usize) };
    catch_unwind(AssertUnwindSafe(|| call.push(events))).unwrap_or(E_FAILED)
}

/// # Safety
/// None: the handle is only looked up.
pub(crate) unsafe extern "C" fn sink_wait(sink: *mut Sink, timeout_ms: i32) -> Status {
    let Some(call) = find(sink) else { return E_CLOSED };
    if call.cancelled.load(Ordering::Acquire) {
        return E_CLOSED;
    }
    let Some(room) = call.room.clone() else { return OK };
    drop(call); // Or a plugin that waits would keep itself started.
    room.wait(u64::try_from(timeout_ms).ok().map(Duration::from_millis))
}

/// # Safety
/// As [`HostServices::sink_finish`](crate::table::HostServices::sink_finish) says.
pub(crate) unsafe extern "C" fn sink_finish(sink: *mut Sink, status: Status, error: *const types::Error) -> Status {
    let Some(call) = find(sink) else { return E_CLOSED };
    let finish = || {
        let result = match status {
            OK => Ok(()),
            // SAFETY: NULL or a record of the size it states, by contract.
            ..OK => Err(call.plugin.failed(unsafe { failure(status, error) })),
            _ => Err(call.plugin.misbehaved(Misbehaviour::UnknownStatus { function: "sink_finish", status })),
        };
        let detached = lock(&call.state).detached;
        if call.finish(Handle(sink.addr()), result) && !detached { OK } else { E_CLOSED }
    };
    catch_unwind(AssertUnwindSafe(finish)).unwrap_or(E_FAILED)
}

/// The failure behind a status below 0.
///
/// # Safety
/// `error` is NULL or a record of the size that it states.
pub(crate) unsafe fn failure(status: Status, error: *const types::Error) -> Failure {
    if error.is_null() || !error.is_aligned() {
        return Failure::new(status, "");
    }
    // SAFETY: the record has at least its size.
    let stated = unsafe { (*error).struct_size } as usize;
    if stated < size_of::<types::Error>() {
        return Failure::new(status, "");
    }
    // SAFETY: large enough, checked above.
    let mut failure = Failure::from(unsafe { &*error });
    failure.code = status;
    failure
}

/// # Safety
/// None: the handle is only looked up. A call that is gone counts as cancelled.
pub(crate) unsafe extern "C" fn is_cancelled(cancel: *const Cancel) -> i32 {
    find(cancel).is_none_or(|call| call.cancelled.load(Ordering::Acquire)).into()
}

/// # Safety
/// As [`HostServices::on_cancel`](crate::table::HostServices::on_cancel) says.
pub(crate) unsafe extern "C" fn on_cancel(
    cancel: *mut Cancel,
    callback: Option<unsafe extern "C" fn(*mut c_void)>,
    user: *mut c_void,
) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Some(function) = callback else { return 0 };
    let registration = NEXT.fetch_add(1, Ordering::Relaxed);
    let callback = Callback { registration, function, user };
    let Some(call) = find(cancel) else {
        // SAFETY: the plugin hands it over to be called once.
        unsafe { function(user) };
        return registration;
    };
    {
        let mut callbacks = lock(&call.callbacks);
        // `cancel` sets the flag before it looks at the list, so one of both sees the other.
        if !call.cancelled.load(Ordering::Acquire) {
            callbacks.waiting.push(callback);
            return registration;
        }
        callbacks.running.push((registration, thread::current().id()));
    }
    call.run(callback);
    registration
}

/// # Safety
/// None: handle and registration are only looked up.
pub(crate) unsafe extern "C" fn off_cancel(cancel: *mut Cancel, registration: u64) {
    if let Some(call) = find(cancel) {
        call.forget_callbacks(|running| running == registration);
    }
}

/// A plugin that used its sink wrongly is worth a line, though nobody waits for an error.
fn log_misbehaviour(plugin: &Started, what: &Misbehaviour) {
    let message = format!("plugin `{}` broke a rule of the plugin ABI: {what}", plugin.name());
    plugin.host().log(LogLine { level: 2, target: "thalweg.plugin", message: &message });
}
