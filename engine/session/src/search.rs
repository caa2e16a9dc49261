//! Finds messages by their words.

use rusqlite::params;

use crate::error::Error;
use crate::record::{Hit, SessionId};
use crate::store::Store;

impl Store {
    /// The messages that hold all these words, the best first. `"two words"` in quotes must stand together, and a word with a `*` at
    /// its end is the beginning of one. Upper case and accents make no difference.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        self.search_within(None, words, limit)
    }

    /// As [`Store::search`], within one session.
    ///
    /// # Errors
    /// As there.
    pub fn search_within(&self, session: Option<&SessionId>, words: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        let Some(query) = query(words) else { return Ok(Vec::new()) };
        let mut statement = self.connection.prepare(
            "SELECT s.id, m.id, m.role, snippet(search, 0, '[', ']', '…', 12)
             FROM search JOIN messages m ON m.row = search.rowid JOIN sessions s ON s.number = m.session
             WHERE search MATCH ?1 AND (?3 IS NULL OR s.id = ?3) ORDER BY rank, m.row DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let hits = statement.query_map(params![query, limit, session.map(SessionId::as_str)], |row| {
            Ok(Hit {
                session: SessionId(row.get(0)?),
                message: row.get(1)?,
                role: row.get(2)?,
                snippet: row.get::<_, String>(3)?,
            })
        })?;
        Ok(hits.collect::<Result<_, _>>()?)
    }
}

/// The words as an FTS5 query, in which nothing that a user writes has a meaning but quotes and a last `*`.
fn query(words: &str) -> Option<String> {
    let mut query = String::new();
    for (index, part) in words.split('"').enumerate() {
        // Every second part stood in quotes.
        let is_phrase = index % 2 == 1;
        let terms: Vec<&str> = if is_phrase { vec![part.trim()] } else { part.split_whitespace().collect() };
        for term in terms {
            let (term, is_beginning) = match term.strip_suffix('*') {
                Some(term) if !is_phrase => (term, true),
                _ => (term, false),
            };
            // Without a letter or a digit it is no word at all, and would match nothing.
            if !term.chars().any(char::is_alphanumeric) {
                continue;
            }
            if !query.is_empty() {
                query.push(' ');
            }
            query.push('"');
            query.extend(term.chars().filter(|character| *character != '\0'));
            query.push('"');
            if is_beginning {
                query.push('*');
            }
        }
    }
    (!query.is_empty()).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn what_a_user_writes_is_words_and_no_query() {
        for (words, expected) in [
            ("sky blue", Some(r#""sky" "blue""#)),
            ("\"blue sky\" dusk", Some(r#""blue sky" "dusk""#)),
            ("therm*", Some(r#""therm"*"#)),
            ("NOT a OR (b", Some(r#""NOT" "a" "OR" "(b""#)),
            ("text:x NEAR(", Some(r#""text:x" "NEAR(""#)),
            ("\"never closed", Some(r#""never closed""#)),
            ("* - \"\"", None),
            ("", None),
        ] {
            assert_eq!(query(words).as_deref(), expected, "{words}");
        }
    }
}
