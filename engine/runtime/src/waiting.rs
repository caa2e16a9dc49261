//! What was said to an agent while it was at work, until its run takes it in.

use std::sync::{Mutex, PoisonError};

use thalweg_agent::machine::{self, Machine, check_prompt};
use thalweg_agent::message::Message;

/// Messages that wait, for any thread to add to.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    steering: Vec<Message>,
    follow_ups: Vec<Message>,
}

impl Waiting {
    pub(crate) fn steer(&self, messages: Vec<Message>) -> Result<(), machine::Error> {
        self.add(messages, |queues| &mut queues.steering)
    }

    pub(crate) fn follow_up(&self, messages: Vec<Message>) -> Result<(), machine::Error> {
        self.add(messages, |queues| &mut queues.follow_ups)
    }

    fn add(&self, messages: Vec<Message>, which: fn(&mut Queues) -> &mut Vec<Message>) -> Result<(), machine::Error> {
        check_prompt(&messages)?;
        which(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)).extend(messages);
        Ok(())
    }

    /// Gives them to the machine; to be called before whatever may end a turn.
    pub(crate) fn hand_over(&self, machine: &mut Machine) {
        let Queues { steering, follow_ups } =
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for message in steering {
            // It was checked when it came.
            let _ = machine.handle_steer(message);
        }
        for message in follow_ups {
            let _ = machine.handle_follow_up(message);
        }
    }
}
