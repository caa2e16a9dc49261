//! Where a reply goes: the functions of a plugin, each called as the header says.

use thalweg_abi::failure::Failure;
use thalweg_abi::table::{HttpHeader, HttpReceiver};
use thalweg_abi::types::{E_CANCELLED, Error, OK, PENDING, Status, Str};

/// What a plugin wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More.
    GoOn,
    /// Nothing until it resumes.
    Wait,
    /// Nothing at all.
    Stop,
}

/// Takes one reply. Ended exactly once: dropped before, it says that it was cancelled.
#[derive(Debug)]
pub struct Receiver {
    table: HttpReceiver,
    exchange: u64,
    is_ended: bool,
}

// SAFETY: by contract its functions may be called on any thread, one at a time, which `&mut self` ensures.
unsafe impl Send for Receiver {}

/// A copy of a receiver, whose functions are all there but for `head`.
///
/// # Safety
/// `receiver` is NULL or states its size.
pub(super) unsafe fn read(receiver: *const HttpReceiver) -> Result<HttpReceiver, Failure> {
    if receiver.is_null() || !receiver.is_aligned() {
        return Err(Failure::invalid("there is no receiver"));
    }
    // SAFETY: not NULL, and as long as it states.
    if (unsafe { (*receiver).struct_size } as usize) < size_of::<HttpReceiver>() {
        return Err(Failure::invalid("the receiver is smaller than thw_http_receiver"));
    }
    // SAFETY: large enough.
    let table = unsafe { receiver.read() };
    if table.body.is_none() || table.end.is_none() {
        return Err(Failure::invalid("the receiver has no `body` or no `end`"));
    }
    Ok(table)
}

impl Receiver {
    pub(super) const fn new(table: HttpReceiver, exchange: u64) -> Self {
        Self { table, exchange, is_ended: false }
    }

    /// The head of the reply.
    pub fn head(&mut self, status: u16, headers: &[(&str, &str)]) -> Flow {
        let Some(head) = self.table.head else { return Flow::GoOn };
        let part = |text: &str| Str::new(text.as_bytes());
        let headers: Vec<HttpHeader> =
            headers.iter().map(|(name, value)| HttpHeader { name: part(name), value: part(value) }).collect();
        // SAFETY: `user` is the plugin's until its `end`; the headers are borrowed for the call.
        flow(unsafe { head(self.table.user, status.into(), headers.as_ptr(), headers.len() as u32) })
    }

    /// More of the body.
    pub fn body(&mut self, bytes: &[u8]) -> Flow {
        let Some(body) = self.table.body else { return Flow::Stop };
        let bytes = Str::new(bytes);
        // SAFETY: as above.
        flow(unsafe { body(self.table.user, &raw const bytes) })
    }

    /// The end.
    pub fn end(mut self, result: Result<(), Failure>) {
        self.tell_end(result);
    }

    fn tell_end(&mut self, result: Result<(), Failure>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        // Before it is told, so that what the plugin does then finds no exchange.
        super::forget(self.exchange);
        let Some(end) = self.table.end else { return };
        let error = result.err().map(|failure| Error::from(&failure));
        let status = error.as_ref().map_or(OK, |error| error.code);
        let error = error.as_ref().map_or(core::ptr::null(), |error| &raw const *error);
        // SAFETY: the last call, and the only one of `end`; `error` is NULL or borrowed for the call.
        unsafe { end(self.table.user, status, error) };
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.tell_end(Err(Failure::new(E_CANCELLED, "the exchange was given up")));
    }
}

const fn flow(status: Status) -> Flow {
    match status {
        OK => Flow::GoOn,
        PENDING => Flow::Wait,
        _ => Flow::Stop,
    }
}
