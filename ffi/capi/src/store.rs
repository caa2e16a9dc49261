//! Conversations kept in one file: what a store is asked, and what it answers, is JSON.

use std::ffi::{CString, c_char};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use thalweg::message::Message;
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{E_FAILED, E_TIMEOUT, Error};
use thalweg_session::{About, SessionId, Store as Inner};

use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::process::Process;
use crate::{guard, text};

/// A file of conversations.
#[repr(C)]
pub struct Store {
    _opaque: [u8; 0],
}

/// What lies behind a `thw_store`.
pub(crate) struct StoreObject {
    process: Process,
    store: Shared,
}

impl Class for StoreObject {
    type Handle = Store;
    const NAME: &'static str = "store";
    const TAG: &'static [u8; 8] = b"thwstore";
}

impl StoreObject {
    /// The store, for agents that keep their conversations in it.
    pub(crate) fn shared(&self) -> Result<Shared, Fault> {
        self.process.check()?;
        Ok(self.store.clone())
    }
}

/// A store that handles and agents share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Inner>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A transaction that was cut off by a panic was rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a store may be asked.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Create {
        title: Option<String>,
        model: Option<String>,
        system: Option<String>,
    },
    Append {
        session: String,
        #[serde(default, deserialize_with = "given")]
        parent: Option<Option<u64>>,
        messages: Vec<Message>,
    },
    Sessions {
        limit: Option<usize>,
    },
    Read {
        session: String,
        at: Option<u64>,
        #[serde(default)]
        all: bool,
    },
    Branch {
        session: String,
        at: Option<u64>,
    },
    Search {
        words: String,
        limit: Option<usize>,
    },
    Export {
        session: String,
        #[serde(default)]
        format: Format,
    },
    Import {
        text: String,
    },
    Delete {
        session: String,
    },
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    JsonLines,
    Markdown,
}

/// Tells `null` from nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The session whose id begins so; `last` is the one that was used last.
pub(crate) fn find(store: &Inner, id: &str) -> Result<SessionId, thalweg_session::Error> {
    if id == "last" { store.last() } else { store.find(id) }
}

fn answer(store: &mut Inner, request: Request) -> Result<Value, thalweg_session::Error> {
    Ok(match request {
        Request::Create { title, model, system } => {
            json!({ "session": store.create(&About { title, model, system })? })
        }
        Request::Append { session, parent, messages } => {
            let session = find(store, &session)?;
            let mut parent = parent.map_or_else(|| store.head(&session), Ok)?;
            let mut stored = Vec::with_capacity(messages.len());
            for message in &messages {
                let id = store.append(&session, parent, message)?;
                stored.push(id);
                parent = Some(id);
            }
            json!({ "session": session, "messages": stored })
        }
        Request::Sessions { limit } => json!({ "sessions": store.sessions(limit.unwrap_or(LIMIT))? }),
        Request::Read { session, at, all } => {
            let session = find(store, &session)?;
            let ((about, created_us), head) = (store.about(&session)?, store.head(&session)?);
            let messages = match at.or(head) {
                _ if all => store.all(&session)?,
                Some(message) => store.path(&session, message)?,
                None => Vec::new(),
            };
            let leaves = store.leaves(&session)?;
            json!({"session": session, "about": about, "created_us": created_us, "head": head, "leaves": leaves,
                "messages": messages})
        }
        Request::Branch { session, at } => {
            let session = find(store, &session)?;
            store.branch(&session, at)?;
            json!({ "session": session, "head": at })
        }
        Request::Search { words, limit } => json!({ "hits": store.search(&words, limit.unwrap_or(LIMIT))? }),
        Request::Export { session, format } => {
            let session = find(store, &session)?;
            let text = match format {
                Format::JsonLines => store.export_lines(&session)?,
                Format::Markdown => store.export_markdown(&session)?,
            };
            json!({ "text": text })
        }
        Request::Import { text } => {
            let is_lines = text.trim_start().starts_with('{');
            let sessions = if is_lines { store.import_lines(&text)? } else { vec![store.import_markdown(&text)?] };
            json!({ "sessions": sessions })
        }
        Request::Delete { session } => {
            let session = find(store, &session)?;
            store.delete(&session)?;
            json!({ "session": session })
        }
    })
}

impl From<thalweg_session::Error> for Fault {
    fn from(error: thalweg_session::Error) -> Self {
        use thalweg_session::Error::{Busy, Database};
        let message = error.to_string();
        match error {
            Busy { .. } => Failure { retryable: true, ..Failure::new(E_TIMEOUT, message) }.into(),
            Database(_) => Failure::new(E_FAILED, message).into(),
            _ => Failure::invalid(message).into(),
        }
    }
}

/// Opens a file of conversations, and makes it, with the folders above it, if it is not there; NULL on an error. `path` is
/// borrowed for the call; ":memory:" is a store that is gone when it is freed. Any number of processes may have the file open. The
/// store is the caller's, to be freed with `thw_store_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_store_open(path: *const c_char, path_len: usize, error: *mut Error) -> *mut Store {
    let body = || {
        // SAFETY: by contract.
        let store = match unsafe { text::text(path, path_len, "path") }? {
            "" => return Err(Failure::invalid("`path` is empty").into()),
            ":memory:" => Inner::in_memory()?,
            path => Inner::open(Path::new(path))?,
        };
        let store = Shared(Arc::new(Mutex::new(store)));
        Ok(handle::new(StoreObject { process: Process::current(), store }))
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a store; agents that keep their conversations in it go on doing so. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_store_free(store: *mut Store) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(store) = unsafe { handle::take::<StoreObject>(store) }
            && store.process.is_other()
        {
            // A file that was opened before a fork must not be closed behind it.
            std::mem::forget(store);
        }
    });
}

/// Asks a store for something; the answer is JSON, NULL on an error. `request` is a JSON object with one key, borrowed for the call:
///
/// - `{"create": {"title": s, "model": s, "system": s}}`, all optional: begins a session. `{"session": id}`.
/// - `{"append": {"session": id, "messages": [...], "parent": n}}`: stores messages behind the one with the number `parent`, behind
///   the last one if that is absent, as first ones if it is null. They are on the disk then. `{"session": id, "messages": [n, ...]}`.
/// - `{"sessions": {"limit": n}}`: those used last first. `{"sessions": [{"id", "title", "model", "created_us", "updated_us",
///   "messages", "branches"}]}`.
/// - `{"read": {"session": id, "at": n, "all": b}}`: the conversation up to message `at`, or up to where it goes on; or all branches.
///   `{"session", "about", "created_us", "head", "leaves", "messages": [{"id", "parent", "time_us", "message"}]}`.
/// - `{"branch": {"session": id, "at": n}}`: has it go on from an earlier message, or from nothing without `at`; what came behind
///   that stays. `{"session": id, "head": n}`.
/// - `{"search": {"words": s, "limit": n}}`: messages that hold all words; `"two words"` in quotes stand together, `begin*` is a
///   beginning. `{"hits": [{"session", "message", "role", "snippet"}]}`, the best first.
/// - `{"export": {"session": id, "format": "json_lines" | "markdown"}}`: with all its branches. `{"text": s}`.
/// - `{"import": {"text": s}}`: what was exported, or Markdown with a heading for each speaker. `{"sessions": [id, ...]}`.
/// - `{"delete": {"session": id}}`: with all its branches. `{"session": id}`.
///
/// In the place of an `id` its beginning will do, or "last" for the session that was used last. `limit` is 100 if absent. It waits
/// for the disk, and for other processes. NUL-terminated and the caller's, to be freed with `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_store_ask(
    store: *mut Store,
    request: *const c_char,
    request_len: usize,
    error: *mut Error,
) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let store = unsafe { handle::get::<StoreObject>(store) }?.shared()?;
        // SAFETY: by contract.
        let request = unsafe { text::text(request, request_len, "request") }?;
        let request = serde_json::from_str(request).map_err(|error| Failure::invalid(format!("`request`: {error}")))?;
        let answer = answer(&mut store.lock(), request)?;
        // JSON escapes every NUL.
        Ok(CString::new(answer.to_string()).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Unless said otherwise.
const LIMIT: usize = 100;
