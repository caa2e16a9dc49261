//! Finds messages by what they mean: by vectors of their texts, each compared with that of the query.
//!
//! Comparing all of them is exact, needs no index that would have to be kept, and is quick enough for what one person or
//! program says: see `docs/SESSIONS.md` for how quick.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, TransactionBehavior, params};
use serde::Serialize;

use crate::error::Error;
use crate::record::SessionId;
use crate::store::Store;

/// A message whose text has no vector yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutVector {
    /// The session.
    pub session: SessionId,
    /// Number of the message.
    pub message: u64,
    /// Its text.
    pub text: String,
}

/// A message that means something like the query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Near {
    /// The session.
    pub session: SessionId,
    /// Number of the message.
    pub message: u64,
    /// `user`, `assistant` or `tool`.
    pub role: String,
    /// Its text.
    pub text: String,
    /// The cosine of the angle between both: 1 for the same direction, 0 for nothing in common.
    pub similarity: f32,
}

impl Store {
    /// Messages with text that have no vector of `model` yet, the oldest first; of one session, or of all.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn without_vectors(
        &mut self,
        model: &str,
        session: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<WithoutVector>, Error> {
        self.make_room_for_vectors()?;
        let mut statement = self.connection.prepare(
            "SELECT s.id, m.id, m.text FROM messages m JOIN sessions s ON s.number = m.session
             WHERE m.text <> '' AND (?2 IS NULL OR s.id = ?2)
                 AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.message = m.row AND v.model = ?1)
             ORDER BY m.row LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = statement.query_map(params![model, session.map(SessionId::as_str), limit], |row| {
            Ok(WithoutVector { session: SessionId(row.get(0)?), message: row.get(1)?, text: row.get(2)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Stores the vectors that `model` makes of the texts of messages, all or none of them. One that is there is replaced.
    ///
    /// # Errors
    /// [`Error::Vector`] for one that is empty, or has no direction, or another length than those of the model before it; when there is
    /// no such message; or when the file cannot be written.
    pub fn put_vectors<'v>(
        &mut self,
        model: &str,
        vectors: impl IntoIterator<Item = (&'v SessionId, u64, &'v [f32])>,
    ) -> Result<(), Error> {
        self.make_room_for_vectors()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let first = "SELECT length(vector) / 4 FROM vectors WHERE model = ?1 LIMIT 1";
        let mut numbers: Option<usize> = transaction.query_row(first, [model], |row| row.get(0)).optional()?;
        for (session, message, vector) in vectors {
            let expected = *numbers.get_or_insert(vector.len());
            let unit = unit(vector, expected)?;
            let bytes: Vec<u8> = unit.iter().flat_map(|number| number.to_le_bytes()).collect();
            let added = transaction.execute(
                "INSERT OR REPLACE INTO vectors (message, model, vector)
                 SELECT m.row, ?1, ?2 FROM messages m JOIN sessions s ON s.number = m.session
                 WHERE s.id = ?3 AND m.id = ?4",
                params![model, bytes, session.as_str(), message],
            )?;
            if added == 0 {
                return Err(Error::NoMessage { session: session.0.clone(), message });
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// The messages whose vectors of `model` are nearest to `query`, the nearest first; of one session, or of all. Compares with each.
    ///
    /// # Errors
    /// [`Error::Vector`] for a query of another length than the vectors; or when the file cannot be read.
    pub fn nearest(
        &mut self,
        model: &str,
        query: &[f32],
        session: Option<&SessionId>,
        limit: usize,
    ) -> Result<Vec<Near>, Error> {
        self.make_room_for_vectors()?;
        let query = unit(query, query.len())?;
        let mut best = BinaryHeap::new();
        let sql = match session {
            // Only the table of the vectors is read, in its own order.
            None => "SELECT message, vector FROM vectors WHERE model = ?1 AND ?2 IS NULL",
            Some(_) => {
                "SELECT v.message, v.vector FROM sessions s JOIN messages m ON m.session = s.number
                 JOIN vectors v ON v.message = m.row WHERE v.model = ?1 AND s.id = ?2"
            }
        };
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(params![model, session.map(SessionId::as_str)])?;
        while let Some(row) = rows.next()? {
            let ValueRef::Blob(bytes) = row.get_ref(1)? else { continue };
            if bytes.len() != query.len() * 4 {
                return Err(Error::Vector { numbers: query.len(), expected: bytes.len() / 4 });
            }
            let similarity = dot(bytes, &query);
            let is_better = |worst: &Candidate| similarity > worst.similarity;
            if best.len() < limit {
                best.push(Candidate { similarity, message: row.get(0)? });
            } else if best.peek().is_some_and(is_better) {
                best.pop();
                best.push(Candidate { similarity, message: row.get(0)? });
            }
        }
        let mut read = self.connection.prepare(
            "SELECT s.id, m.id, m.role, m.text FROM messages m JOIN sessions s ON s.number = m.session WHERE m.row = ?1",
        )?;
        let found = best.into_sorted_vec().into_iter().map(|Candidate { similarity, message }| {
            read.query_row([message], |row| {
                let (session, message) = (SessionId(row.get(0)?), row.get(1)?);
                Ok(Near { session, message, role: row.get(2)?, text: row.get(3)?, similarity })
            })
        });
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Files of before there were vectors get the table when it is first used; programs of then do not mind it.
    fn make_room_for_vectors(&mut self) -> Result<(), Error> {
        let there = "SELECT 1 FROM sqlite_master WHERE name = 'vectors'";
        if self.connection.prepare(there)?.exists([])? {
            return Ok(());
        }
        Ok(self.connection.execute_batch(TABLE)?)
    }
}

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS vectors (
    message INTEGER NOT NULL REFERENCES messages (row) ON DELETE CASCADE,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (message, model)
) STRICT;
";

/// A message that may be among the nearest. The greatest is the farthest, and of two alike the newer one.
#[derive(Debug, PartialEq)]
struct Candidate {
    similarity: f32,
    message: i64,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.message.cmp(&other.message))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The vector with length 1, so that the product of two is the cosine between them.
fn unit(vector: &[f32], expected: usize) -> Result<Vec<f32>, Error> {
    if vector.is_empty() || vector.len() != expected {
        return Err(Error::Vector { numbers: vector.len(), expected });
    }
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(Error::Direction);
    }
    Ok(vector.iter().map(|number| (f64::from(*number) / length) as f32).collect())
}

/// The product of a stored vector with another of the same length. Sixteen sums at once, which the compiler puts into
/// vector registers.
fn dot(bytes: &[u8], query: &[f32]) -> f32 {
    let (stored, _) = bytes.as_chunks::<4>();
    let (stored, stored_rest) = stored.as_chunks::<LANES>();
    let (query, query_rest) = query.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (stored, query) in stored.iter().zip(query) {
        for ((sum, stored), query) in sums.iter_mut().zip(stored).zip(query) {
            *sum += f32::from_le_bytes(*stored) * query;
        }
    }
    let rest = stored_rest.iter().zip(query_rest).map(|(stored, query)| f32::from_le_bytes(*stored) * query);
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_that_of_the_plain_loop_whatever_the_length() {
        for numbers in [1, 2, 15, 16, 17, 33, 384, 1537] {
            let one: Vec<f32> = (0..numbers).map(|n| ((n * 7919 % 101) as f32 - 50.0) / 50.0).collect();
            let other: Vec<f32> = (0..numbers).map(|n| ((n * 104_729 % 97) as f32 - 48.0) / 48.0).collect();
            let plain: f64 = one.iter().zip(&other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
            let bytes: Vec<u8> = one.iter().flat_map(|number| number.to_le_bytes()).collect();
            assert!((f64::from(dot(&bytes, &other)) - plain).abs() < 1e-3, "{numbers}");
        }
    }
}
