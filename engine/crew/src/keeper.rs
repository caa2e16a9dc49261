//! Messages that are kept: each once, and those within it before it.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use thalweg_actor::Failure;

use crate::message::Message;
use crate::pieces::lock;
use crate::promise::guarded;

type Handler = dyn Fn(Vec<Message>) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>> + Send + Sync;

/// Hands messages to who stores them.
#[derive(Default)]
pub(crate) struct Keeper {
    handlers: Vec<Arc<Handler>>,
    /// The hash keys of what is kept. Held while the handlers work: who asks for the same message waits until it is there.
    kept: tokio::sync::Mutex<HashSet<String>>,
    /// What went wrong behind everybody's back.
    failures: Mutex<Vec<Failure>>,
}

impl Keeper {
    /// One that calls this handler, too. It begins with nothing kept.
    pub(crate) fn and<F>(&self, handler: impl Fn(Vec<Message>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let mut handlers = self.handlers.clone();
        handlers.push(Arc::new(move |messages| Box::pin(handler(messages))));
        Self { handlers, ..Self::default() }
    }

    /// Keeps what is not kept yet, and gives that. What could not be kept is tried again the next time.
    pub(crate) async fn keep(&self, messages: &[Message]) -> Result<Vec<Message>, Failure> {
        let mut kept = self.kept.lock().await;
        let mut new = Vec::new();
        let mut keys = HashSet::new();
        for message in messages {
            for one in message.sub_messages().into_iter().chain([message.clone()]) {
                if !kept.contains(one.hash_key()) && keys.insert(one.hash_key().to_owned()) {
                    new.push(one);
                }
            }
        }
        if !new.is_empty() {
            for handler in &self.handlers {
                guarded(|| handler(new.clone())).await.and_then(|outcome| outcome)?;
            }
            kept.extend(keys);
        }
        Ok(new)
    }

    /// As [`Keeper::keep`], when nobody waits.
    pub(crate) async fn keep_behind(&self, messages: &[Message]) {
        if let Err(failure) = self.keep(messages).await {
            lock(&self.failures).push(failure);
        }
    }

    /// Counts these as kept.
    pub(crate) async fn pass_over(&self, messages: &[Message]) {
        self.kept.lock().await.extend(messages.iter().map(|message| message.hash_key().to_owned()));
    }

    pub(crate) fn take_failures(&self) -> Vec<Failure> {
        std::mem::take(&mut *lock(&self.failures))
    }
}
