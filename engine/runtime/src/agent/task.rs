//! The task that drives a run, and what it leaves to its agent, however it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use thalweg_agent::machine::Machine;

use super::{Inner, open_session};
use crate::drive::Driver;
use crate::engine::RunPlace;
use crate::run::{Outcome, Run};

/// A run on its way. When it is dropped, at its end, by a panic or with its runtime, the run ends, its readers see that, and
/// the agent has its session back.
pub(super) struct Task {
    driver: Option<Driver>,
    inner: Arc<Inner>,
    run: Run,
    /// `None` once the run is over.
    place: Option<RunPlace>,
}

impl Task {
    pub(super) const fn new(driver: Driver, inner: Arc<Inner>, run: Run, place: RunPlace) -> Self {
        Self { driver: Some(driver), inner, run, place: Some(place) }
    }

    pub(super) async fn run(mut self) {
        if let Some(driver) = &mut self.driver {
            driver.run().await;
        }
    }

    /// What a run leaves that was dropped by a panic of its own: the conversation as far as readers were told.
    fn recover(&self) {
        let messages = self.inner.setup.mirror.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let messages = messages.into_iter().map(Arc::unwrap_or_clone).collect();
        let machine = Machine::new(self.inner.setup.machine_config(), messages);
        // Without a session the agent stays busy: its codec cannot be opened any more.
        if let Ok(session) = open_session(&self.inner.setup, machine) {
            self.inner.rest(Box::new(session));
        }
        // Only the task sets it.
        let _ = self.run.shared.outcome.set(Outcome::lost());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some(mut driver) = self.driver.take() else { return };
        let finished = catch_unwind(AssertUnwindSafe(move || {
            if !driver.is_finished() {
                driver.give_up();
            }
            driver.finish()
        }));
        match finished {
            Ok((session, outcome, writer)) => {
                self.inner.rest(session);
                // Only the task sets it.
                let _ = self.run.shared.outcome.set(outcome);
                // Before anybody is told: who waits for the end may start a run.
                self.place = None;
                // A reader that has seen the end may prompt the agent again at once.
                drop(writer);
            }
            Err(_) => self.recover(),
        }
        self.place = None;
        self.run.shared.finished.send_replace(true);
    }
}
