//! HTTP for plugins in Rust: a request, and its reply as it comes.

use crate::failure::Failure;
use crate::table::{Cancel, Http, HttpCall, HttpHeader, HttpReceiver};
use crate::types::{E_CLOSED, Error, OK, PENDING, Status, Str};
use core::ffi::c_void;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A request for [`Sink::http`](crate::guest::Sink::http).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// All of it, with scheme and host.
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// Perhaps empty.
    pub body: Vec<u8>,
    /// Name of the environment variable with a key, which the engine adds and this plugin never sees; empty for none.
    pub credential: String,
    /// The header that carries the key; empty for `authorization`, after `Bearer`.
    pub credential_header: String,
}

impl HttpRequest {
    /// A GET of `url`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: "GET".into(), url: url.into(), ..Self::default() }
    }

    /// A POST to `url`.
    #[must_use]
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".into(), url: url.into(), body: body.into(), ..Self::default() }
    }

    /// The same request with a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same request with the key that this variable holds.
    #[must_use]
    pub fn credential(mut self, variable: impl Into<String>) -> Self {
        self.credential = variable.into();
        self
    }
}

/// A reply whose head has come. Dropping it ends the exchange.
#[derive(Debug)]
pub struct HttpResponse {
    status: u16,
    headers: Vec<(String, String)>,
    http: Http,
    exchange: u64,
    shared: Arc<Shared>,
}

/// What the engine has told and nobody has taken yet.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    head: Option<(u16, Vec<(String, String)>)>,
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The engine was told to wait.
    is_full: bool,
    end: Option<Result<(), Failure>>,
}

/// Bytes that wait before the engine is asked to.
const WAITING_BYTES_MAX: usize = 256 << 10;

impl HttpResponse {
    /// Sends a request and waits for its head.
    ///
    /// # Safety
    /// `call` is that of a running call, and `http` has all its functions.
    pub(crate) unsafe fn open(http: Http, call: *mut Cancel, request: &HttpRequest) -> Result<Self, Failure> {
        let part = |text: &str| Str::new(text.as_bytes());
        let header = |(name, value): &(String, String)| HttpHeader { name: part(name), value: part(value) };
        let headers: Vec<HttpHeader> = request.headers.iter().map(header).collect();
        let record = HttpCall {
            struct_size: size_of::<HttpCall>() as u32,
            headers_len: headers.len() as u32,
            method: part(&request.method),
            url: part(&request.url),
            headers: headers.as_ptr(),
            body: Str::new(&request.body),
            credential: part(&request.credential),
            credential_header: part(&request.credential_header),
        };
        let shared = Arc::new(Shared::default());
        let user = Arc::into_raw(Arc::clone(&shared)).cast_mut().cast::<c_void>();
        let receiver = HttpReceiver {
            struct_size: size_of::<HttpReceiver>() as u32,
            flags: 0,
            user,
            head: Some(take_head),
            body: Some(take_body),
            end: Some(take_end),
        };
        let (mut exchange, mut error) = (0, Error::empty());
        let send = http.send.ok_or(Failure::unsupported("the engine cannot send"))?;
        // SAFETY: the request is borrowed for the call, the receiver is copied, `user` lives until `end`.
        let status = unsafe { send(call, &raw const record, &raw const receiver, &raw mut exchange, &raw mut error) };
        if status != OK {
            // SAFETY: from `into_raw` above; no function of the receiver was or will be called.
            drop(unsafe { Arc::from_raw(user.cast_const().cast::<Shared>()) });
            let mut failure = Failure::from(&error);
            failure.code = if status < OK { status } else { E_CLOSED };
            return Err(failure);
        }
        let mut response = Self { status: 0, headers: Vec::new(), http, exchange, shared };
        let mut state = response.shared.lock();
        while state.head.is_none() && state.end.is_none() {
            state = response.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let head = state.head.take();
        let end = state.end.clone();
        drop(state);
        match (head, end) {
            (Some((status, headers)), _) => {
                (response.status, response.headers) = (status, headers);
                Ok(response)
            }
            (None, Some(Err(failure))) => Err(failure),
            (None, _) => Err(Failure::new(E_CLOSED, "the exchange ended without a reply")),
        }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The first header of that name, which is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// More of the body, or `None` when it is complete. Waits.
    ///
    /// # Errors
    /// When the connection breaks, or the call was cancelled.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut state = self.shared.lock();
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                state.bytes -= chunk.len();
                let goes_on = state.is_full && state.chunks.is_empty();
                state.is_full &= !goes_on;
                drop(state);
                if let (true, Some(resume)) = (goes_on, self.http.resume) {
                    // SAFETY: the exchange is a number, which is only looked up.
                    let _: Status = unsafe { resume(self.exchange) };
                }
                return Ok(Some(chunk));
            }
            if let Some(end) = &state.end {
                return end.clone().map(|()| None);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for HttpResponse {
    fn drop(&mut self) {
        if let Some(abort) = self.http.abort {
            // SAFETY: the exchange is a number, which is only looked up.
            let _: Status = unsafe { abort(self.exchange) };
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// # Safety
/// `user` is from [`HttpResponse::open`], and its `end` was not called.
unsafe fn shared<'a>(user: *mut c_void) -> &'a Shared {
    // SAFETY: promised by the caller.
    unsafe { &*user.cast_const().cast::<Shared>() }
}

/// # Safety
/// As [`HttpReceiver::head`] says.
unsafe extern "C" fn take_head(user: *mut c_void, status: u32, headers: *const HttpHeader, headers_len: u32) -> Status {
    let headers: &[HttpHeader] = if headers.is_null() || headers_len == 0 {
        &[]
    } else {
        // SAFETY: an array of that length, borrowed for the call.
        unsafe { core::slice::from_raw_parts(headers, headers_len as usize) }
    };
    let owned = |text: Str| {
        // SAFETY: borrowed for the call, by contract.
        String::from_utf8_lossy(unsafe { text.as_bytes() }).into_owned()
    };
    let headers = headers.iter().map(|header| (owned(header.name), owned(header.value))).collect();
    // SAFETY: the engine calls it before `end`.
    unsafe { shared(user) }.change(|state| state.head = Some((status as u16, headers)));
    OK
}

/// # Safety
/// As [`HttpReceiver::body`] says.
unsafe extern "C" fn take_body(user: *mut c_void, bytes: *const Str) -> Status {
    // SAFETY: borrowed for the call, by contract.
    let text = unsafe { *bytes };
    // SAFETY: as above.
    let chunk = unsafe { text.as_bytes() }.to_vec();
    let mut status = OK;
    // SAFETY: the engine calls it before `end`.
    unsafe { shared(user) }.change(|state| {
        state.bytes += chunk.len();
        state.chunks.push_back(chunk);
        if state.bytes > WAITING_BYTES_MAX {
            state.is_full = true;
            status = PENDING;
        }
    });
    status
}

/// # Safety
/// As [`HttpReceiver::end`] says.
unsafe extern "C" fn take_end(user: *mut c_void, status: Status, error: *const Error) {
    // SAFETY: from `into_raw`; this is the last call.
    let shared = unsafe { Arc::from_raw(user.cast_const().cast::<Shared>()) };
    // SAFETY: NULL or borrowed for the call.
    let failure = unsafe { error.as_ref() }.map_or_else(|| Failure::new(status, ""), Failure::from);
    shared
        .change(|state| state.end = Some(if status == OK { Ok(()) } else { Err(Failure { code: status, ..failure }) }));
}
