//! Messages of agents that call each other, by their hash keys: a graph beside the conversations.

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use crate::error::Error;
use crate::store::{Store, now_us};

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What stands for its content, and is unique.
    pub hash_key: String,
    /// The name of its class.
    pub class: String,
    /// Its content, with the hash keys of the messages within in place of them.
    pub json: String,
}

impl Store {
    /// Stores messages that are not there yet, all of them or none, and says how many there were. They are on the disk
    /// when this returns. What a message refers to is to come before it.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_nodes(&mut self, nodes: &[Node]) -> Result<usize, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Files of before there was such a table get it with their first message.
        transaction.execute_batch(TABLE)?;
        let mut new = 0;
        {
            let sql = "INSERT OR IGNORE INTO nodes (hash_key, class, json, time_us) VALUES (?1, ?2, ?3, ?4)";
            let mut statement = transaction.prepare(sql)?;
            for node in nodes {
                new += statement.execute(params![node.hash_key, node.class, node.json, now_us()])?;
            }
        }
        transaction.commit()?;
        Ok(new)
    }

    /// The message with this hash key.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn node(&self, hash_key: &str) -> Result<Option<Node>, Error> {
        if !self.has_nodes()? {
            return Ok(None);
        }
        let sql = "SELECT hash_key, class, json FROM nodes WHERE hash_key = ?1";
        Ok(self.connection.prepare(sql)?.query_row([hash_key], read).optional()?)
    }

    /// The messages of a class, such as `AgentReplyNode`, the last one first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn nodes_of_class(&self, class: &str, limit: usize) -> Result<Vec<Node>, Error> {
        if !self.has_nodes()? {
            return Ok(Vec::new());
        }
        let sql = "SELECT hash_key, class, json FROM nodes WHERE class = ?1 ORDER BY row DESC LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare(sql)?;
        let nodes = statement.query_map(params![class, limit], read)?;
        Ok(nodes.collect::<Result<_, _>>()?)
    }

    fn has_nodes(&self) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'nodes'";
        Ok(self.connection.prepare(sql)?.exists([])?)
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Node> {
    Ok(Node { hash_key: row.get(0)?, class: row.get(1)?, json: row.get(2)? })
}

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS nodes (
    row INTEGER PRIMARY KEY,
    hash_key TEXT NOT NULL UNIQUE,
    class TEXT NOT NULL,
    json TEXT NOT NULL,
    time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS nodes_by_class ON nodes (class, row);
CREATE TRIGGER IF NOT EXISTS nodes_stay BEFORE UPDATE ON nodes BEGIN
    SELECT raise(ABORT, 'messages are never changed');
END;
";
