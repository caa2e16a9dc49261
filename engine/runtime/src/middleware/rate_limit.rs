//! Holds requests back so that a provider's limits are kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use thalweg_abi::types::{EVENT_USAGE, USAGE_INPUT, USAGE_OUTPUT, USAGE_TOTAL};
use thalweg_agent::failure::{Failure, FailureKind};
use tokio::time::Instant;

use super::Middleware;
use crate::responder::{Ask, Asking, Batch, ReplyEvents, ReplyStream, Responder};

/// Keeps requests and tokens a minute below limits, with a bucket for each that fills steadily. Clones, and agents that
/// share one, share the buckets.
///
/// The tokens of a request are reckoned before it is sent, as a quarter of its prompt's bytes and the most that the reply
/// may have, and set right by what the provider counts.
#[derive(Clone, Debug)]
pub struct RateLimit {
    buckets: Arc<Mutex<Buckets>>,
    when_full: WhenFull,
}

/// What becomes of a request for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits for its turn.
    #[default]
    Wait,
    /// It waits, but fails at once where it had to wait for longer.
    WaitAtMost(Duration),
    /// It fails at once and says when there will be room.
    Fail,
}

#[derive(Debug)]
struct Buckets {
    requests: Bucket,
    tokens: Option<Bucket>,
}

/// What may be taken; below zero when more was promised than there is.
#[derive(Debug)]
struct Bucket {
    size: f64,
    per_second: f64,
    left: f64,
    filled: Instant,
}

impl Bucket {
    fn per_minute(rate: u32, size: u32) -> Self {
        let rate = f64::from(rate.max(1));
        let size = f64::from(size.max(1));
        Self { size, per_second: rate / 60.0, left: size, filled: Instant::now() }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = passed.mul_add(self.per_second, self.left).min(self.size);
        self.filled = now;
    }

    /// How long until `cost` is there. More than ever fits waits for a full bucket only.
    fn wait(&self, cost: f64) -> Duration {
        let missing = cost.min(self.size) - self.left;
        Duration::try_from_secs_f64(missing.max(0.0) / self.per_second).unwrap_or(Duration::MAX)
    }
}

impl RateLimit {
    /// So many requests a minute, as many of them at once as come within one second, but at least one.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        let buckets = Buckets { requests: Bucket::per_minute(requests, requests.div_ceil(60)), tokens: None };
        Self { buckets: Arc::new(Mutex::new(buckets)), when_full: WhenFull::default() }
    }

    /// So many requests at once after a pause.
    #[must_use]
    pub fn burst(self, requests: u32) -> Self {
        self.change(|buckets| {
            buckets.requests.size = f64::from(requests.max(1));
            buckets.requests.left = buckets.requests.size;
        });
        self
    }

    /// So many tokens a minute, too, all of them at once after a pause.
    #[must_use]
    pub fn tokens(self, per_minute: u32) -> Self {
        self.change(|buckets| buckets.tokens = Some(Bucket::per_minute(per_minute, per_minute)));
        self
    }

    /// What becomes of a request for which there is no room; it waits unless set.
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    fn change<T>(&self, change: impl FnOnce(&mut Buckets) -> T) -> T {
        change(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a place; gives the wait until it may be used.
    fn take(&self, tokens: f64) -> Result<Duration, Failure> {
        self.change(|buckets| {
            let now = Instant::now();
            buckets.requests.fill(now);
            let mut wait = buckets.requests.wait(1.0);
            if let Some(bucket) = &mut buckets.tokens {
                bucket.fill(now);
                wait = wait.max(bucket.wait(tokens));
            }
            let longest = match self.when_full {
                WhenFull::Wait => Duration::MAX,
                WhenFull::WaitAtMost(longest) => longest,
                WhenFull::Fail => Duration::ZERO,
            };
            if wait > longest {
                let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                let message = format!("held back by the rate limit of this program; there is room in {ms} ms");
                return Err(Failure::new(FailureKind::RateLimit, message).with_retry_after_ms(ms));
            }
            buckets.requests.left -= 1.0;
            if let Some(bucket) = &mut buckets.tokens {
                bucket.left -= tokens;
            }
            Ok(wait)
        })
    }
}

impl Middleware for RateLimit {
    fn ask<'a>(&'a self, ask: Ask, next: &'a dyn Responder) -> Asking<'a> {
        Box::pin(async move {
            let reply_max = ask.request().max_tokens.unwrap_or(0);
            let reckoned = ask.prompt_bytes() as f64 / 4.0 + f64::from(reply_max);
            let mut place = Place { buckets: Arc::clone(&self.buckets), reckoned, is_used: false };
            let wait = self.take(reckoned).inspect_err(|_| place.is_used = true)?;
            if wait > Duration::ZERO {
                tokio::time::sleep(wait).await;
            }
            place.is_used = true;
            let reply = next.ask(ask).await?;
            Ok(reply.map(|inner| Counting { inner, place, input: 0, output: 0, total: 0 }))
        })
    }
}

/// What was taken; given back where it was not used.
struct Place {
    buckets: Arc<Mutex<Buckets>>,
    reckoned: f64,
    is_used: bool,
}

impl Place {
    fn give_back(&self, requests: f64, tokens: f64) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { requests: places, tokens: bucket } = &mut *buckets;
        places.left = (places.left + requests).min(places.size);
        if let Some(bucket) = bucket {
            bucket.left = (bucket.left + tokens).min(bucket.size);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_used {
            self.give_back(1.0, self.reckoned);
        }
    }
}

/// A reply whose tokens are counted.
struct Counting {
    inner: ReplyStream,
    place: Place,
    input: i64,
    output: i64,
    total: i64,
}

impl ReplyEvents for Counting {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, Failure>>> {
        let polled = self.inner.poll_next(cx);
        if let Poll::Ready(Some(Ok(batch))) = &polled {
            for event in batch.iter().filter(|event| event.kind() == EVENT_USAGE) {
                match event.block() {
                    USAGE_INPUT => self.input = event.num(),
                    USAGE_OUTPUT => self.output = event.num(),
                    USAGE_TOTAL => self.total = event.num(),
                    _ => {}
                }
            }
        }
        polled
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let counted = self.total.max(self.input.saturating_add(self.output));
        if counted > 0 {
            self.place.give_back(0.0, self.place.reckoned - counted as f64);
        }
    }
}
