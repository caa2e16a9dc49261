//! What was said to an agent while it was at work, until its run takes it in.
//!
//! A message stands here until the moment at which it is in the conversation: the queues are lent to the machine for one
//! step, and what the step did not take comes back. So an abort can come whenever it likes, and nothing is lost or said
//! twice.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thalweg_agent::machine::{self, Machine, check_prompt};
use thalweg_agent::message::Message;
use tokio::sync::Notify;

/// Messages that wait, for any thread to add to.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    queues: Mutex<Queues>,
    /// A message that steers has come.
    steered: Notify,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    pub(crate) steering: VecDeque<Message>,
    pub(crate) follow_ups: VecDeque<Message>,
}

impl Waiting {
    pub(crate) fn new(queues: Queues) -> Self {
        Self { queues: Mutex::new(queues), steered: Notify::new() }
    }

    pub(crate) fn steer(&self, messages: Vec<Message>) -> Result<(), machine::Error> {
        check_prompt(&messages)?;
        self.lock().steering.extend(messages);
        self.steered.notify_one();
        Ok(())
    }

    pub(crate) fn follow_up(&self, messages: Vec<Message>) -> Result<(), machine::Error> {
        check_prompt(&messages)?;
        self.lock().follow_ups.extend(messages);
        Ok(())
    }

    /// Waits for a message that steers; at once when one has come since the last time.
    pub(crate) async fn steered(&self) {
        self.steered.notified().await;
    }

    /// A step of the machine that may take in messages.
    pub(crate) fn lend<T>(&self, machine: &mut Machine, step: impl FnOnce(&mut Machine) -> T) -> T {
        let mut lent = Lent { queues: self.lock(), machine };
        lent.swap();
        step(lent.machine)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues while the machine has them; they come back also when its step panics.
struct Lent<'a> {
    queues: MutexGuard<'a, Queues>,
    machine: &'a mut Machine,
}

impl Lent<'_> {
    fn swap(&mut self) {
        let Queues { steering, follow_ups } = &mut *self.queues;
        self.machine.swap_waiting(steering, follow_ups);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}
