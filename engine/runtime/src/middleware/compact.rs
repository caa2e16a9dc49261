//! Shortens a conversation that has become too long for its model.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::message::{Message, Usage};

use super::Middleware;
use crate::responder::{Ask, Asking, Responder};

type Shortening = Pin<Box<dyn Future<Output = Result<Vec<Message>, String>> + Send>>;
type Shorten = dyn Fn(Vec<Message>) -> Shortening + Send + Sync;

/// Calls a function with the messages when the provider says that they are too long, or when they pass a threshold, and
/// sends what it gives in their place: once a request. The conversation itself stays whole; what was shortened is kept,
/// and what comes later goes behind it.
pub struct Compact {
    shorten: Box<Shorten>,
    tokens: Option<u64>,
    done: Mutex<Vec<Done>>,
}

/// The beginning of a conversation, and what stands for it.
struct Done {
    long: Arc<[Arc<String>]>,
    short: Arc<[Arc<String>]>,
}

/// Conversations of which the short form is kept.
const DONE_MAX: usize = 16;

impl Compact {
    /// Shortens with `shorten`, which may itself ask a model for a summary. Calls of tools whose results it takes away get
    /// an error as theirs, and results without their calls are left out. An error ends the request.
    pub fn new<F, Fut>(shorten: F) -> Self
    where
        F: Fn(Vec<Message>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Message>, String>> + Send + 'static,
    {
        Self { shorten: Box::new(move |messages| Box::pin(shorten(messages))), tokens: None, done: Mutex::default() }
    }

    /// Shortens before the request, too, when the prompt has more tokens than this: as many as the last reply counted and
    /// a quarter of the bytes that came since.
    #[must_use]
    pub const fn above_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// What was shortened before, with what came since.
    fn shortened_before(&self, ask: &Ask) -> Option<Arc<[Arc<String>]>> {
        let messages = ask.messages_json();
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let is_begin = |done: &&Done| {
            done.long.len() <= messages.len() && done.long.iter().zip(messages).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        let found = done.iter().filter(is_begin).max_by_key(|done| done.long.len())?;
        Some(found.short.iter().chain(&messages[found.long.len()..]).cloned().collect())
    }

    async fn shorten(&self, whole: &Ask, ask: &mut Ask) -> Result<(), Failure> {
        let before = ask.prompt_bytes();
        let shorter = (self.shorten)(ask.messages()).await;
        let shorter = shorter.map_err(|why| {
            Failure::new(FailureKind::ContextOverflow, format!("the conversation could not be shortened: {why}"))
        })?;
        // What the replies counted was the long prompt.
        let forget = |mut message: Message| {
            if let Message::Assistant(reply) = &mut message {
                reply.usage = Usage::default();
            }
            message
        };
        ask.set_messages(shorter.into_iter().map(forget).collect());
        if ask.messages_json().is_empty() || ask.prompt_bytes() >= before {
            let message =
                "the conversation is too long for the model, and what it was shortened to is empty or no shorter";
            return Err(Failure::new(FailureKind::ContextOverflow, message));
        }
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() == DONE_MAX {
            done.remove(0);
        }
        done.push(Done { long: whole.messages_json().into(), short: ask.messages_json().into() });
        Ok(())
    }
}

impl Middleware for Compact {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let whole = ask;
            let mut ask = whole.clone();
            if let Some(messages) = self.shortened_before(&whole) {
                ask.set_messages_json(messages);
            }
            let mut is_shortened = false;
            if self.tokens.is_some_and(|most| tokens_of(&ask) > most) {
                self.shorten(&whole, &mut ask).await?;
                is_shortened = true;
            }
            let outcome = match next.ask(ask.clone()).await {
                Ok(reply) => reply.until_content().await,
                Err(failure) => Err(failure),
            };
            match outcome {
                Err(failure) if failure.kind == FailureKind::ContextOverflow && !is_shortened => {
                    self.shorten(&whole, &mut ask).await?;
                    next.ask(ask).await
                }
                outcome => outcome,
            }
        })
    }
}

/// Tokens of the prompt, as well as they are known.
fn tokens_of(ask: &Ask) -> u64 {
    let mut bytes = 0;
    for json in ask.messages_json().iter().rev() {
        if json.starts_with("{\"role\":\"assistant\"")
            && let Ok(message) = serde_json::from_str::<Value>(json)
        {
            let count = |name: &str| message["usage"][name].as_u64().unwrap_or(0);
            let counted = count("input_tokens") + count("output_tokens");
            if counted > 0 {
                return counted + bytes / 4;
            }
        }
        bytes += json.len() as u64;
    }
    bytes / 4
}

impl fmt::Debug for Compact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}
