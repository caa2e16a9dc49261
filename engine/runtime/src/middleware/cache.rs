//! Keeps replies, and gives them again to the same request: for tests and for work on prompts.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use thalweg_agent::failure::Failure;

use super::Middleware;
use crate::responder::{Ask, Asking, Batch, ReplyEvents, ReplyStream, Responder};

/// Keeps complete replies and gives them again where the same is asked: the same request and the same messages, whatever
/// the key and the time. In memory, and in a folder if one is named, a file a reply. Clones share what they keep.
///
/// A server that is asked twice may answer otherwise; this one does not. That is what tests want, and few others.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    folder: Option<PathBuf>,
    replies: Mutex<HashMap<String, Kept>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone, Debug)]
struct Kept {
    provider: Option<String>,
    batch: Batch,
}

impl Cache {
    /// Keeps replies in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Keeps replies in this folder, too, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_folder(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(Self { shared: Arc::new(Shared { folder: Some(folder), ..Shared::default() }) })
    }

    /// Requests that were answered from here.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.shared.hits.load(Ordering::Relaxed)
    }

    /// Requests that were not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.shared.misses.load(Ordering::Relaxed)
    }
}

impl Middleware for Cache {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let identity = format!("{}\n{}", next.name(), ask.identity());
            let key: String = Sha256::digest(identity).iter().map(|byte| format!("{byte:02x}")).collect();
            if let Some(kept) = self.shared.find(&key) {
                self.shared.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(ReplyStream::ready(kept.provider, kept.batch));
            }
            self.shared.misses.fetch_add(1, Ordering::Relaxed);
            let shared = Arc::clone(&self.shared);
            let reply = next.ask(ask).await?;
            Ok(reply.map(|inner| Keeping { inner, batch: Batch::default(), key, shared }))
        })
    }
}

impl Shared {
    fn find(&self, key: &str) -> Option<Kept> {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = replies.get(key) {
            return Some(kept.clone());
        }
        // A file that cannot be read is none.
        let text = fs::read_to_string(self.path(key)?).ok()?;
        let (head, lines) = text.split_once('\n')?;
        let head: Value = serde_json::from_str(head).ok()?;
        let provider = head["provider"].as_str().map(str::to_owned);
        let kept = Kept { provider, batch: Batch::from_lines(lines).ok()? };
        replies.insert(key.to_owned(), kept.clone());
        Some(kept)
    }

    fn keep(&self, key: &str, kept: Kept) {
        if let Some(path) = self.path(key) {
            let head = json!({"thalweg_reply": 1, "provider": kept.provider});
            let text = format!("{head}\n{}", kept.batch.to_lines());
            // A full disk costs the next run a request, and this one nothing.
            let _ = write_whole(&path, &text);
        }
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), kept);
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{key}.jsonl")))
    }
}

/// Other processes see the whole file or none.
fn write_whole(path: &std::path::Path, text: &str) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let other = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = fs::File::create(&other).and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&other, path)).inspect_err(|_| {
        let _ = fs::remove_file(&other);
    })
}

/// A reply that is kept when it is complete.
struct Keeping {
    inner: ReplyStream,
    batch: Batch,
    key: String,
    shared: Arc<Shared>,
}

impl ReplyEvents for Keeping {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let polled = self.inner.poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(batch))) => self.batch.extend(batch.iter()),
            Poll::Ready(None) if self.batch.has_end() && !self.batch.has_error() => {
                let batch = std::mem::take(&mut self.batch);
                self.shared.keep(&self.key, Kept { provider: self.inner.provider().map(str::to_owned), batch });
            }
            _ => {}
        }
        polled
    }
}
