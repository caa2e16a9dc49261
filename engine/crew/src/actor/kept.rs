//! A memory that outlives its process: a conversation in the file of sessions.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg::Embedder;
use thalweg::message::Message;
use thalweg_session::{SessionId, Store};

use super::memory::{Memory, MemoryError, MemoryFuture, Recalled, window};

/// Remembers a conversation in the file of sessions. Finds what was said in it by words, and with an [`Embedder`] by what it means.
#[derive(Clone, Debug)]
pub struct Kept {
    store: Arc<Mutex<Store>>,
    session: SessionId,
    /// Who makes vectors, and the name that they are kept under.
    embedder: Option<(Embedder, String)>,
}

impl Kept {
    /// Goes on with a session of a store.
    #[must_use]
    pub fn new(store: Store, session: SessionId) -> Self {
        Self { store: Arc::new(Mutex::new(store)), session, embedder: None }
    }

    /// Searches by vectors, too. Those of messages are made when a search first needs them, and kept under `name`, by which vectors of
    /// one embedder are told from those of another.
    #[must_use]
    pub fn embedded(mut self, embedder: Embedder, name: impl Into<String>) -> Self {
        self.embedder = Some((embedder, name.into()));
        self
    }

    /// Does something with the store, on a thread for what blocks.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store, &SessionId) -> Result<T, thalweg_session::Error> + Send + 'static,
    ) -> Result<T, MemoryError> {
        let (store, session) = (Arc::clone(&self.store), self.session.clone());
        let work = move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner), &session);
        tokio::task::spawn_blocking(work).await.map_err(failed)?.map_err(failed)
    }

    /// Numbers of the messages that mean something like `query`, the nearest first.
    async fn near(&self, query: &str, most: usize) -> Result<Vec<u64>, MemoryError> {
        let Some((embedder, name)) = &self.embedder else { return Ok(Vec::new()) };
        loop {
            let model = name.clone();
            let missing =
                self.with(move |store, session| store.without_vectors(&model, Some(session), EMBEDDED_AT_ONCE)).await?;
            if missing.is_empty() {
                break;
            }
            let texts: Vec<&str> = missing.iter().map(|without| without.text.as_str()).collect();
            let vectors = embedder.embed(&texts).await.map_err(failed)?;
            if vectors.iter().len() != missing.len() {
                return Err(failed(format_args!("{} vectors of {} texts", vectors.iter().len(), missing.len())));
            }
            let model = name.clone();
            self.with(move |store, _| {
                let ids = missing.iter().map(|without| (&without.session, without.message));
                store.put_vectors(&model, ids.zip(vectors.iter()).map(|((session, id), vector)| (session, id, vector)))
            })
            .await?;
        }
        let query = embedder.embed(&[query]).await.map_err(failed)?.values;
        let model = name.clone();
        let near = self.with(move |store, session| store.nearest(&model, &query, Some(session), most)).await?;
        Ok(near.into_iter().map(|near| near.message).collect())
    }

    /// Numbers of the messages with the words of `query`, all of them or else any, the best first; a ranking each.
    async fn worded(&self, query: &str, most: usize) -> Result<Vec<Vec<u64>>, MemoryError> {
        let query = query.to_owned();
        self.with(move |store, session| {
            let find = |words: &str| {
                let hits = store.search_within(Some(session), words, most)?;
                Ok(hits.into_iter().map(|hit| hit.message).collect::<Vec<_>>())
            };
            match find(&query)? {
                all if !all.is_empty() => Ok(vec![all]),
                _ => query.split_whitespace().map(find).collect(),
            }
        })
        .await
    }

    async fn find(&self, query: &str, most: usize) -> Result<Vec<Recalled>, MemoryError> {
        if query.trim().is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let mut rankings = self.worded(query, most).await?;
        rankings.push(self.near(query, most).await?);
        let mut scores: HashMap<u64, f32> = HashMap::new();
        for (rank, message) in rankings.iter().flat_map(|ranking| ranking.iter().enumerate()) {
            *scores.entry(*message).or_default() += 1.0 / (RANK_OFFSET + rank as f32);
        }
        let stored = self.with(|store, session| store.all(session)).await?;
        let found = stored.into_iter().filter_map(|stored| {
            let score = *scores.get(&stored.id)?;
            Some(Recalled { message: stored.message, score })
        });
        let mut found: Vec<Recalled> = found.collect();
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found.truncate(most);
        Ok(found)
    }
}

impl Memory for Kept {
    fn append<'a>(&'a mut self, messages: &'a [Message]) -> MemoryFuture<'a, ()> {
        let messages = messages.to_vec();
        Box::pin(self.with(move |store, session| {
            let mut head = store.head(session)?;
            for message in &messages {
                head = Some(store.append(session, head, message)?);
            }
            Ok(())
        }))
    }

    fn recent(&mut self, most: Option<usize>) -> MemoryFuture<'_, Vec<Message>> {
        Box::pin(async move {
            let path = self.with(|store, session| match store.head(session)? {
                Some(head) => store.path(session, head),
                None => Ok(Vec::new()),
            });
            let messages: Vec<Message> = path.await?.into_iter().map(|stored| stored.message).collect();
            Ok(most.map_or(&messages[..], |most| window(&messages, most)).to_vec())
        })
    }

    /// By words and, with an embedder, by meaning: a message is the better, the further ahead it is in either order.
    fn search<'a>(&'a mut self, query: &'a str, most: usize) -> MemoryFuture<'a, Vec<Recalled>> {
        Box::pin(self.find(query, most))
    }
}

fn failed(error: impl Display) -> MemoryError {
    MemoryError(error.to_string())
}

/// Texts that are made vectors of before the next are looked for.
const EMBEDDED_AT_ONCE: usize = 256;

/// How little the first ranks stand out: the usual constant of reciprocal rank fusion.
const RANK_OFFSET: f32 = 60.0;
