//! The limits on waiting for a reply, on one timer that is rarely touched.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::error::Wait;

/// Knows until when the next byte may come.
///
/// A chunk only sets a mark; the time is read when the next one is waited for, so a slow reader does not use up the
/// limit, and the timer is set anew when it fires too early, not at every chunk.
#[derive(Debug)]
pub(super) struct Clock {
    sleep: Option<Pin<Box<Sleep>>>,
    started: Instant,
    /// Since when the next chunk is waited for.
    heard: Option<Instant>,
    /// A chunk came since then.
    marked: bool,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl Clock {
    /// Starts counting.
    pub(super) fn start(first_byte: Option<Duration>, idle: Option<Duration>, total: Option<Duration>) -> Self {
        Self { sleep: None, started: Instant::now(), heard: None, marked: false, first_byte, idle, total }
    }

    /// When it was started.
    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// A chunk came.
    pub(super) const fn hear(&mut self) {
        self.marked = true;
    }

    /// Ready once a limit is reached: which one, and how long it is.
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<(Wait, Duration)> {
        if std::mem::take(&mut self.marked) {
            self.heard = Some(Instant::now());
        }
        let Some((wait, limit, until)) = self.next() else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            std::task::ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready((wait, limit));
            }
            sleep.as_mut().reset(until);
        }
    }

    /// The limit that comes first.
    fn next(&self) -> Option<(Wait, Duration, Instant)> {
        let (wait, limit, since) = match self.heard {
            None => (Wait::FirstByte, self.first_byte, self.started),
            Some(heard) => (Wait::Idle, self.idle, heard),
        };
        let next = limit.map(|limit| (wait, limit, since + limit));
        let total = self.total.map(|limit| (Wait::Total, limit, self.started + limit));
        match (next, total) {
            (Some(next), Some(total)) => Some(if total.2 < next.2 { total } else { next }),
            (next, total) => next.or(total),
        }
    }
}
