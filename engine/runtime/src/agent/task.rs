//! The task that drives a run, and what it leaves to its agent, however it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use thalweg_agent::machine::Machine;

use super::Inner;
use crate::drive::{Driver, Session};
use crate::engine::RunPlace;
use crate::run::{Outcome, Run};

/// A run on its way. When it is dropped, at its end, by a panic or with its runtime, the run ends, its readers see that, and
/// the agent has its session back.
pub(super) struct Task {
    driver: Option<Driver>,
    /// `None` once the agent has its session back.
    inner: Option<Arc<Inner>>,
    run: Run,
    /// `None` once the run is over.
    place: Option<RunPlace>,
}

impl Task {
    pub(super) const fn new(driver: Driver, inner: Arc<Inner>, run: Run, place: RunPlace) -> Self {
        Self { driver: Some(driver), inner: Some(inner), run, place: Some(place) }
    }

    pub(super) async fn run(mut self) {
        if let Some(driver) = &mut self.driver {
            driver.run().await;
        }
    }

    /// What a run leaves that was dropped by a panic of its own: the conversation as far as readers were told.
    fn recover(&self, inner: &Inner) {
        let messages = inner.setup.mirror.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let messages = messages.into_iter().map(Arc::unwrap_or_clone).collect();
        let machine = Machine::new(inner.setup.machine_config(), messages);
        // Without a session the agent stays busy: its codec cannot be opened any more.
        if let Ok(session) = Session::open(&inner.setup, machine) {
            inner.rest(Box::new(session));
        }
        // Only the task sets it.
        let _ = self.run.shared.outcome.set(Outcome::lost());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let (Some(mut driver), Some(inner)) = (self.driver.take(), self.inner.take()) else { return };
        let finished = catch_unwind(AssertUnwindSafe(move || {
            if !driver.is_finished() {
                driver.give_up();
            }
            driver.finish()
        }));
        let writer = match finished {
            Ok((session, outcome, writer)) => {
                inner.rest(session);
                // Only the task sets it.
                let _ = self.run.shared.outcome.set(outcome);
                Some(writer)
            }
            Err(_) => {
                self.recover(&inner);
                None
            }
        };
        // Before anybody is told: who waits for the end may start a run, or free the agent and what its tools hold.
        self.place = None;
        drop(inner);
        self.run.shared.finished.send_replace(true);
        // Last: a reader that has seen the end may ask for the outcome at once.
        drop(writer);
    }
}
