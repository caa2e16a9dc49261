//! The file of conversations.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use thalweg_agent::message::Message;

use crate::error::Error;
use crate::record::{About, SessionId, Stored, Summary};
use crate::schema;
use crate::text::searchable;

/// A file of conversations, open.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
}

impl Store {
    /// Opens the file; makes it, and the folders above it, if it is not there. On Unix only its owner may read it.
    ///
    /// # Errors
    /// When that cannot be done, or the file is something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |reason: String| Error::Open { path: path.to_owned(), reason };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        create_private(path).map_err(|error| failed(error.to_string()))?;
        let mut connection = Connection::open(path).map_err(|error| failed(error.to_string()))?;
        schema::prepare(&mut connection, path).map_err(|error| match error {
            Error::Database(error) => match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase) => {
                    Error::Foreign { path: path.to_owned(), reason: "it is no database".to_owned() }
                }
                _ => failed(error.to_string()),
            },
            other => other,
        })?;
        Ok(Self { connection })
    }

    /// A store that is gone with this value.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        schema::prepare(&mut connection, Path::new(":memory:"))?;
        Ok(Self { connection })
    }

    /// Begins a session.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(&mut self, about: &About) -> Result<SessionId, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (_, id) = insert_session(&transaction, None, now_us(), about)?;
        transaction.commit()?;
        Ok(id)
    }

    /// Stores a message behind `parent`, or as a first one, and gives its number. It is on the disk when this returns, and where
    /// the session goes on from.
    ///
    /// # Errors
    /// When there is no such session or parent, or it cannot be written.
    pub fn append(&mut self, session: &SessionId, parent: Option<u64>, message: &Message) -> Result<u64, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = number_of(&transaction, session)?;
        if let Some(parent) = parent {
            check_message(&transaction, session, number, parent)?;
        }
        let last: Option<u64> =
            transaction.query_row("SELECT max(id) FROM messages WHERE session = ?1", [number], |row| row.get(0))?;
        let id = last.unwrap_or(0) + 1;
        insert_message(&transaction, number, &Stored { id, parent, time_us: now_us(), message: message.clone() })?;
        set_head(&transaction, number, Some(id))?;
        transaction.commit()?;
        Ok(id)
    }

    /// Has the session go on from `message` the next time, or from nothing at all.
    ///
    /// # Errors
    /// When there is no such session or message, or it cannot be written.
    pub fn branch(&mut self, session: &SessionId, message: Option<u64>) -> Result<(), Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = number_of(&transaction, session)?;
        if let Some(message) = message {
            check_message(&transaction, session, number, message)?;
        }
        set_head(&transaction, number, message)?;
        transaction.commit()?;
        Ok(())
    }

    /// The message that the session goes on from; none if there is none yet.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn head(&self, session: &SessionId) -> Result<Option<u64>, Error> {
        let head =
            self.connection.query_row("SELECT head FROM sessions WHERE id = ?1", [session.as_str()], |row| row.get(0));
        head.optional()?.ok_or_else(|| Error::NoSession { id: session.0.clone() })
    }

    /// What is known of the session, and when it began.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn about(&self, session: &SessionId) -> Result<(About, u64), Error> {
        let mut statement = self.connection.prepare("SELECT about, created_us FROM sessions WHERE id = ?1")?;
        let found = statement.query_row([session.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let (about, created_us) = found.optional()?.ok_or_else(|| Error::NoSession { id: session.0.clone() })?;
        Ok((serde_json::from_str(&about).unwrap_or_default(), created_us))
    }

    /// The conversation up to `message`, from its beginning.
    ///
    /// # Errors
    /// When there is no such session or message, or a message cannot be read.
    pub fn path(&self, session: &SessionId, message: u64) -> Result<Vec<Stored>, Error> {
        let number = number_of(&self.connection, session)?;
        check_message(&self.connection, session, number, message)?;
        let mut statement = self.connection.prepare(
            "WITH RECURSIVE path (id) AS (
                 SELECT ?2 UNION
                 SELECT m.parent FROM messages m JOIN path ON m.id = path.id
                 WHERE m.session = ?1 AND m.parent IS NOT NULL)
             SELECT id, parent, time_us, json FROM messages WHERE session = ?1 AND id IN path ORDER BY id",
        )?;
        read_messages(statement.query(params![number, message])?)
    }

    /// All messages of the session, on all branches, in the order in which they were stored.
    ///
    /// # Errors
    /// When there is no such session, or a message cannot be read.
    pub fn all(&self, session: &SessionId) -> Result<Vec<Stored>, Error> {
        let number = number_of(&self.connection, session)?;
        let mut statement =
            self.connection.prepare("SELECT id, parent, time_us, json FROM messages WHERE session = ?1 ORDER BY id")?;
        read_messages(statement.query([number])?)
    }

    /// The last messages of the branches.
    ///
    /// # Errors
    /// When there is no such session.
    pub fn leaves(&self, session: &SessionId) -> Result<Vec<u64>, Error> {
        let number = number_of(&self.connection, session)?;
        let mut statement = self.connection.prepare(
            "SELECT id FROM messages WHERE session = ?1 AND id NOT IN
             (SELECT parent FROM messages WHERE session = ?1 AND parent IS NOT NULL) ORDER BY id",
        )?;
        let leaves = statement.query_map([number], |row| row.get(0))?;
        Ok(leaves.collect::<Result<_, _>>()?)
    }

    /// The sessions, the one used last first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sessions(&self, limit: usize) -> Result<Vec<Summary>, Error> {
        let mut statement = self.connection.prepare(
            "SELECT s.id, s.about, s.created_us,
                 coalesce(max(m.time_us), s.created_us) AS updated, count(m.id),
                 (SELECT count(*) FROM messages l WHERE l.session = s.number AND l.id NOT IN
                     (SELECT parent FROM messages p WHERE p.session = s.number AND p.parent IS NOT NULL)),
                 (SELECT substr(text, 1, 200) FROM messages f WHERE f.session = s.number AND f.role = 'user' ORDER BY f.id LIMIT 1)
             FROM sessions s LEFT JOIN messages m ON m.session = s.number
             GROUP BY s.number ORDER BY updated DESC, s.number DESC LIMIT ?1",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sessions = statement.query_map([limit], |row| {
            let about: About = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
            let first: Option<String> = row.get(6)?;
            let title = about.title.unwrap_or_else(|| first_words(first.as_deref().unwrap_or_default()));
            Ok(Summary {
                id: SessionId(row.get(0)?),
                title,
                model: about.model,
                created_us: row.get(2)?,
                updated_us: row.get(3)?,
                messages: row.get(4)?,
                branches: row.get(5)?,
            })
        })?;
        Ok(sessions.collect::<Result<_, _>>()?)
    }

    /// The session whose name begins with `id`.
    ///
    /// # Errors
    /// When there is none, or there are several.
    pub fn find(&self, id: &str) -> Result<SessionId, Error> {
        let mut statement =
            self.connection.prepare("SELECT id FROM sessions WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id")?;
        let found: Vec<String> = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        match (found.len(), found.iter().any(|name| name == id)) {
            (_, true) => Ok(SessionId(id.to_owned())),
            (1, _) if !id.is_empty() => Ok(SessionId(found.into_iter().next().unwrap_or_default())),
            (0, _) => Err(Error::NoSession { id: id.to_owned() }),
            (count, _) => Err(Error::Ambiguous { id: id.to_owned(), count }),
        }
    }

    /// The session that was used last.
    ///
    /// # Errors
    /// When there is none.
    pub fn last(&self) -> Result<SessionId, Error> {
        let last = self.sessions(1)?.into_iter().next();
        last.map(|session| session.id).ok_or_else(|| Error::NoSession { id: "yet".to_owned() })
    }

    /// Deletes a session with all its branches; the file forgets their text.
    ///
    /// # Errors
    /// When there is no such session, or it cannot be written.
    pub fn delete(&mut self, session: &SessionId) -> Result<(), Error> {
        self.connection.pragma_update(None, "secure_delete", true)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = number_of(&transaction, session)?;
        transaction.execute("DELETE FROM sessions WHERE number = ?1", [number])?;
        transaction.commit()?;
        // The words stand in the index until its parts are merged, and the text in the journal until it is written back.
        self.connection.execute("INSERT INTO search (search) VALUES ('optimize')", [])?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Stores a whole session as it was exported, under its own name, or a new one if that is taken.
    pub(crate) fn store_whole(
        &mut self,
        name: Option<&str>,
        created_us: u64,
        about: &About,
        messages: &[Stored],
        head: Option<u64>,
    ) -> Result<SessionId, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (number, id) = insert_session(&transaction, name, created_us, about)?;
        for message in messages {
            insert_message(&transaction, number, message)?;
        }
        set_head(&transaction, number, head)?;
        transaction.commit()?;
        Ok(id)
    }
}

/// A file that only its owner can read; one that is there stays as it is.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}

fn insert_session(
    transaction: &Transaction<'_>,
    name: Option<&str>,
    created_us: u64,
    about: &About,
) -> Result<(i64, SessionId), Error> {
    let about = serde_json::to_string(about).unwrap_or_default();
    let mut wanted = name.map(str::to_owned);
    loop {
        let id = match wanted.take() {
            Some(name) => name,
            None => transaction.query_row("SELECT lower(hex(randomblob(4)))", [], |row| row.get(0))?,
        };
        let sql = "INSERT OR IGNORE INTO sessions (id, created_us, about) VALUES (?1, ?2, ?3)";
        if transaction.execute(sql, params![id, created_us, about])? == 1 {
            return Ok((transaction.last_insert_rowid(), SessionId(id)));
        }
    }
}

fn insert_message(transaction: &Transaction<'_>, session: i64, stored: &Stored) -> Result<(), Error> {
    let Stored { id, parent, time_us, message } = stored;
    let mut statement = transaction.prepare(
        "INSERT INTO messages (session, id, parent, time_us, role, json, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (role, json, text) = (message.role(), message.to_json(), searchable(message));
    statement.execute(params![session, id, parent, time_us, role, json, text])?;
    Ok(())
}

fn set_head(transaction: &Transaction<'_>, session: i64, head: Option<u64>) -> Result<(), Error> {
    transaction.execute("UPDATE sessions SET head = ?2 WHERE number = ?1", params![session, head])?;
    Ok(())
}

fn number_of(connection: &Connection, session: &SessionId) -> Result<i64, Error> {
    let mut statement = connection.prepare("SELECT number FROM sessions WHERE id = ?1")?;
    let number = statement.query_row([session.as_str()], |row| row.get(0)).optional()?;
    number.ok_or_else(|| Error::NoSession { id: session.0.clone() })
}

fn check_message(connection: &Connection, session: &SessionId, number: i64, message: u64) -> Result<(), Error> {
    let mut statement = connection.prepare("SELECT 1 FROM messages WHERE session = ?1 AND id = ?2")?;
    match statement.exists(params![number, message])? {
        true => Ok(()),
        false => Err(Error::NoMessage { session: session.0.clone(), message }),
    }
}

fn read_messages(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Stored>, Error> {
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let json: String = row.get(3)?;
        let message = serde_json::from_str(&json).map_err(|error| {
            Error::Database(rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error)))
        })?;
        messages.push(Stored { id: row.get(0)?, parent: row.get(1)?, time_us: row.get(2)?, message });
    }
    Ok(messages)
}

pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The beginning of a text, on one line.
fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

const TITLE_CHARS_MAX: usize = 60;
