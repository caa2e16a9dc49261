//! Keeps the conversation of an agent in a store, message by message.

use std::ffi::{CString, c_char};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use thalweg::event::EventView;
use thalweg::message::Message;
use thalweg::{Agent as Inner, Run};
use thalweg_abi::types::Error;
use thalweg_session::{About, SessionId, Store as File};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::agent::{Agent, AgentObject};
use crate::fault::Fault;
use crate::run::FOREVER;
use crate::store::{self, Shared, Store, StoreObject};
use crate::{block, callback, guard, handle, json, text};

/// The keys of the options.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    session: Option<String>,
    at: Option<u64>,
    title: Option<String>,
}

/// A session that an agent's conversation goes into.
pub(crate) struct Kept {
    store: Shared,
    session: SessionId,
    place: Mutex<Place>,
    /// Ends with the last message of the last run; runs wait for each other, so that messages keep their order.
    last: Mutex<Option<Written>>,
}

/// Where the session stands.
struct Place {
    /// The message that the next one follows.
    parent: Option<u64>,
    /// Why nothing is stored any more.
    failure: Option<String>,
}

/// Ends when the messages of a run are stored.
#[derive(Clone)]
pub(crate) struct Written(watch::Receiver<bool>);

impl Written {
    fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it; or for the end of the engine.
    pub(crate) async fn wait(&mut self) {
        let _ = self.0.wait_for(|is_written| *is_written).await;
    }
}

impl Kept {
    /// Stores what the agent has said so far as a new session, or has the agent go on with an earlier one.
    fn begin(store: Shared, agent: &Inner, options: Options) -> Result<Self, Fault> {
        if agent.is_running() {
            return Err(Fault::state("a run of the agent goes on; wait for its end"));
        }
        let mut file = store.lock();
        let (session, parent) = match options.session {
            Some(id) => {
                let session = store::find(&file, &id)?;
                let parent = options.at.map_or_else(|| file.head(&session), |at| Ok(Some(at)))?;
                let path = parent.map_or_else(|| Ok(Vec::new()), |at| file.path(&session, at))?;
                agent.set_messages(path.into_iter().map(|stored| stored.message).collect())?;
                (session, parent)
            }
            None => {
                let request = agent.request();
                let about = About { title: options.title, model: Some(name_of(agent)), system: request.system };
                let session = file.create(&about)?;
                let parent = append(&mut file, &session, None, &agent.messages())?;
                (session, parent)
            }
        };
        drop(file);
        let place = Mutex::new(Place { parent, failure: None });
        Ok(Self { store, session, place, last: Mutex::default() })
    }

    /// Stores the messages of a run that has begun, as they end.
    pub(crate) fn follow(self: &Arc<Self>, run: &Run, runtime: &Handle) {
        let (written, is_written) = watch::channel(false);
        let before = lock(&self.last).replace(Written(is_written));
        let (kept, mut events) = (Arc::clone(self), run.events());
        runtime.spawn(async move {
            if let Some(mut before) = before {
                before.wait().await;
            }
            while let Some(event) = events.next().await {
                if let EventView::MessageEnd { message, .. } = event.view {
                    // The disk may take its time; the other streams of this thread move to another one.
                    tokio::task::block_in_place(|| kept.keep(message));
                }
            }
            written.send_replace(true);
        });
    }

    /// What ends when all runs so far are stored.
    pub(crate) fn written(&self) -> Option<Written> {
        lock(&self.last).clone()
    }

    fn keep(&self, message: &str) {
        let mut place = lock(&self.place);
        if place.failure.is_some() {
            return;
        }
        let stored = serde_json::from_str::<Message>(message).map_err(|error| error.to_string());
        let stored = stored.and_then(|message| {
            self.store.lock().append(&self.session, place.parent, &message).map_err(|error| error.to_string())
        });
        match stored {
            Ok(id) => place.parent = Some(id),
            Err(why) => place.failure = Some(why),
        }
    }

    /// The conversation has become another one: the session goes on from what both begin with.
    pub(crate) fn rebase(&self, messages: &[Message]) -> Result<(), Fault> {
        let mut place = lock(&self.place);
        let mut file = self.store.lock();
        let path = place.parent.map_or_else(|| Ok(Vec::new()), |at| file.path(&self.session, at))?;
        let same = path.iter().zip(messages).take_while(|(stored, message)| stored.message == **message).count();
        place.parent = same.checked_sub(1).map(|last| path[last].id);
        file.branch(&self.session, place.parent)?;
        place.parent = append(&mut file, &self.session, place.parent, &messages[same..])?;
        Ok(())
    }

    fn json(&self) -> Value {
        let place = lock(&self.place);
        json!({ "session": self.session, "head": place.parent, "error": place.failure })
    }
}

/// Stores messages one behind the other, and gives the last one's number.
fn append(
    file: &mut File,
    session: &SessionId,
    mut parent: Option<u64>,
    messages: &[Message],
) -> Result<Option<u64>, Fault> {
    for message in messages {
        parent = Some(file.append(session, parent, message)?);
    }
    Ok(parent)
}

/// The model of an agent as `provider/model`, where the provider has a name.
fn name_of(agent: &Inner) -> String {
    let (endpoint, model) = (agent.endpoint(), agent.model());
    if endpoint.contains("://") { model } else { format!("{endpoint}/{model}") }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the conversation of an agent in a store from now on, each message when it is complete. `options` is JSON, borrowed for the
/// call; NULL and 0 for none. Its keys, all optional:
///
/// - `session`: the id of an earlier session, its beginning, or "last". The agent goes on with that conversation, and what it
///   had before is dropped. If absent, a new one begins with what the agent has.
/// - `at`: the message of that session to go on from; the last one if absent.
/// - `title`: of a new one.
///
/// `{"session": id, "head": n, "error": null}`, the number of its last message; NULL on an error, `THW_E_STATE` during a run. To be
/// freed with `thw_free`. `thw_run_wait` and `thw_agent_wait` return when the messages of the run are on the disk, too. An agent
/// keeps its conversation in one session: a second call ends what the first one has begun. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_keep(
    agent: *mut Agent,
    store: *mut Store,
    options: *const c_char,
    options_len: usize,
    error: *mut Error,
) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<AgentObject>(agent) }?;
        object.engine.process.check()?;
        // SAFETY: by contract.
        let store = unsafe { handle::get::<StoreObject>(store) }?.shared()?;
        // SAFETY: by contract.
        let options = json::read(unsafe { text::text(options, options_len, "options") }?, "options")?;
        let kept = Kept::begin(store, &object.agent, options)?;
        let told = kept.json().to_string();
        *lock(&object.kept) = Some(Arc::new(kept));
        // JSON escapes every NUL.
        Ok(CString::new(told).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// The session that the conversation of an agent is kept in, as `thw_agent_keep` gave it, with the last message that was stored; `error`
/// says why nothing more is. `null` if it is not kept. To be freed with `thw_free`; NULL on an error. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_agent_session(agent: *mut Agent, error: *mut Error) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let object = unsafe { handle::get::<AgentObject>(agent) }?;
        object.engine.process.check()?;
        let told = object.kept().map_or(Value::Null, |kept| kept.json());
        // JSON escapes every NUL.
        Ok(CString::new(told.to_string()).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

impl AgentObject {
    /// The session that its conversation is kept in.
    pub(crate) fn kept(&self) -> Option<Arc<Kept>> {
        lock(&self.kept).clone()
    }

    /// Tells the session that the conversation has become another one.
    pub(crate) fn rebase(&self) -> Result<(), Fault> {
        let Some(kept) = self.kept() else { return Ok(()) };
        if let Some(mut written) = kept.written().filter(|written| !written.is_over()) {
            // What the last run has said comes first.
            callback::check_may_wait(FOREVER)?;
            block::on(written.wait(), FOREVER);
        }
        kept.rebase(&self.agent.messages())
    }
}
