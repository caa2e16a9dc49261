//! Keeps a conversation while it goes on, and finds an earlier one to go on with. The disk is asked on a thread of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg::message::Message;
use thalweg::user_folders;
use thalweg_session::{About, SessionId, Store};

use crate::failure::{Failure, say};

/// The file of the conversations.
const VARIABLE: &str = "THALWEG_SESSIONS";

/// Whether the user wants none kept.
pub(crate) fn is_off() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| value == "off")
}

/// Opens the file of the conversations.
pub(crate) fn open() -> Result<Store, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let named = variable(VARIABLE).filter(|value| !value.is_empty());
    let path = match named {
        Some(off) if off == "off" => {
            return Err(Failure::usage(format_args!("no conversations are kept: {VARIABLE} is `off`")));
        }
        Some(path) => PathBuf::from(path),
        None => user_folders::data(&variable).map(|folder| folder.join("sessions.db")).ok_or_else(|| {
            Failure::usage(format_args!("there is no folder for conversations; set HOME or {VARIABLE}"))
        })?,
    };
    Store::open(&path).map_err(Failure::run)
}

/// The session that `id` is the beginning of; `last` is the one that was used last.
pub(crate) fn find(store: &Store, id: &str) -> Result<SessionId, Failure> {
    let found = if id == "last" { store.last() } else { store.find(id) };
    found.map_err(|error| match error {
        thalweg_session::Error::NoSession { .. } | thalweg_session::Error::Ambiguous { .. } => Failure::usage(error),
        other => Failure::run(other),
    })
}

/// See the module.
pub(crate) struct Keeper {
    shared: Arc<Mutex<Kept>>,
    about: About,
    /// The conversation that is gone on with, until it is taken.
    earlier: Vec<Message>,
    /// What was not told yet.
    news: Option<String>,
    has_failed: bool,
}

/// What the thread of the disk works with.
struct Kept {
    /// Opened with the first message.
    store: Option<Store>,
    session: Option<SessionId>,
    /// The message that the next one follows.
    parent: Option<u64>,
    about: About,
}

impl Keeper {
    /// Keeps a new conversation, from its first message on.
    pub(crate) fn begin(model: Option<String>, system: Option<String>) -> Self {
        let about = About { title: None, model, system };
        let kept = Kept { store: None, session: None, parent: None, about: about.clone() };
        Self { shared: Arc::new(Mutex::new(kept)), about, earlier: Vec::new(), news: None, has_failed: false }
    }

    /// Goes on with an earlier one.
    pub(crate) async fn resume(id: &str) -> Result<Self, Failure> {
        let id = id.to_owned();
        let resumed = tokio::task::spawn_blocking(move || {
            let store = open()?;
            let session = find(&store, &id)?;
            let (about, _) = store.about(&session).map_err(Failure::run)?;
            let parent = store.head(&session).map_err(Failure::run)?;
            let path =
                parent.map_or_else(|| Ok(Vec::new()), |head| store.path(&session, head)).map_err(Failure::run)?;
            let earlier: Vec<Message> = path.into_iter().map(|stored| stored.message).collect();
            let news = Some(format!("{session} goes on, with {} messages", earlier.len()));
            let kept = Kept { store: Some(store), session: Some(session), parent, about: about.clone() };
            Ok(Self { shared: Arc::new(Mutex::new(kept)), about, earlier, news, has_failed: false })
        });
        resumed.await.map_err(Failure::run)?
    }

    /// The model of the conversation, as `provider/model`.
    pub(crate) fn model(&self) -> Option<&str> {
        self.about.model.as_deref()
    }

    /// Its instructions.
    pub(crate) fn system(&self) -> Option<&str> {
        self.about.system.as_deref()
    }

    /// The messages to go on with.
    pub(crate) fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.earlier)
    }

    /// Keeps a message, given as JSON; it is on the disk when this returns. If that fails, it is said once, and the conversation goes
    /// on without.
    pub(crate) async fn keep(&mut self, json: &str) {
        if self.has_failed {
            return;
        }
        let (shared, json) = (Arc::clone(&self.shared), json.to_owned());
        let kept = tokio::task::spawn_blocking(move || {
            let message: Message = serde_json::from_str(&json).map_err(Failure::run)?;
            shared.lock().unwrap_or_else(PoisonError::into_inner).keep(&message)
        });
        match kept.await {
            Ok(Ok(begun)) => self.news = begun.map(|session| format!("{session}, kept")).or(self.news.take()),
            Ok(Err(failure)) => self.fail(failure.message()),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    fn fail(&mut self, why: &str) {
        self.has_failed = true;
        say(format_args!("the conversation is not kept: {why}"));
    }

    /// What is to be told of the session, once.
    pub(crate) fn news(&mut self) -> Option<String> {
        self.news.take()
    }
}

impl Kept {
    /// Stores the message, and gives the session if this has begun it.
    fn keep(&mut self, message: &Message) -> Result<Option<SessionId>, Failure> {
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(open()?),
        };
        let (session, is_new) = match self.session.take() {
            Some(session) => (session, false),
            None => (store.create(&self.about).map_err(Failure::run)?, true),
        };
        self.parent = Some(store.append(&session, self.parent, message).map_err(Failure::run)?);
        self.session = Some(session.clone());
        Ok(is_new.then_some(session))
    }
}
