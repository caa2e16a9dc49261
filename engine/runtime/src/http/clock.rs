//! The limits on waiting for a reply, on one timer that is rarely touched.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::error::Wait;

/// Knows until when the next byte may come.
///
/// A chunk only sets a mark, and the time is read when the timer fires, which it does several times within a limit: whoever
/// waits for a delta reads no clock and touches no timer. So a limit on silence is never reached too early and at most an
/// eighth of it too late, and a slow reader does not use it up.
#[derive(Debug)]
pub(super) struct Clock {
    timer: Option<Timer>,
    started: Instant,
    /// When the timer first found that a chunk had come, or did so again.
    heard: Option<Instant>,
    /// A chunk came since then.
    marked: bool,
    first_byte: Option<Duration>,
    idle: Option<Duration>,
    total: Option<Duration>,
}

/// A timer, and the task that it wakes.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
}

/// The timer fires so many times within a limit.
const TICKS: u32 = 8;

impl Clock {
    /// Starts counting.
    pub(super) fn start(first_byte: Option<Duration>, idle: Option<Duration>, total: Option<Duration>) -> Self {
        Self { timer: None, started: Instant::now(), heard: None, marked: false, first_byte, idle, total }
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
    #[inline]
    pub(super) fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<(Wait, Duration)> {
        match &self.timer {
            // With the first chunk another limit begins to hold.
            _ if self.marked && self.heard.is_none() => self.poll_timer(cx),
            Some(Timer { sleep, waker }) if !sleep.is_elapsed() && waker.will_wake(cx.waker()) => Poll::Pending,
            _ => self.poll_timer(cx),
        }
    }

    #[inline(never)]
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<(Wait, Duration)> {
        loop {
            let now = Instant::now();
            if std::mem::take(&mut self.marked) {
                self.heard = Some(now);
            }
            let Some((wait, limit, until)) = self.next() else { return Poll::Pending };
            if now >= until {
                return Poll::Ready((wait, limit));
            }
            let wake = until.min(now + limit / TICKS);
            let waker = cx.waker().clone();
            let timer = match &mut self.timer {
                Some(timer) => {
                    timer.sleep.as_mut().reset(wake);
                    timer.waker = waker;
                    timer
                }
                none => none.insert(Timer { sleep: Box::pin(tokio::time::sleep_until(wake)), waker }),
            };
            std::task::ready!(timer.sleep.as_mut().poll(cx));
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
