//! A session as JSON lines: what it is about, its messages, where it goes on from.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::record::{About, SessionId, Stored};
use crate::store::Store;

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Session {
        version: u32,
        id: String,
        created_us: u64,
        #[serde(flatten)]
        about: About,
    },
    Message(Box<Stored>),
    Head {
        id: Option<u64>,
    },
}

impl Store {
    /// The session as JSON lines, with all its branches.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn export_lines(&self, session: &SessionId) -> Result<String, Error> {
        let (about, created_us) = self.about(session)?;
        let mut lines = Vec::new();
        lines.push(Line::Session { version: VERSION, id: session.0.clone(), created_us, about });
        lines.extend(self.all(session)?.into_iter().map(|stored| Line::Message(Box::new(stored))));
        lines.push(Line::Head { id: self.head(session)? });
        let mut text = String::new();
        for line in lines {
            // Strings, numbers and JSON values with string keys: nothing can fail to serialise.
            text.push_str(&serde_json::to_string(&line).unwrap_or_default());
            text.push('\n');
        }
        Ok(text)
    }

    /// Stores the sessions of an export, all of one or none of it. Each keeps its name, unless that is taken.
    ///
    /// # Errors
    /// When a line is of another form, or the session cannot be written.
    pub fn import_lines(&mut self, text: &str) -> Result<Vec<SessionId>, Error> {
        let mut sessions: Vec<Imported> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let at = |reason: String| Error::Import { line: index + 1, reason };
            let line: Line = serde_json::from_str(line).map_err(|error| at(error.to_string()))?;
            match (line, sessions.last_mut()) {
                (Line::Session { version: VERSION, id, created_us, about }, _) => {
                    sessions.push(Imported { name: Some(id), created_us, about, ..Imported::default() });
                }
                (Line::Session { version, .. }, _) => {
                    return Err(at(format!("it has version {version} and this program knows {VERSION}")));
                }
                (_, None) => return Err(at("the first line is not that of a session".to_owned())),
                (Line::Message(stored), Some(session)) => session.push(*stored).map_err(at)?,
                (Line::Head { id }, Some(session)) => {
                    session.check(id).map_err(at)?;
                    session.head = id;
                }
            }
        }
        sessions.into_iter().map(|session| session.store(self)).collect()
    }
}

/// A session that is being read.
#[derive(Default)]
pub(crate) struct Imported {
    pub(crate) name: Option<String>,
    pub(crate) created_us: u64,
    pub(crate) about: About,
    pub(crate) messages: Vec<Stored>,
    pub(crate) head: Option<u64>,
}

impl Imported {
    /// Takes a message; numbers grow, and a parent comes before its children.
    pub(crate) fn push(&mut self, stored: Stored) -> Result<(), String> {
        if self.messages.last().is_some_and(|last| last.id >= stored.id) || stored.id == 0 {
            return Err(format!("message {} does not come behind the one before it", stored.id));
        }
        self.check(stored.parent)?;
        self.head = Some(stored.id);
        self.messages.push(stored);
        Ok(())
    }

    /// Whether a message that is spoken of is there.
    pub(crate) fn check(&self, id: Option<u64>) -> Result<(), String> {
        match id {
            Some(id) if self.messages.binary_search_by_key(&id, |stored| stored.id).is_err() => {
                Err(format!("there is no message {id} before it"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn store(self, store: &mut Store) -> Result<SessionId, Error> {
        let name = self.name.filter(|name| is_name(name));
        store.store_whole(name.as_deref(), self.created_us, &self.about, &self.messages, self.head)
    }
}

/// A name that is easy to type and safe in a file's name.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Version of the form.
const VERSION: u32 = 1;
