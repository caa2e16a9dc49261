//! What happens after a crash: a pure function of the crash and of the numbers of those before.
//!
//! Nothing here waits or reads a clock. The runner counts in a [`History`], asks [`Supervisor::decide`] and obeys.

use std::collections::VecDeque;
use std::time::Duration;

use crate::failure::Failure;

/// What is to be done with an actor that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Go on with the next message and the same state.
    Resume,
    /// Make a new actor after a pause; messages that come meanwhile wait.
    Restart {
        /// The pause.
        after: Duration,
    },
    /// It is over.
    Stop,
    /// Stop, and let the parent fail in its turn.
    Escalate,
}

/// Whom a decision concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The actor that failed.
    #[default]
    OneForOne,
    /// All children of the same parent: they are restarted, or stopped, with it.
    OneForAll,
}

/// A crash, as the supervisor sees it.
#[derive(Clone, Copy, Debug)]
pub struct Crash<'a> {
    /// What happened.
    pub failure: &'a Failure,
    /// Failures in a row without a message handled in between, this one included: at least 1.
    pub in_a_row: u32,
    /// Of those, how many lie within the supervisor's window, this one included: at least 1.
    pub in_window: u32,
    /// A random number of 0 up to, but not, 1, for jitter.
    pub chance: f64,
}

/// Decides what to do about a crash. Pure: the same crash gives the same answer.
pub trait Supervisor: Send + Sync {
    /// The decision.
    fn decide(&self, crash: &Crash<'_>) -> Directive;

    /// Over which time failures are counted in [`Crash::in_window`].
    fn window(&self) -> Duration {
        Duration::MAX
    }

    /// Whom the decision concerns.
    fn scope(&self) -> Scope {
        Scope::OneForOne
    }
}

/// Restarts with growing pauses, up to a number of times within a window.
///
/// The default: 5 in a minute, 50 ms doubling up to 1 s, up to a tenth of it taken off at random, one for one.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// How many failures in the window are forgiven; 0 means all.
    pub max: u32,
    /// The window.
    pub window: Duration,
    /// The pause after the first failure; it doubles with each further one in a row.
    pub base: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// How much of the pause chance may take off, of 0 to 1, so that those who fell together do not rise together.
    pub jitter: f64,
    /// Whom it concerns.
    pub scope: Scope,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            max: 5,
            window: Duration::from_secs(60),
            base: Duration::from_millis(50),
            cap: Duration::from_secs(1),
            jitter: 0.1,
            scope: Scope::OneForOne,
        }
    }
}

impl Restart {
    /// The pause after the `in_a_row`th failure in a row.
    fn pause(&self, in_a_row: u32, chance: f64) -> Duration {
        let base = if self.base.is_zero() { Duration::from_millis(10) } else { self.base };
        let cap = self.cap.max(base);
        let doublings = in_a_row.saturating_sub(1);
        let whole = 1_u32.checked_shl(doublings).and_then(|factor| base.checked_mul(factor)).unwrap_or(cap).min(cap);
        whole.mul_f64(1.0 - (self.jitter.clamp(0.0, 1.0) * chance.clamp(0.0, 1.0)))
    }
}

impl Supervisor for Restart {
    fn decide(&self, crash: &Crash<'_>) -> Directive {
        if self.max > 0 && crash.in_window > self.max {
            return Directive::Stop;
        }
        Directive::Restart { after: self.pause(crash.in_a_row, crash.chance) }
    }

    fn window(&self) -> Duration {
        self.window
    }

    fn scope(&self) -> Scope {
        self.scope
    }
}

/// Skips the message and goes on, whatever happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resume;

impl Supervisor for Resume {
    fn decide(&self, _: &Crash<'_>) -> Directive {
        Directive::Resume
    }
}

/// Stops at the first failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop;

impl Supervisor for Stop {
    fn decide(&self, _: &Crash<'_>) -> Directive {
        Directive::Stop
    }
}

/// Hands every failure to the parent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Escalate;

impl Supervisor for Escalate {
    fn decide(&self, _: &Crash<'_>) -> Directive {
        Directive::Escalate
    }
}

/// The failures of one actor since it last handled a message. Empty, it takes no heap memory.
#[derive(Clone, Debug, Default)]
pub struct History(Option<Box<Failures>>);

#[derive(Clone, Debug, Default)]
struct Failures {
    in_a_row: u32,
    times: VecDeque<Duration>,
}

impl History {
    /// Counts a failure at `now`, and says how many there were in a row and, of those, in the last `window`.
    pub fn failed(&mut self, now: Duration, window: Duration) -> (u32, u32) {
        let Failures { in_a_row, times } = &mut **self.0.get_or_insert_default();
        *in_a_row = in_a_row.saturating_add(1);
        while times.front().is_some_and(|first| now.saturating_sub(*first) > window) || times.len() >= KEPT {
            times.pop_front();
        }
        times.push_back(now);
        (*in_a_row, times.len() as u32)
    }

    /// A message was handled: the slate is clean.
    #[inline]
    pub fn succeeded(&mut self) {
        self.0 = None;
    }
}

/// So many failures in a window are told apart; a larger [`Restart::max`] forgives all.
const KEPT: usize = 4096;
