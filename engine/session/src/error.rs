//! What can go wrong with stored conversations.

use std::path::PathBuf;

/// Why a conversation could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened.
    #[error("cannot open {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is that of another program, or of a later version of this one.
    #[error("{} is no store of this version: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has instead.
        reason: String,
    },
    /// Another process has written for longer than is waited.
    #[error("the store is busy: another process has written to it for more than {seconds} s")]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
    /// No session has that id.
    #[error("there is no session {id}")]
    NoSession {
        /// What was asked for.
        id: String,
    },
    /// Several sessions begin with that.
    #[error("{count} sessions begin with {id}; give more of its id")]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// How many there are.
        count: usize,
    },
    /// The session has no such message.
    #[error("session {session} has no message {message}")]
    NoMessage {
        /// The session.
        session: String,
        /// The number of the message.
        message: u64,
    },
    /// A vector has another length than those it belongs with.
    #[error("the vector has {numbers} numbers, and it takes {expected}")]
    Vector {
        /// Numbers that it has.
        numbers: usize,
        /// Numbers that it takes.
        expected: usize,
    },
    /// A vector has no direction: it is all zeros, or holds what is no number.
    #[error("the vector has no direction: its length is zero or no number")]
    Direction,
    /// What should be imported is not of that form.
    #[error("line {line} cannot be imported: {reason}")]
    Import {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy { seconds: crate::schema::BUSY_WAIT.as_secs() }
            }
            _ => Self::Database(error),
        }
    }
}
