//! `thw.http/1`: the C side. What sends the requests is the engine's own, and set by [`offer`].

mod control;
mod receiver;
mod request;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use thalweg_abi::failure::Failure;
use thalweg_abi::host::RunningCall;
use thalweg_abi::table::{Cancel, Http, HttpCall, HttpReceiver};
use thalweg_abi::types::{E_CLOSED, E_PANIC, Error, OK, Status};

pub use control::Control;
pub use receiver::{Flow, Receiver};
pub use request::Request;

/// Sends the requests of plugins.
pub trait Client: Send + Sync {
    /// Looks at a request of `plugin` and gives what sends it, without blocking.
    ///
    /// # Errors
    /// Why it may not be sent.
    fn prepare(&self, plugin: &str, request: Request) -> Result<Prepared, Failure>;
}

/// Starts an exchange and returns at once. What it does ends soon after [`Control::aborted`].
pub type Prepared = Box<dyn FnOnce(Receiver, Arc<Control>)>;

static CLIENT: OnceLock<Box<dyn Client>> = OnceLock::new();

/// Offers HTTP to the plugins of this process; the first client counts.
pub fn offer(client: impl Client + 'static) {
    let _ = CLIENT.set(Box::new(client));
}

/// The table, if there is a client.
pub(crate) fn table() -> Option<&'static Http> {
    CLIENT.get().map(|_| &TABLE)
}

static TABLE: Http = Http {
    struct_size: size_of::<Http>() as u32,
    flags: 0,
    send: Some(send),
    resume: Some(resume),
    abort: Some(abort),
};

/// The exchanges that run, by their numbers, which are not used again.
static EXCHANGES: LazyLock<Mutex<HashMap<u64, Arc<Control>>>> = LazyLock::new(Mutex::default);

fn exchanges() -> MutexGuard<'static, HashMap<u64, Arc<Control>>> {
    EXCHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The exchange has ended.
fn forget(exchange: u64) {
    let control = exchanges().remove(&exchange);
    if let Some(control) = control {
        control.release();
    }
}

/// # Safety
/// As [`Http::send`] says.
unsafe extern "C" fn send(
    call: *mut Cancel,
    request: *const HttpCall,
    receiver: *const HttpReceiver,
    exchange: *mut u64,
    error: *mut Error,
) -> Status {
    let begin = || {
        let client = CLIENT.get().ok_or(Failure::unsupported("the engine has no HTTP client"))?;
        let call = RunningCall::find(call).ok_or(Failure::new(E_CLOSED, "the call has ended"))?;
        if exchange.is_null() {
            return Err(Failure::invalid("there is no place for the exchange"));
        }
        // SAFETY: borrowed for the call, by contract.
        let request = unsafe { request::read(request) }?;
        // SAFETY: by contract.
        let table = unsafe { receiver::read(receiver) }?;
        let prepared = client.prepare(call.plugin(), request)?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let control = Arc::new(Control::default());
        exchanges().insert(number, Arc::clone(&control));
        // SAFETY: not NULL, writable by contract.
        unsafe { exchange.write(number) };
        let watched = Arc::clone(&control);
        control.watch(call.on_end(move || watched.abort()));
        prepared(Receiver::new(table, number), control);
        Ok(())
    };
    let failure = match catch_unwind(AssertUnwindSafe(begin)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(E_PANIC, "the engine's HTTP client failed"),
    };
    // SAFETY: NULL or a record of the size that it states, by contract.
    if unsafe { error.as_ref() }.is_some_and(|record| record.struct_size as usize >= size_of::<Error>()) {
        // SAFETY: there is room for it.
        unsafe { error.write(Error::from(&failure)) };
    }
    failure.code
}

/// # Safety
/// None: the number is only looked up.
unsafe extern "C" fn resume(exchange: u64) -> Status {
    let control = exchanges().get(&exchange).cloned();
    control.map_or(E_CLOSED, |control| {
        control.resume();
        OK
    })
}

/// # Safety
/// None: the number is only looked up.
unsafe extern "C" fn abort(exchange: u64) -> Status {
    let control = exchanges().get(&exchange).cloned();
    control.map_or(E_CLOSED, |control| {
        control.abort();
        OK
    })
}
