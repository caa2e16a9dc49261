//! The tables, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::Error;

/// How long a writer waits for the others.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Sets up a connection, and the tables if the file is new.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    connection.busy_timeout(BUSY_WAIT)?;
    // A commit is on the disk before it returns, and readers never wait for a writer.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (application, version) {
        (APPLICATION_ID, VERSION) => return Ok(()),
        (APPLICATION_ID, version) => {
            let reason = format!("it has version {version} and this program knows {VERSION}");
            return Err(Error::Foreign { path: path.to_owned(), reason });
        }
        (0, 0) => {}
        _ => return Err(Error::Foreign { path: path.to_owned(), reason: "it belongs to another program".to_owned() }),
    }
    // Outside of a transaction, as SQLite wants it; the file keeps it.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        if tables > 0 {
            return Err(Error::Foreign { path: path.to_owned(), reason: "it belongs to another program".to_owned() });
        }
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// `thlw`
const APPLICATION_ID: i32 = 0x7468_6c77;
const VERSION: i32 = 1;

// The search table holds no copy of the text: it points to the messages'. `secure_delete` has what is deleted overwritten.
const TABLES: &str = "
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL,
    about TEXT NOT NULL,
    head INTEGER
) STRICT;
CREATE TABLE messages (
    row INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    id INTEGER NOT NULL,
    parent INTEGER,
    time_us INTEGER NOT NULL,
    role TEXT NOT NULL,
    json TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (session, id)
) STRICT;
CREATE TRIGGER messages_stay BEFORE UPDATE ON messages BEGIN
    SELECT raise(ABORT, 'messages are never changed');
END;
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = 'messages', content_rowid = 'row', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER messages_found AFTER INSERT ON messages BEGIN
    INSERT INTO search (rowid, text) VALUES (new.row, new.text);
END;
CREATE TRIGGER messages_gone AFTER DELETE ON messages BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', old.row, old.text);
END;
";
