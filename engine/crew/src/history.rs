//! What was said so far, in memory.

use std::sync::{Arc, Mutex};

use crate::agent::{Agent, Interaction};
use crate::field::Field;
use crate::message::Message;
use crate::pieces::lock;

/// A list of messages that grows. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Message>>>);

impl History {
    /// An agent that adds what it hears, and replies with that; with all there is, if `return_full_history` is configured.
    #[must_use]
    pub fn agent(&self) -> Agent {
        let history = self.clone();
        Agent::new("history", move |interaction: Interaction| {
            let history = history.clone();
            async move {
                let in_full = returns_full_history(&interaction);
                if !in_full {
                    interaction.reply(interaction.sent());
                }
                let sent = interaction.sent().value().await?;
                lock(&history.0).extend(sent);
                if in_full {
                    interaction.reply(history.messages());
                }
                Ok(())
            }
        })
    }

    /// All messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.0).clone()
    }
}

pub(crate) fn returns_full_history(interaction: &Interaction) -> bool {
    interaction.configuration("return_full_history") == Some(&Field::Bool(true))
}
